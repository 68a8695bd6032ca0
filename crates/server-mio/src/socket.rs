//! A client's socket that remembers what it is ready for.

use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::os::fd::{AsFd, BorrowedFd};

use mio::event::Event;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

/// A non-blocking socket that is registered once, for all events.
///
/// An operation is tried only if it may succeed, which saves system calls. If
/// it would block, the client waits for the next event.
#[derive(Debug)]
pub struct Socket {
    stream: TcpStream,
    /// Whether a read may succeed. Set by an event. Cleared by a read that
    /// would block, and by a short read: the socket is empty then, and the
    /// next bytes cause an event.
    is_readable: bool,
    /// Whether only a read that would block clears `is_readable`: after the
    /// end of input, an error or urgent data, a short read doesn't mean that
    /// the socket is empty. See tcp(7).
    reads_until_blocked: bool,
    /// Whether a write may succeed. Set by an event, cleared by a write that
    /// would block.
    is_writable: bool,
    /// Whether the client waits for an event. If it doesn't, because it is
    /// queued for a turn or its request is being computed, events are only
    /// noted.
    awaits_event: bool,
}

impl Socket {
    /// Wraps a socket that isn't registered yet.
    pub(crate) fn new(stream: TcpStream) -> Socket {
        Socket {
            stream,
            is_readable: false,
            reads_until_blocked: false,
            is_writable: false,
            awaits_event: true,
        }
    }

    /// Registers the socket. The first event reports what it is ready for.
    ///
    /// # Errors
    ///
    /// Returns an error if epoll can't watch the socket.
    pub fn register(
        &mut self,
        registry: &Registry,
        token: Token,
    ) -> io::Result<()> {
        let all = Interest::READABLE | Interest::PRIORITY | Interest::WRITABLE;
        registry.register(&mut self.stream, token, all)
    }

    /// Notes an event. Returns `true` if the client was waiting for one and so
    /// must get a turn. A spurious event costs at most one operation that would
    /// block.
    pub fn note(&mut self, event: &Event) -> bool {
        self.reads_until_blocked |=
            event.is_read_closed() || event.is_priority() || event.is_error();
        self.is_readable |= event.is_readable() || self.reads_until_blocked;
        self.is_writable |=
            event.is_writable() || event.is_write_closed() || event.is_error();
        mem::replace(&mut self.awaits_event, false)
    }

    /// Reads into `space`; see read(2). Returns `None` if that would block:
    /// then the client waits for an event.
    ///
    /// # Errors
    ///
    /// Returns the errors of read(2).
    pub fn try_read(&mut self, space: &mut [u8]) -> io::Result<Option<usize>> {
        let count = if self.is_readable {
            unless_blocked(self.stream.read(space))?
        } else {
            None
        };
        self.is_readable = count.is_some_and(|count| {
            count == space.len() || self.reads_until_blocked
        });
        self.awaits_event = count.is_none();
        Ok(count)
    }

    /// Writes some of `bytes`; see write(2). Returns `None` if that would
    /// block: then the client waits for an event.
    ///
    /// # Errors
    ///
    /// Returns the errors of write(2).
    pub fn try_write(&mut self, bytes: &[u8]) -> io::Result<Option<usize>> {
        let count = if self.is_writable {
            unless_blocked(self.stream.write(bytes))?
        } else {
            None
        };
        self.is_writable = count.is_some();
        self.awaits_event = count.is_none();
        Ok(count)
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// Returns what an operation returned, or `None` if it would have blocked.
pub(crate) fn unless_blocked<T>(
    result: io::Result<T>,
) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        result => result.map(Some),
    }
}
