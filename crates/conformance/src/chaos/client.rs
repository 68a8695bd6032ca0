//! A client of a chaos play: it never waits, and checks each reply.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use rustix::event::PollFlags;
use rustix::net::{SendFlags, send};
use socket2::SockRef;

use super::plan::{LONG_LINE_BYTES, Request};
use crate::case::{CaseFailure, CaseResult};
use crate::client::{Transcript, connect_with_window, show};
use crate::reply::{ExpectedReply, SERVER_FULL, TIMED_OUT, WORKER_LOST};

/// The window of a client that the server can send little to.
const SMALL_WINDOW: usize = 4 * 1024;

/// A reply is shorter than this.
const REPLY_BYTES_MAX: usize = 4 * 1024;

/// What may happen to a client although it does nothing wrong.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Excuses {
    /// The server may refuse it.
    pub(super) is_full: bool,
    /// Its jobs may take too long for the server's limit.
    pub(super) jobs_time_out: bool,
    /// Its jobs may be lost with a worker.
    pub(super) workers_fail: bool,
    /// The server may close the connection.
    pub(super) is_stopping: bool,
}

/// A connected client.
pub(super) struct ChaosClient {
    stream: TcpStream,
    /// The replies that must arrive, each with how many times.
    expected: VecDeque<(ExpectedReply, usize)>,
    replies: u64,
    outbox: Vec<u8>,
    inbox: Vec<u8>,
    unfinished: Option<Unfinished>,
    is_reading: bool,
    /// Half-close when everything is sent.
    must_half_close: bool,
    has_half_closed: bool,
    has_sent_urgent: bool,
    /// The connection has ended: closed, reset or refused by the server.
    has_ended: bool,
    /// It has ended with RST, which discards what is under way.
    was_reset: bool,
    sent: Transcript,
    received: Transcript,
}

/// The last line, if it isn't sent completely.
struct Unfinished {
    rest: Vec<u8>,
    bytes_sent: usize,
}

impl ChaosClient {
    pub(super) fn connect(
        server: SocketAddr,
        small_window: bool,
        patience: Duration,
    ) -> io::Result<ChaosClient> {
        let stream = if small_window {
            connect_with_window(server, patience, SMALL_WINDOW)?
        } else {
            TcpStream::connect_timeout(&server, patience)?
        };
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(ChaosClient {
            stream,
            expected: VecDeque::new(),
            replies: 0,
            outbox: Vec::new(),
            inbox: Vec::new(),
            unfinished: None,
            is_reading: true,
            must_half_close: false,
            has_half_closed: false,
            has_sent_urgent: false,
            has_ended: false,
            was_reset: false,
            sent: Transcript::default(),
            received: Transcript::default(),
        })
    }

    pub(super) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Checks that the last reply before end-of-file is a whole line.
    pub(super) fn expect_no_torn_line(&self) -> CaseResult {
        if self.inbox.is_empty() || self.was_reset {
            return Ok(());
        }
        let got = format!("end-of-file after {}", show(&self.inbox));
        Err(self.failure("whole lines", &got))
    }

    pub(super) fn replies(&self) -> u64 {
        self.replies
    }

    pub(super) fn set_reading(&mut self, is_reading: bool) {
        self.is_reading = is_reading;
    }

    /// Sends requests after the rest of the last line, but for the last
    /// `held_back` bytes. Does nothing after a half-close.
    pub(super) fn send(
        &mut self,
        requests: &[(Request, usize)],
        held_back: usize,
    ) {
        if self.must_half_close {
            return;
        }
        self.finish_line();
        let mut last_line = 0;
        for &(request, count) in requests {
            let line = request.line();
            last_line = line.len();
            self.outbox.extend(line.repeat(count));
            self.expect(request.reply(), count);
        }
        if held_back > 0 {
            let end = self.outbox.len() - held_back;
            let rest = self.outbox.split_off(end);
            let bytes_sent = last_line - held_back;
            self.unfinished = Some(Unfinished { rest, bytes_sent });
        }
    }

    pub(super) fn finish_line(&mut self) {
        if let Some(unfinished) = self.unfinished.take() {
            self.outbox.extend(unfinished.rest);
        }
    }

    fn expect(&mut self, reply: ExpectedReply, count: usize) {
        match self.expected.back_mut() {
            Some((last, times)) if *last == reply => *times += count,
            _ => self.expected.push_back((reply, count)),
        }
    }

    /// Ends the output, once everything is sent. An unfinished line gets no
    /// reply, unless it is already too long.
    pub(super) fn half_close(&mut self) -> CaseResult {
        if self.must_half_close {
            return Ok(());
        }
        self.must_half_close = true;
        let unfinished = self.unfinished.take();
        if unfinished.is_some_and(|line| line.bytes_sent < LONG_LINE_BYTES) {
            match self.expected.back_mut() {
                Some((_, count)) if *count > 1 => *count -= 1,
                Some(_) => _ = self.expected.pop_back(),
                None => {
                    let got = "a reply to an unfinished line";
                    return Err(self.failure("no reply", got));
                }
            }
        }
        Ok(())
    }

    /// Closes the connection with RST.
    pub(super) fn reset(self) {
        // Fails only if the connection has already ended.
        let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }

    /// Sends a byte as urgent data, which is no part of the stream. Only one:
    /// Linux moves the byte into the stream when the next one arrives first.
    pub(super) fn send_urgent(&mut self) {
        if self.outbox.is_empty()
            && !self.must_half_close
            && !self.has_sent_urgent
        {
            self.has_sent_urgent = true;
            // Fails if the connection has ended, or has no room.
            let _ = send(&self.stream, b"!", SendFlags::OOB);
        }
    }

    /// Returns the descriptor and the readiness to wait for, if any.
    pub(super) fn interest(&self) -> Option<(BorrowedFd<'_>, PollFlags)> {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, self.is_reading);
        flags.set(PollFlags::OUT, !self.outbox.is_empty());
        (!self.has_ended && !flags.is_empty())
            .then(|| (self.stream.as_fd(), flags))
    }

    /// Sends and receives as much as possible without waiting, and checks what
    /// arrives.
    pub(super) fn proceed(&mut self, excuses: Excuses) -> CaseResult {
        if self.has_ended {
            return Ok(());
        }
        self.write(excuses)?;
        if self.is_reading { self.read(excuses) } else { Ok(()) }
    }

    fn write(&mut self, excuses: Excuses) -> CaseResult {
        while !self.outbox.is_empty() {
            match self.stream.write(&self.outbox) {
                Ok(count) => {
                    self.sent.add(&self.outbox[..count]);
                    self.outbox.drain(..count);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // The reason may have arrived before that.
                Err(error) => {
                    self.read(excuses)?;
                    self.was_reset = true;
                    return self.end(&format!("sending: {error}"), excuses);
                }
            }
        }
        if self.must_half_close
            && self.outbox.is_empty()
            && !self.has_half_closed
        {
            self.has_half_closed = true;
            // Fails only if the connection has already ended.
            let _ = self.stream.shutdown(Shutdown::Write);
        }
        Ok(())
    }

    fn read(&mut self, excuses: Excuses) -> CaseResult {
        let mut piece = [0; 16 * 1024];
        while !self.has_ended {
            match self.stream.read(&mut piece) {
                Ok(0) => return self.end("end-of-file", excuses),
                Ok(count) => {
                    self.received.add(&piece[..count]);
                    self.inbox.extend_from_slice(&piece[..count]);
                    self.check_lines(excuses)?;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.was_reset = true;
                    return self.end(&format!("receiving: {error}"), excuses);
                }
            }
        }
        Ok(())
    }

    fn check_lines(&mut self, excuses: Excuses) -> CaseResult {
        let inbox = std::mem::take(&mut self.inbox);
        let mut rest = &inbox[..];
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            let (line, after) = rest.split_at(end + 1);
            self.check_line(line, excuses)?;
            rest = after;
        }
        self.inbox = rest.to_vec();
        if self.inbox.len() > REPLY_BYTES_MAX {
            return Err(self.failure("a reply", &show(&self.inbox)));
        }
        Ok(())
    }

    fn check_line(&mut self, line: &[u8], excuses: Excuses) -> CaseResult {
        let is_refusal = excuses.is_full && SERVER_FULL.matches(line);
        if is_refusal && self.replies == 0 {
            self.has_ended = true;
            return Ok(());
        }
        let Some((reply, count)) = self.expected.front_mut() else {
            return Err(self.failure("no reply", &show(line)));
        };
        let is_excused = (excuses.workers_fail && WORKER_LOST.matches(line))
            || (excuses.jobs_time_out && TIMED_OUT.matches(line));
        let is_lost = is_excused && matches!(reply, ExpectedReply::Fib(_));
        if !is_lost && !reply.matches(line) {
            let expected = reply.to_string();
            return Err(self.failure(&expected, &show(line)));
        }
        self.replies += 1;
        *count -= 1;
        if *count == 0 {
            self.expected.pop_front();
        }
        Ok(())
    }

    /// Checks whether the connection may end now, and notes that it has.
    fn end(&mut self, how: &str, excuses: Excuses) -> CaseResult {
        if self.has_ended {
            return Ok(());
        }
        self.has_ended = true;
        let is_complete = self.has_half_closed
            && self.expected.is_empty()
            && self.inbox.is_empty();
        // The line that refuses a client is lost if its requests are unread.
        let is_refused = excuses.is_full && self.replies == 0;
        if is_complete || is_refused || excuses.is_stopping {
            return Ok(());
        }
        let missing: usize = self.expected.iter().map(|(_, count)| count).sum();
        let expected = match self.expected.front() {
            Some((reply, _)) => format!("{missing} replies, first {reply}"),
            None => "an open connection".to_owned(),
        };
        Err(self.failure(&expected, how))
    }

    /// Returns a failure that shows what this client sent and received.
    pub(super) fn failure(&self, expected: &str, got: &str) -> CaseFailure {
        CaseFailure::new(format!(
            "expected {expected}\ngot      {got}\nsent     {}\nreceived {} \
             ({} replies)",
            self.sent.show(),
            self.received.show(),
            self.replies,
        ))
    }

    /// Returns a failure of a client that has waited too long.
    pub(super) fn waits(&self, time: Duration) -> CaseFailure {
        let expected = match self.expected.front() {
            Some((reply, _)) => reply.to_string(),
            None => "end-of-file".to_owned(),
        };
        self.failure(&expected, &format!("nothing within {time:?}"))
    }
}
