//! A client that speaks raw bytes and remembers what was said.

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

use crate::answer::{Answer, SERVER_FULL};
use crate::case::{Fault, Verdict, until};

/// No reply is longer; a line that doesn't end is not read for ever.
const LINE_BYTES_MAX: usize = 4096;

/// How much of the beginning and of the end of a transcript is kept.
const RECORD_BYTES_MAX: usize = 120;

/// A connection to a server, with a record of what passed, which its failures
/// show.
pub struct Client {
    stream: TcpStream,
    local: SocketAddr,
    server: SocketAddr,
    /// How long it waits for bytes that must come.
    patience: Duration,
    sent: Record,
    received: Record,
    /// Received, but not yet part of a line that was asked for.
    unread: Vec<u8>,
    taken: usize,
}

/// What comes next from the server.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// A line, its LF included.
    Line(Vec<u8>),
    /// End-of-file (FIN).
    End,
    /// The connection was reset (RST).
    Reset,
    /// Nothing, in all the time there was.
    Nothing,
}

impl Client {
    /// Connects. `patience` is how long it waits for what must come.
    ///
    /// # Errors
    ///
    /// Those of connect(2).
    pub fn connect(
        address: SocketAddr,
        patience: Duration,
    ) -> io::Result<Client> {
        let stream = TcpStream::connect_timeout(&address, patience)?;
        Client::from_stream(stream, patience)
    }

    /// A client whose kernel holds few requests and, of the replies, about
    /// `window_bytes`: what it doesn't read stays at the server.
    pub(crate) fn connect_with_window(
        address: SocketAddr,
        patience: Duration,
        window_bytes: usize,
    ) -> io::Result<Client> {
        let socket = with_window(window_bytes)?;
        socket.connect_timeout(&address.into(), patience)?;
        Client::from_stream(socket.into(), patience)
    }

    /// The same, but the server's kernel does not hold much of its replies
    /// either: room for them is made by the segment, which is 64 KiB on
    /// loopback, and is to be this here. A server is stuck sooner.
    pub(crate) fn connect_with_segments(
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
            sent: Record::default(),
            received: Record::default(),
            unread: Vec::new(),
            taken: 0,
        })
    }

    /// How long it waits for what must come.
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// Sends a line and expects its answer.
    pub fn ask(&mut self, n: u64) -> Verdict {
        self.exchange(format!("{n}\n").as_bytes(), Answer::Fib(n))
    }

    /// Sends bytes and expects one answer.
    pub fn exchange(&mut self, bytes: &[u8], answer: Answer) -> Verdict {
        self.send(bytes)?;
        self.expect(answer)
    }

    /// Sends all of the bytes, and waits until the kernel has them.
    pub fn send(&mut self, bytes: &[u8]) -> Verdict {
        self.sent.add(bytes);
        self.stream.write_all(bytes).map_err(|error| {
            let what = format!("sending failed: {error}");
            self.failure("the server to take what was sent", &what)
        })
    }

    /// Sends a byte as urgent data (MSG_OOB): the server's kernel takes it out
    /// of the stream and marks where it was; see tcp(7).
    pub(crate) fn send_urgent(&mut self, byte: u8) -> Verdict {
        self.sent.add(&[byte]);
        let sent = send(&self.stream, &[byte], SendFlags::OOB);
        sent.map(drop).map_err(|error| {
            let what = format!("sending failed: {error}");
            self.failure("the server to take urgent data", &what)
        })
    }

    /// Has the kernel acknowledge what comes next as late as it may, which is
    /// 40 ms on Linux. It forgets that after a while.
    pub(crate) fn acknowledge_late(&self) -> Verdict {
        Ok(set_tcp_quickack(&self.stream, false).map_err(io::Error::from)?)
    }

    /// Sends what the kernel takes at once, and says how much that was.
    pub fn send_some(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_nonblocking(true)?;
        let result = self.stream.write(bytes);
        self.stream.set_nonblocking(false)?;
        if let Ok(count) = result {
            self.sent.add(&bytes[..count]);
        }
        result
    }

    /// Waits until the server has read what was sent.
    pub fn until_read(&self) -> Verdict {
        if until(self.patience, || self.is_read()) {
            return Ok(());
        }
        Err(self.failure("the server to read", "it did not"))
    }

    /// Whether no byte stands in a queue of either kernel, by proc(5).
    fn is_read(&self) -> bool {
        /// A connection of the same ports may still be in TIME_WAIT.
        const ESTABLISHED: &str = "01";
        let end = |end: SocketAddr| format!(":{:04X}", end.port());
        let (client, server) = (end(self.local), end(self.server));
        let table = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
        // The bytes to send and the bytes to read, in hexadecimal.
        let queues = |local: &str, remote: &str| {
            table.lines().find_map(|line| {
                let mut words = line.split_whitespace().skip(1);
                let ours = words.next()?.ends_with(local)
                    && words.next()?.ends_with(remote)
                    && words.next()? == ESTABLISHED;
                ours.then(|| words.next()?.split_once(':')).flatten()
            })
        };
        let is_none = |hex: &str| hex.bytes().all(|digit| digit == b'0');
        queues(&client, &server).is_some_and(|(to_send, _)| is_none(to_send))
            && queues(&server, &client)
                .is_some_and(|(_, to_read)| is_none(to_read))
    }

    /// Sends requests and reads their answers at the same time, as a client
    /// with many requests in flight must.
    pub fn pump(
        &mut self,
        requests: &[u8],
        answers: impl IntoIterator<Item = Answer>,
    ) -> Verdict {
        let mut rest = requests;
        for answer in answers {
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
                            let what = format!("sending failed: {error}");
                            let expected = answer.to_string();
                            return Err(self.failure(&expected, &what));
                        }
                    }
                }
                if ready.is_empty() || ready.intersects(!PollFlags::OUT) {
                    break;
                }
            }
            self.expect(answer)?;
        }
        Ok(())
    }

    /// Takes the replies that have come by now, up to the end if that has
    /// come too. Each must be this answer. Says how many they were.
    pub(crate) fn take_all(&mut self, answer: Answer) -> Verdict<usize> {
        let mut count = 0;
        while self.has_line() || self.has_news() {
            match self.next_within(Duration::ZERO) {
                Next::Line(line) if answer.is(&line) => count += 1,
                Next::Nothing | Next::End | Next::Reset => break,
                other => {
                    let what = self.describe(&other);
                    return Err(self.failure(&answer.to_string(), &what));
                }
            }
        }
        Ok(count)
    }

    /// Asks for F(10) of a server that may be full. Whether it was answered,
    /// and not told `server-full`.
    pub(crate) fn ask_for_place(&mut self) -> Verdict<bool> {
        // It fails when the refusal was faster.
        let _ = self.send(b"10\n");
        let answer = Answer::Fib(10);
        match self.next_reply() {
            Next::Line(line) if answer.is(&line) => Ok(true),
            Next::Line(line) if SERVER_FULL.is(&line) => Ok(false),
            other => {
                let what = self.describe(&other);
                let expected = format!("{answer} or {SERVER_FULL}");
                Err(self.failure(&expected, &what))
            }
        }
    }

    /// Expects one reply line.
    pub fn expect(&mut self, answer: Answer) -> Verdict {
        match self.next_reply() {
            Next::Line(line) if answer.is(&line) => Ok(()),
            other => {
                let what = self.describe(&other);
                Err(self.failure(&answer.to_string(), &what))
            }
        }
    }

    /// Expects reply lines in this order.
    pub fn expect_all(
        &mut self,
        answers: impl IntoIterator<Item = Answer>,
    ) -> Verdict {
        answers.into_iter().try_for_each(|answer| self.expect(answer))
    }

    /// Expects end-of-file and not one byte before it.
    pub fn expect_end(&mut self) -> Verdict {
        match self.next_reply() {
            Next::End if self.is_drained() => Ok(()),
            other => {
                let what = self.describe(&other);
                Err(self.failure("end-of-file", &what))
            }
        }
    }

    /// Expects the connection to end, be it by FIN or by RST: when a client
    /// sent what the server didn't read, the kernel resets it.
    pub(crate) fn expect_closed(&mut self) -> Verdict {
        match self.next_reply() {
            Next::End | Next::Reset if self.is_drained() => Ok(()),
            other => {
                let what = self.describe(&other);
                Err(self.failure("the end of the connection", &what))
            }
        }
    }

    /// Expects that nothing comes for so long.
    pub fn expect_silence(&mut self, duration: Duration) -> Verdict {
        match self.next_within(duration) {
            Next::Nothing => Ok(()),
            other => {
                let what = self.describe(&other);
                Err(self.failure("nothing", &what))
            }
        }
    }

    /// What comes next, if it comes as long as its patience lasts.
    pub fn next_reply(&mut self) -> Next {
        self.next_within(self.patience)
    }

    /// What comes next, if it comes in that time.
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

    /// Whether a byte, an end or a reset is there to be read now.
    pub fn has_news(&self) -> bool {
        self.has_news_within(Duration::ZERO)
    }

    /// The same, if it comes in that time.
    pub fn has_news_within(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        !self.is_drained() || !self.poll(PollFlags::IN, deadline).is_empty()
    }

    /// Whether the kernel takes more requests.
    pub fn has_room_within(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        self.poll(PollFlags::OUT, deadline).contains(PollFlags::OUT)
    }

    /// Waits until the server has reset the connection, without reading.
    /// `false` when that takes longer than `timeout`.
    pub fn is_reset_within(&self, timeout: Duration) -> bool {
        let flags = self.poll(PollFlags::empty(), Instant::now() + timeout);
        flags.intersects(PollFlags::ERR | PollFlags::HUP)
    }

    /// Reads what comes, up to so many bytes, as one piece; `None` at the end
    /// of the connection.
    pub(crate) fn read_piece(&mut self, size: usize) -> Option<usize> {
        let mut piece = vec![0; size];
        let count = self.stream.read(&mut piece).ok()?;
        self.received.add(&piece[..count]);
        (count > 0).then_some(count)
    }

    /// Says that no more requests follow (FIN).
    pub fn half_close(&mut self) -> Verdict {
        self.stream.shutdown(Shutdown::Write).map_err(|error| {
            let what = format!("shutdown failed: {error}");
            self.failure("an open connection", &what)
        })
    }

    /// Leaves by RST.
    pub fn reset(self) {
        // It fails only on a socket that is already gone.
        let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }

    /// A failure that shows this client's conversation.
    pub fn failure(&self, expected: &str, got: &str) -> Fault {
        Fault::new(format!(
            "expected {expected}\ngot      {got}\nsent     {}\nreceived {}",
            self.sent.show(),
            self.received.show()
        ))
    }

    /// What came, in the words of a failure.
    pub fn describe(&self, next: &Next) -> String {
        match next {
            Next::Line(line) => show(line),
            Next::End if self.is_drained() => "end-of-file".to_owned(),
            Next::End => format!("end-of-file after {}", self.torn()),
            Next::Reset if self.is_drained() => "a reset".to_owned(),
            Next::Reset => format!("a reset after {}", self.torn()),
            Next::Nothing if self.is_drained() => "nothing in time".to_owned(),
            Next::Nothing => format!("no more in time than {}", self.torn()),
        }
    }

    /// Whether no part of a line is left over.
    pub(crate) fn is_drained(&self) -> bool {
        self.taken == self.unread.len()
    }

    fn torn(&self) -> String {
        format!("the torn line {}", show(&self.unread[self.taken..]))
    }

    fn has_line(&self) -> bool {
        self.line_end().is_some()
    }

    fn line_end(&self) -> Option<Range<usize>> {
        let unread = &self.unread[self.taken..];
        let end = unread.iter().position(|&byte| byte == b'\n')?;
        Some(self.taken..self.taken + end + 1)
    }

    fn take_line(&mut self) -> Option<Vec<u8>> {
        let whole = self.line_end().or_else(|| {
            let long = self.unread.len() - self.taken > LINE_BYTES_MAX;
            long.then_some(self.taken..self.unread.len())
        })?;
        self.taken = whole.end;
        Some(self.unread[whole].to_vec())
    }

    fn fill(&mut self) -> io::Result<usize> {
        self.unread.drain(..self.taken);
        self.taken = 0;
        let mut piece = [0; 16 * 1024];
        let count = loop {
            match self.stream.read(&mut piece) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        self.received.add(&piece[..count]);
        self.unread.extend_from_slice(&piece[..count]);
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
                // It can't fail otherwise: the fd and the timeout are valid.
                Err(error) => panic!("poll: {error}"),
            }
        }
    }
}

/// A socket whose window is small: that is agreed on when it is connected.
fn with_window(window_bytes: usize) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_recv_buffer_size(window_bytes)?;
    socket.set_send_buffer_size(64 * 1024)?;
    Ok(socket)
}

fn would_block(error: &io::Error) -> bool {
    // A read timeout of std's is EAGAIN on Linux.
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// The beginning, the end and the length of what passed in one direction.
#[derive(Default)]
struct Record {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    bytes: u64,
}

impl Record {
    fn add(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        let room = RECORD_BYTES_MAX - self.head.len();
        let (head, rest) = bytes.split_at(room.min(bytes.len()));
        self.head.extend_from_slice(head);
        let rest = &rest[rest.len().saturating_sub(RECORD_BYTES_MAX)..];
        self.tail.extend(rest);
        let surplus = self.tail.len().saturating_sub(RECORD_BYTES_MAX);
        self.tail.drain(..surplus);
    }

    fn show(&self) -> String {
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

/// Bytes as they stand in a failure: escaped, and short.
pub(crate) fn show(bytes: &[u8]) -> String {
    let mut record = Record::default();
    record.add(bytes);
    record.show()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_escaped_and_keeps_head_tail_and_length() {
        assert_eq!(show(b""), "0 bytes");
        assert_eq!(show(b"30\n\xff\0"), r#"5 bytes: "30\n\xff\x00""#);
        let long = [vec![b'a'; 500], vec![b'z'; 500]].concat();
        let text = show(&long);
        assert!(text.starts_with("1000 bytes: \"aaa"), "{text}");
        assert!(text.contains("a\" … \"z"), "{text}");
        assert!(text.len() < 300, "{text}");
    }

    #[test]
    fn what_is_added_in_pieces_reads_as_one() {
        let bytes: Vec<u8> = (0..=255).cycle().take(1000).collect();
        let mut record = Record::default();
        bytes.chunks(7).for_each(|chunk| record.add(chunk));
        assert_eq!(record.show(), show(&bytes));
    }
}
