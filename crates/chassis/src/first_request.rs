//! The first request: the server sends it to itself. The reply shows that
//! everything is there that a client needs, from `accept` to the workers.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;

/// How long a server may take to answer its first request.
const TIME_MAX: Duration = Duration::from_secs(8);

const REQUEST: &[u8] = b"0\n";
const REPLY: &[u8] = b"0\n";

/// The first request, on a connection that doesn't block.
#[derive(Debug)]
pub(crate) struct FirstRequest {
    connection: TcpStream,
    state: State,
    deadline: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Connecting,
    Sent,
    /// The reply has arrived, and the server closes the connection.
    Answered,
}

/// How far the first request is.
#[derive(Debug)]
pub(crate) enum Progress {
    Waits,
    /// It was answered, and its connection has ended.
    Done,
    /// This machine could not connect to the server. Others may be able to.
    NotConnected(io::Error),
    Failed(io::Error),
}

impl FirstRequest {
    pub(crate) fn new(connection: TcpStream) -> FirstRequest {
        let deadline = Instant::now() + TIME_MAX;
        FirstRequest { connection, state: State::Connecting, deadline }
    }

    /// Returns the descriptor and the readiness to wait for.
    pub(crate) fn interest(&self) -> (BorrowedFd<'_>, PollFlags) {
        let flags = match self.state {
            State::Connecting => PollFlags::OUT,
            State::Sent | State::Answered => PollFlags::IN,
        };
        (self.connection.as_fd(), flags)
    }

    /// Continues as far as possible without waiting.
    pub(crate) fn proceed(&mut self, now: Instant) -> Progress {
        let error = match self.exchange() {
            Ok(()) => return Progress::Done,
            Err(error) if error.kind() != ErrorKind::WouldBlock => error,
            Err(_) if now < self.deadline => return Progress::Waits,
            Err(_) => {
                let text = format!("not answered within {TIME_MAX:?}");
                io::Error::other(text)
            }
        };
        match self.state {
            State::Connecting => Progress::NotConnected(error),
            State::Sent | State::Answered => Progress::Failed(error),
        }
    }

    fn exchange(&mut self) -> io::Result<()> {
        if self.state == State::Connecting {
            self.connection.write_all(REQUEST)?;
            self.state = State::Sent;
        }
        if self.state == State::Sent {
            let mut reply = [0; protocol::REPLY_BYTES_MAX];
            let count = self.connection.read(&mut reply)?;
            if reply[..count] != *REPLY {
                let got = String::from_utf8_lossy(&reply[..count]);
                let text = format!("got `{}` instead of 0", got.trim_end());
                return Err(io::Error::other(text));
            }
            // Fails only if the server has closed it already.
            let _ = self.connection.shutdown(Shutdown::Write);
            self.state = State::Answered;
        }
        // A client leaves the registry before its connection is closed.
        match self.connection.read(&mut [0; 1])? {
            0 => Ok(()),
            _ => Err(io::Error::other("got more than one reply")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn pair() -> (FirstRequest, TcpStream) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let connection = TcpStream::connect(address).unwrap();
        connection.set_nonblocking(true).unwrap();
        (FirstRequest::new(connection), listener.accept().unwrap().0)
    }

    /// Continues until the request doesn't wait any more, or the server has to
    /// act.
    fn proceed(first: &mut FirstRequest) -> Progress {
        let end = Instant::now() + Duration::from_secs(1);
        loop {
            let progress = first.proceed(Instant::now());
            let waits = matches!(progress, Progress::Waits);
            if !waits || Instant::now() > end {
                return progress;
            }
        }
    }

    #[test]
    fn it_is_done_when_the_server_has_answered_and_closed() {
        let (mut first, mut server) = pair();
        let now = Instant::now();
        assert!(matches!(first.proceed(now), Progress::Waits));
        let mut request = [0; 2];
        server.read_exact(&mut request).unwrap();
        assert_eq!(request, REQUEST);
        server.write_all(REPLY).unwrap();
        while first.state != State::Answered {
            assert!(matches!(first.proceed(now), Progress::Waits));
        }
        assert_eq!(server.read(&mut request).unwrap(), 0);
        assert!(matches!(first.proceed(now), Progress::Waits));
        drop(server);
        assert!(matches!(proceed(&mut first), Progress::Done));
    }

    #[test]
    fn an_error_an_early_end_and_silence_are_failures() {
        let (mut first, mut server) = pair();
        server.write_all(b"error: server-full\n").unwrap();
        let Progress::Failed(error) = proceed(&mut first) else { panic!() };
        assert!(error.to_string().contains("server-full"), "{error}");

        let (mut first, server) = pair();
        drop(server);
        assert!(matches!(proceed(&mut first), Progress::Failed(_)));

        let (mut first, _server) = pair();
        let now = Instant::now();
        assert!(matches!(first.proceed(now), Progress::Waits));
        let late = first.proceed(now + 2 * TIME_MAX);
        assert!(matches!(late, Progress::Failed(_)), "{late:?}");
    }
}
