//! A test client: sends raw bytes, checks the replies, and records both.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::ops::Range;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::set_tcp_quickack;
use rustix::net::{SendFlags, send};
use socket2::{Domain, SockRef, Socket, Type};

use crate::case::{CaseFailure, CaseResult, wait_until};
use crate::reply::{ExpectedReply, SERVER_FULL};

/// The longest line that is read in one piece. Every reply is shorter; the
/// limit bounds the memory for a line that never ends.
const LINE_BYTES_MAX: usize = 4096;

/// How many bytes of the beginning, and of the end, a transcript keeps.
const TRANSCRIPT_BYTES_MAX: usize = 120;

/// A connection to a server. Its failures show what was sent and received.
pub struct Client {
    stream: TcpStream,
    local: SocketAddr,
    server: SocketAddr,
    /// How long to wait for bytes that must arrive.
    patience: Duration,
    sent: Transcript,
    received: Transcript,
    /// Received bytes. Those before `taken` have been returned in lines.
    buffer: Vec<u8>,
    taken: usize,
}

/// The next thing that a client receives.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// A line, including its LF.
    Line(Vec<u8>),
    /// End-of-file (FIN).
    End,
    /// The connection was reset (RST).
    Reset,
    /// Nothing before the timeout.
    Nothing,
}

impl Client {
    /// Connects to a server. `patience` is how long the client waits for
    /// bytes that must arrive.
    ///
    /// # Errors
    ///
    /// Returns an error if connect(2) fails.
    pub fn connect(
        address: SocketAddr,
        patience: Duration,
    ) -> io::Result<Client> {
        let stream = TcpStream::connect_timeout(&address, patience)?;
        Client::from_stream(stream, patience)
    }

    /// Connects with small socket buffers: the kernel keeps few unsent
    /// requests and only about `window_bytes` of replies. Replies that the
    /// client doesn't read stay with the server.
    pub(crate) fn connect_with_window(
        address: SocketAddr,
        patience: Duration,
        window_bytes: usize,
    ) -> io::Result<Client> {
        let stream = connect_with_window(address, patience, window_bytes)?;
        Client::from_stream(stream, patience)
    }

    /// Like [`connect_with_window`](Client::connect_with_window), but with
    /// small segments, too. The kernel sizes the server's send queue by the
    /// segment, which is 64 KiB on loopback otherwise. With a small one, the
    /// server is stuck after fewer replies.
    pub(crate) fn connect_with_small_segments(
        address: SocketAddr,
        patience: Duration,
        window_bytes: usize,
    ) -> io::Result<Client> {
        const SEGMENT_BYTES: u32 = 1024;
        let socket = with_window(window_bytes)?;
        socket.set_tcp_mss(SEGMENT_BYTES)?;
        socket.connect_timeout(&address.into(), patience)?;
        Client::from_stream(socket.into(), patience)
    }

    fn from_stream(
        stream: TcpStream,
        patience: Duration,
    ) -> io::Result<Client> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        Ok(Client {
            local: stream.local_addr()?,
            server: stream.peer_addr()?,
            stream,
            patience,
            sent: Transcript::default(),
            received: Transcript::default(),
            buffer: Vec::new(),
            taken: 0,
        })
    }

    /// Returns how long the client waits for bytes that must arrive.
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// Requests F(n) and checks the reply.
    pub fn ask(&mut self, n: u64) -> CaseResult {
        self.exchange(format!("{n}\n").as_bytes(), ExpectedReply::Fib(n))
    }

    /// Sends bytes and checks the next reply.
    pub fn exchange(
        &mut self,
        bytes: &[u8],
        expected: ExpectedReply,
    ) -> CaseResult {
        self.send(bytes)?;
        self.expect(expected)
    }

    /// Sends all bytes; blocks until the kernel has accepted them.
    pub fn send(&mut self, bytes: &[u8]) -> CaseResult {
        self.sent.add(bytes);
        self.stream.write_all(bytes).map_err(|error| {
            let got = format!("sending failed: {error}");
            self.failure("the server to accept what was sent", &got)
        })
    }

    /// Sends a byte as urgent data (MSG_OOB). The server's kernel removes it
    /// from the stream and marks its position; see tcp(7).
    pub(crate) fn send_urgent(&mut self, byte: u8) -> CaseResult {
        self.sent.add(&[byte]);
        let sent = send(&self.stream, &[byte], SendFlags::OOB);
        sent.map(drop).map_err(|error| {
            let got = format!("sending failed: {error}");
            self.failure("the server to accept urgent data", &got)
        })
    }

    /// Makes the kernel delay the acknowledgement of the next segments as long
    /// as it may, which is 40 ms on Linux. The kernel resets this after a
    /// while.
    pub(crate) fn acknowledge_late(&self) -> CaseResult {
        Ok(set_tcp_quickack(&self.stream, false).map_err(io::Error::from)?)
    }

    /// Sends as many bytes as the kernel accepts without blocking, and returns
    /// their number.
    pub fn send_some(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_nonblocking(true)?;
        let result = self.stream.write(bytes);
        self.stream.set_nonblocking(false)?;
        if let Ok(count) = result {
            self.sent.add(&bytes[..count]);
        }
        result
    }

    /// Waits until the server has read everything that was sent.
    pub fn wait_until_read(&self) -> CaseResult {
        if wait_until(self.patience, || self.is_read()) {
            return Ok(());
        }
        Err(self.failure("the server to read the requests", "no read"))
    }

    /// Returns `true` if neither the send queue of this socket nor the receive
    /// queue of the server's has bytes in it, according to proc(5).
    fn is_read(&self) -> bool {
        /// Excludes an old connection between the same ports that is still in
        /// TIME_WAIT.
        const ESTABLISHED: &str = "01";
        let suffix = |end: SocketAddr| format!(":{:04X}", end.port());
        let (client, server) = (suffix(self.local), suffix(self.server));
        let table = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
        // Returns the lengths of the send and receive queues, in hexadecimal.
        let queues = |local: &str, remote: &str| {
            table.lines().find_map(|line| {
                let mut words = line.split_whitespace().skip(1);
                let is_this = words.next()?.ends_with(local)
                    && words.next()?.ends_with(remote)
                    && words.next()? == ESTABLISHED;
                is_this.then(|| words.next()?.split_once(':')).flatten()
            })
        };
        let is_zero = |hex: &str| hex.bytes().all(|digit| digit == b'0');
        queues(&client, &server).is_some_and(|(to_send, _)| is_zero(to_send))
            && queues(&server, &client)
                .is_some_and(|(_, to_read)| is_zero(to_read))
    }

    /// Sends requests and checks replies at the same time, so that neither
    /// side blocks on full buffers when many requests are in flight.
    pub fn pump(
        &mut self,
        requests: &[u8],
        replies: impl IntoIterator<Item = ExpectedReply>,
    ) -> CaseResult {
        let mut rest = requests;
        for reply in replies {
            while !self.has_line() {
                let deadline = Instant::now() + self.patience;
                let mut interest = PollFlags::IN;
                interest.set(PollFlags::OUT, !rest.is_empty());
                let ready = self.poll(interest, deadline);
                if ready.contains(PollFlags::OUT) {
                    match self.send_some(rest) {
                        Ok(count) => rest = &rest[count..],
                        Err(error) if would_block(&error) => {}
                        Err(error) => {
                            let got = format!("sending failed: {error}");
                            let expected = reply.to_string();
                            return Err(self.failure(&expected, &got));
                        }
                    }
                }
                if ready.is_empty() || ready.intersects(!PollFlags::OUT) {
                    break;
                }
            }
            self.expect(reply)?;
        }
        Ok(())
    }

    /// Reads the replies that have arrived, up to the end of the connection,
    /// without waiting. Checks that each is the expected one, and returns their
    /// number.
    pub(crate) fn take_all(
        &mut self,
        expected: ExpectedReply,
    ) -> CaseResult<usize> {
        let mut count = 0;
        while self.has_line() || self.has_input() {
            match self.next_within(Duration::ZERO) {
                Next::Line(line) if expected.matches(&line) => count += 1,
                Next::Nothing | Next::End | Next::Reset => break,
                next @ Next::Line(_) => {
                    let got = self.describe(&next);
                    return Err(self.failure(&expected.to_string(), &got));
                }
            }
        }
        Ok(count)
    }

    /// Requests F(10) from a server that may be full. Returns `true` if the
    /// reply is the value, and `false` if it is `server-full`.
    pub(crate) fn try_ask(&mut self) -> CaseResult<bool> {
        // Fails if the server has already refused and closed the connection.
        let _ = self.send(b"10\n");
        let value = ExpectedReply::Fib(10);
        match self.next_reply() {
            Next::Line(line) if value.matches(&line) => Ok(true),
            Next::Line(line) if SERVER_FULL.matches(&line) => Ok(false),
            next => {
                let got = self.describe(&next);
                let expected = format!("{value} or {SERVER_FULL}");
                Err(self.failure(&expected, &got))
            }
        }
    }

    /// Checks that the next reply is the expected one.
    pub fn expect(&mut self, expected: ExpectedReply) -> CaseResult {
        match self.next_reply() {
            Next::Line(line) if expected.matches(&line) => Ok(()),
            next => {
                let got = self.describe(&next);
                Err(self.failure(&expected.to_string(), &got))
            }
        }
    }

    /// Checks that the next replies are the expected ones, in this order.
    pub fn expect_all(
        &mut self,
        expected: impl IntoIterator<Item = ExpectedReply>,
    ) -> CaseResult {
        expected.into_iter().try_for_each(|reply| self.expect(reply))
    }

    /// Checks that the server closes its side (FIN), with no byte before that.
    pub fn expect_end(&mut self) -> CaseResult {
        match self.next_reply() {
            Next::End if self.is_drained() => Ok(()),
            next => {
                let got = self.describe(&next);
                Err(self.failure("end-of-file", &got))
            }
        }
    }

    /// Checks that the connection ends, by FIN or by RST, with no byte before
    /// that. The kernel resets a connection that is closed while requests are
    /// unread.
    pub(crate) fn expect_closed(&mut self) -> CaseResult {
        match self.next_reply() {
            Next::End | Next::Reset if self.is_drained() => Ok(()),
            next => {
                let got = self.describe(&next);
                Err(self.failure("the end of the connection", &got))
            }
        }
    }

    /// Checks that nothing arrives for `duration`.
    pub fn expect_silence(&mut self, duration: Duration) -> CaseResult {
        match self.next_within(duration) {
            Next::Nothing => Ok(()),
            next @ (Next::Line(_) | Next::End | Next::Reset) => {
                let got = self.describe(&next);
                Err(self.failure("nothing", &got))
            }
        }
    }

    /// Returns what arrives next; waits for it as long as a reply may take.
    pub fn next_reply(&mut self) -> Next {
        self.next_within(self.patience)
    }

    /// Returns what arrives next; waits for it at most `timeout`.
    pub fn next_within(&mut self, timeout: Duration) -> Next {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(line) = self.take_line() {
                return Next::Line(line);
            }
            if self.poll(PollFlags::IN, deadline).is_empty() {
                return Next::Nothing;
            }
            match self.fill() {
                Ok(0) => return Next::End,
                Ok(_) => {}
                Err(error) if would_block(&error) => return Next::Nothing,
                Err(_) => return Next::Reset,
            }
        }
    }

    /// Returns `true` if a byte, end-of-file or a reset can be read now.
    pub fn has_input(&self) -> bool {
        self.has_input_within(Duration::ZERO)
    }

    /// Waits until a byte, end-of-file or a reset can be read; returns `false`
    /// if none arrives within `timeout`.
    pub fn has_input_within(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        !self.is_drained() || !self.poll(PollFlags::IN, deadline).is_empty()
    }

    /// Waits until the kernel accepts more requests; returns `false` if it
    /// doesn't within `timeout`.
    pub fn can_send_within(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        self.poll(PollFlags::OUT, deadline).contains(PollFlags::OUT)
    }

    /// Waits, without reading, until the server has reset the connection;
    /// returns `false` if it doesn't within `timeout`.
    pub fn is_reset_within(&self, timeout: Duration) -> bool {
        let flags = self.poll(PollFlags::empty(), Instant::now() + timeout);
        flags.intersects(PollFlags::ERR | PollFlags::HUP)
    }

    /// Reads at most `size` bytes, whatever they are, and returns their number;
    /// `None` at the end of the connection.
    pub(crate) fn read_piece(&mut self, size: usize) -> Option<usize> {
        let mut piece = vec![0; size];
        let count = self.stream.read(&mut piece).ok()?;
        self.received.add(&piece[..count]);
        (count > 0).then_some(count)
    }

    /// Shuts down the sending side (FIN): no more requests follow.
    pub fn half_close(&mut self) -> CaseResult {
        self.stream.shutdown(Shutdown::Write).map_err(|error| {
            let got = format!("shutdown failed: {error}");
            self.failure("an open connection", &got)
        })
    }

    /// Closes the connection with RST.
    pub fn reset(self) {
        // Fails only if the connection has already ended.
        let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }

    /// Returns a failure that shows what this client sent and received.
    pub fn failure(&self, expected: &str, got: &str) -> CaseFailure {
        CaseFailure::new(format!(
            "expected {expected}\ngot      {got}\nsent     {}\nreceived {}",
            self.sent.show(),
            self.received.show()
        ))
    }

    /// Describes what arrived, for the text of a failure.
    pub fn describe(&self, next: &Next) -> String {
        match next {
            Next::Line(line) => show(line),
            Next::End if self.is_drained() => "end-of-file".to_owned(),
            Next::End => format!("end-of-file after {}", self.partial_line()),
            Next::Reset if self.is_drained() => "a reset".to_owned(),
            Next::Reset => format!("a reset after {}", self.partial_line()),
            Next::Nothing if self.is_drained() => "nothing in time".to_owned(),
            Next::Nothing => {
                format!("nothing in time after {}", self.partial_line())
            }
        }
    }

    /// Returns `true` if every received byte has been returned in a line.
    pub(crate) fn is_drained(&self) -> bool {
        self.taken == self.buffer.len()
    }

    fn partial_line(&self) -> String {
        format!("the partial line {}", show(&self.buffer[self.taken..]))
    }

    fn has_line(&self) -> bool {
        self.line_end().is_some()
    }

    /// Returns where the next complete line is in the buffer.
    fn line_end(&self) -> Option<Range<usize>> {
        let rest = &self.buffer[self.taken..];
        let end = rest.iter().position(|&byte| byte == b'\n')?;
        Some(self.taken..self.taken + end + 1)
    }

    /// Returns the next received line, or a piece of a line that is longer than
    /// [`LINE_BYTES_MAX`].
    fn take_line(&mut self) -> Option<Vec<u8>> {
        let range = self.line_end().or_else(|| {
            let is_long = self.buffer.len() - self.taken > LINE_BYTES_MAX;
            is_long.then_some(self.taken..self.buffer.len())
        })?;
        self.taken = range.end;
        Some(self.buffer[range].to_vec())
    }

    /// Reads once into the buffer; returns the number of bytes, 0 at
    /// end-of-file.
    fn fill(&mut self) -> io::Result<usize> {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        let mut piece = [0; 16 * 1024];
        let count = loop {
            match self.stream.read(&mut piece) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        self.received.add(&piece[..count]);
        self.buffer.extend_from_slice(&piece[..count]);
        Ok(count)
    }

    fn poll(&self, interest: PollFlags, deadline: Instant) -> PollFlags {
        let fd = self.stream.as_fd();
        let mut fds = [PollFd::from_borrowed_fd(fd, interest)];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let left = Timespec::try_from(left).ok();
            match poll(&mut fds, left.as_ref()) {
                Ok(_) => return fds[0].revents(),
                Err(rustix::io::Errno::INTR) => {}
                // No other error is possible: fd and timeout are valid.
                Err(error) => panic!("poll: {error}"),
            }
        }
    }
}

/// Connects with small socket buffers.
pub(crate) fn connect_with_window(
    address: SocketAddr,
    patience: Duration,
    window_bytes: usize,
) -> io::Result<TcpStream> {
    let socket = with_window(window_bytes)?;
    socket.connect_timeout(&address.into(), patience)?;
    Ok(socket.into())
}

/// Returns a socket with small buffers. They must be set before connecting,
/// because the handshake negotiates the window.
fn with_window(window_bytes: usize) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_recv_buffer_size(window_bytes)?;
    socket.set_send_buffer_size(64 * 1024)?;
    Ok(socket)
}

fn would_block(error: &io::Error) -> bool {
    // On Linux, a read that times out fails with EAGAIN (`WouldBlock`).
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// The bytes that passed in one direction: beginning, end and total length.
#[derive(Default)]
pub(crate) struct Transcript {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    bytes: u64,
}

impl Transcript {
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        let room = TRANSCRIPT_BYTES_MAX - self.head.len();
        let (head, rest) = bytes.split_at(room.min(bytes.len()));
        self.head.extend_from_slice(head);
        let rest = &rest[rest.len().saturating_sub(TRANSCRIPT_BYTES_MAX)..];
        self.tail.extend(rest);
        let surplus = self.tail.len().saturating_sub(TRANSCRIPT_BYTES_MAX);
        self.tail.drain(..surplus);
    }

    pub(crate) fn show(&self) -> String {
        let tail: Vec<u8> = self.tail.iter().copied().collect();
        let mut text = format!("{} bytes", self.bytes);
        if self.bytes > 0 {
            let _ = write!(text, ": \"{}", self.head.escape_ascii());
            if self.bytes > (self.head.len() + tail.len()) as u64 {
                text.push_str("\" … \"");
            }
            let _ = write!(text, "{}\"", tail.escape_ascii());
        }
        text
    }
}

/// Formats bytes for a failure: escaped, and abbreviated if they are long.
pub(crate) fn show(bytes: &[u8]) -> String {
    let mut transcript = Transcript::default();
    transcript.add(bytes);
    transcript.show()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transcript_is_escaped_and_keeps_beginning_end_and_length() {
        assert_eq!(show(b""), "0 bytes");
        assert_eq!(show(b"30\n\xff\0"), r#"5 bytes: "30\n\xff\x00""#);
        let long = [vec![b'a'; 500], vec![b'z'; 500]].concat();
        let text = show(&long);
        assert!(text.starts_with("1000 bytes: \"aaa"), "{text}");
        assert!(text.contains("a\" … \"z"), "{text}");
        assert!(text.len() < 300, "{text}");
    }

    #[test]
    fn a_transcript_does_not_depend_on_how_the_bytes_were_split() {
        let bytes: Vec<u8> = (0..=255).cycle().take(1000).collect();
        let mut transcript = Transcript::default();
        bytes.chunks(7).for_each(|chunk| transcript.add(chunk));
        assert_eq!(transcript.show(), show(&bytes));
    }
}
