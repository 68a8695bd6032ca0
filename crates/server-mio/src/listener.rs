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

    /// Accepts no more clients.
    pub fn stop(&mut self) {
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
