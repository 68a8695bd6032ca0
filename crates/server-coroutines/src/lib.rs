//! The talk's event loop, on `std::future`: an executor and a reactor.
//!
//! A coroutine is a future: a function that can suspend in the middle, because
//! it must wait, and resume later. The executor keeps the coroutines, and
//! polls each that was woken. [`net`] has sockets that a coroutine can wait
//! for: the coroutine leaves its waker at the socket and suspends; the reactor
//! wakes it when epoll reports that the socket is ready. See [`std::task`] for
//! the contract between the two.
//!
//! One thread, no `unsafe`, small enough to be read in one sitting, in this
//! order: executor, net, reactor, inbox.

mod executor;
mod inbox;
pub mod net;
mod reactor;

pub use executor::{run, sleep, spawn, yield_now};
