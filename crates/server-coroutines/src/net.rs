//! Sockets that a coroutine can wait for.

use std::future;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use mio::event;

use crate::executor::{spend_budget, with_reactor};
use crate::reactor::{Direction, Source};

/// A listening socket.
#[derive(Debug)]
pub struct TcpListener(Watched<mio::net::TcpListener>);

/// A connection.
#[derive(Debug)]
pub struct TcpStream(Watched<mio::net::TcpStream>);

impl TcpListener {
    /// Takes a listening socket over, which must be non-blocking.
    ///
    /// # Errors
    ///
    /// When epoll can't watch it.
    pub fn from_std(listener: std::net::TcpListener) -> io::Result<Self> {
        let listener = mio::net::TcpListener::from_std(listener);
        Ok(TcpListener(Watched::new(listener)?))
    }

    /// Waits for a client; see accept(2).
    ///
    /// # Errors
    ///
    /// Those of accept(2), and when epoll can't watch the connection.
    pub async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        let TcpListener(Watched { socket, source }) = self;
        let (stream, peer) = future::poll_fn(|context| {
            try_when_ready(context, &source.input, || socket.accept())
        })
        .await?;
        Ok((TcpStream(Watched::new(stream)?), peer))
    }
}

impl TcpStream {
    /// Waits for input and reads it into `space`; see read(2).
    ///
    /// # Errors
    ///
    /// Those of read(2).
    pub async fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let TcpStream(Watched { socket, source }) = self;
        let count = future::poll_fn(|context| {
            try_when_ready(context, &source.input, || socket.read(space))
        })
        .await?;
        if count < space.len() {
            // It is empty: the next bytes will be a new edge.
            source.input.exhausted();
        }
        Ok(count)
    }

    /// Waits until there is room and writes some of `bytes`; see write(2).
    ///
    /// # Errors
    ///
    /// Those of write(2).
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let TcpStream(Watched { socket, source }) = self;
        future::poll_fn(|context| {
            try_when_ready(context, &source.output, || socket.write(bytes))
        })
        .await
    }
}

impl AsFd for TcpStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.socket.as_fd()
    }
}

/// Tries once if it may succeed; otherwise leaves the waker.
fn try_when_ready<T>(
    context: &Context<'_>,
    direction: &Direction,
    try_it: impl FnOnce() -> io::Result<T>,
) -> Poll<io::Result<T>> {
    if direction.is_ready() {
        ready!(spend_budget(context));
        match try_it() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                direction.exhausted();
            }
            tried => return Poll::Ready(tried),
        }
    }
    direction.wake_when_ready(context.waker());
    Poll::Pending
}

/// A socket that the reactor watches.
#[derive(Debug)]
struct Watched<S: event::Source> {
    socket: S,
    source: Rc<Source>,
}

impl<S: event::Source> Watched<S> {
    fn new(mut socket: S) -> io::Result<Watched<S>> {
        let source = with_reactor(|reactor| reactor.enter(&mut socket))?;
        Ok(Watched { socket, source })
    }
}

impl<S: event::Source> Drop for Watched<S> {
    fn drop(&mut self) {
        with_reactor(|reactor| reactor.leave(&mut self.socket, &self.source));
    }
}
