//! Sockets that remember what they are ready for.
//!
//! epoll reports each change of readiness once (it is *edge-triggered*; see
//! epoll(7)), so a program must remember it until an operation would block.
//! [`Listener`] and [`Socket`] do that. The event loop is in `main.rs`.

mod listener;
mod socket;

pub use listener::Listener;
pub use socket::Socket;
