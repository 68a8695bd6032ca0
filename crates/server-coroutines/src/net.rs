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
pub struct TcpListener(Registered<mio::net::TcpListener>);

/// A connection.
#[derive(Debug)]
pub struct TcpStream(Registered<mio::net::TcpStream>);

impl TcpListener {
    /// Takes over a listening socket, which must be non-blocking.
    ///
    /// # Errors
    ///
    /// Returns an error if epoll can't watch the socket.
    pub fn from_std(listener: std::net::TcpListener) -> io::Result<Self> {
        let listener = mio::net::TcpListener::from_std(listener);
        Ok(TcpListener(Registered::new(listener)?))
    }

    /// Waits for a client; see accept(2).
    ///
    /// # Errors
    ///
    /// Returns the errors of accept(2), or an error if epoll can't watch the
    /// connection.
    pub async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        let TcpListener(Registered { socket, source }) = self;
        let (stream, peer) = future::poll_fn(|context| {
            try_when_ready(context, &source.input, || socket.accept())
        })
        .await?;
        Ok((TcpStream(Registered::new(stream)?), peer))
    }
}

impl TcpStream {
    /// Waits for input and reads it into `space`; see read(2).
    ///
    /// # Errors
    ///
    /// Returns the errors of read(2).
    pub async fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let TcpStream(Registered { socket, source }) = self;
        let count = future::poll_fn(|context| {
            try_when_ready(context, &source.input, || socket.read(space))
        })
        .await?;
        if count < space.len() {
            // The socket is empty: the next bytes will cause an event.
            source.input.clear_ready();
        }
        Ok(count)
    }

    /// Waits for room for output and writes some of `bytes`; see write(2).
    ///
    /// # Errors
    ///
    /// Returns the errors of write(2).
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let TcpStream(Registered { socket, source }) = self;
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

/// Tries an operation if the socket may be ready for it. If the operation would
/// block, leaves the task's waker.
fn try_when_ready<T>(
    context: &Context<'_>,
    direction: &Direction,
    operation: impl FnOnce() -> io::Result<T>,
) -> Poll<io::Result<T>> {
    if direction.is_ready() {
        ready!(spend_budget(context));
        match operation() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                direction.clear_ready();
            }
            result => return Poll::Ready(result),
        }
    }
    direction.wake_when_ready(context.waker());
    Poll::Pending
}

/// A socket that is registered with the reactor until it is dropped.
#[derive(Debug)]
struct Registered<S: event::Source> {
    socket: S,
    source: Rc<Source>,
}

impl<S: event::Source> Registered<S> {
    fn new(mut socket: S) -> io::Result<Registered<S>> {
        let source = with_reactor(|reactor| reactor.register(&mut socket))?;
        Ok(Registered { socket, source })
    }
}

impl<S: event::Source> Drop for Registered<S> {
    fn drop(&mut self) {
        let Registered { socket, source } = self;
        with_reactor(|reactor| reactor.deregister(socket, source));
    }
}
