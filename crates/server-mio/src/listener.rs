//! A listening socket that remembers whether clients may be waiting.

use std::io;
use std::net::{self, SocketAddr};
use std::time::{Duration, Instant};

use mio::net::TcpListener;
use mio::{Interest, Registry, Token};

use crate::socket::{Socket, unless_blocked};

/// A non-blocking listening socket.
#[derive(Debug)]
pub struct Listener {
    listener: TcpListener,
    /// Whether clients may be waiting. Set by an event, cleared by an accept
    /// that would block.
    is_ready: bool,
    /// When to continue after a pause.
    resume_at: Option<Instant>,
}

impl Listener {
    /// Registers a listening socket, and makes it non-blocking.
    ///
    /// # Errors
    ///
    /// Returns an error if epoll can't watch the socket.
    pub fn new(
        listener: net::TcpListener,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Listener> {
        listener.set_nonblocking(true)?;
        let mut listener = TcpListener::from_std(listener);
        registry.register(&mut listener, token, Interest::READABLE)?;
        Ok(Listener { listener, is_ready: false, resume_at: None })
    }

    /// Notes an event: clients may be waiting.
    pub fn note(&mut self) {
        self.is_ready = true;
    }

    /// Accepts a client; see accept(2). Returns `None` if no client is waiting
    /// or during a pause.
    pub fn try_accept(&mut self) -> Option<io::Result<(Socket, SocketAddr)>> {
        if self.timeout() != Some(Duration::ZERO) {
            return None;
        }
        self.resume_at = None;
        let accepted = unless_blocked(self.listener.accept()).transpose();
        self.is_ready = accepted.is_some();
        let accepted = accepted?;
        Some(accepted.map(|(stream, peer)| (Socket::new(stream), peer)))
    }

    /// Accepts no client for `time`. No event will report the clients that
    /// wait already, so [`timeout`](Listener::timeout) does.
    pub fn pause(&mut self, time: Duration) {
        self.resume_at = Some(Instant::now() + time);
    }

    /// Accepts no more clients. If the service manager passed the socket, those
    /// that connect from now on wait for the next server.
    pub fn stop(&mut self, registry: &Registry) {
        // This fails only for a socket that is not registered.
        let _ = registry.deregister(&mut self.listener);
        self.is_ready = false;
    }

    /// Returns the time until clients can be accepted, or `None` if an event
    /// will report it.
    pub fn timeout(&self) -> Option<Duration> {
        if !self.is_ready {
            return None;
        }
        let until = |at: Instant| at.saturating_duration_since(Instant::now());
        Some(self.resume_at.map_or(Duration::ZERO, until))
    }
}

#[cfg(test)]
mod tests {
    use mio::{Events, Poll};

    use super::*;

    #[test]
    fn a_client_that_connects_after_the_stop_causes_no_event() {
        let mut poll = Poll::new().unwrap();
        let mut events = Events::with_capacity(8);
        let socket = net::TcpListener::bind("127.0.0.1:0").unwrap();
        // As the chassis does, the test keeps the socket open.
        let listener = socket.try_clone().unwrap();
        let mut listener =
            Listener::new(listener, poll.registry(), Token(0)).unwrap();
        for is_stopped in [false, true] {
            if is_stopped {
                listener.stop(poll.registry());
            }
            let _client =
                net::TcpStream::connect(socket.local_addr().unwrap()).unwrap();
            poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
            assert_eq!(events.is_empty(), is_stopped);
            events.iter().for_each(|_| listener.note());
            assert_eq!(listener.try_accept().is_none(), is_stopped);
        }
    }
}
