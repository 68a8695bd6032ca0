//! The talk's event loop, as `std::future` sees it.
//!
//! A coroutine is a future: a function that can stop in the middle, because
//! it must wait, and go on later. The executor keeps them, and polls each that
//! was woken. [`net`] has sockets that a coroutine can wait for: it leaves its
//! waker at the socket and stops; the reactor wakes it when epoll says that
//! the socket is ready. See [`std::task`] for the contract between the two.
//!
//! One thread, no `unsafe`, small enough to be read in one sitting, in the
//! order executor, net, reactor, inbox.

mod executor;
mod inbox;
pub mod net;
mod reactor;

pub use executor::{run, sleep, spawn, yield_now};
