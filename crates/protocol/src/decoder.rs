//! Splits received bytes into requests.

use crate::buffer::{BUFFER_BYTES_MIN, Buffer};
use crate::reply::Error;
use crate::request::Request;

/// The longest request line in bytes, LF included.
pub const LINE_BYTES_MAX: usize = 64;

const _: () = assert!(BUFFER_BYTES_MIN >= 2 * LINE_BYTES_MAX);

/// How received bytes are divided into requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// A request is a line.
    #[default]
    Line,
    /// A request is the result of one read, as the talk's own clients assume.
    /// This is right only as long as each send arrives as one read.
    Talk,
}

/// Decodes requests from bytes, however TCP has split the bytes.
///
/// For each read, call [`space`](Decoder::space) and
/// [`received`](Decoder::received), then
/// [`next_request`](Decoder::next_request) until it returns `None`.
#[derive(Debug)]
pub struct Decoder {
    input: Buffer,
    /// The bytes that are not decoded yet are `input[start..end]`.
    start: usize,
    end: usize,
    /// Whether the last read returned so much that more input is likely.
    is_pipelined: bool,
    /// Whether the rest of a line that was too long is being dropped.
    is_skipping: bool,
    framing: Framing,
    n_max: u8,
}

impl Decoder {
    /// Creates the decoder of one connection, which accepts no n above `n_max`.
    pub fn new(framing: Framing, n_max: u8) -> Decoder {
        Decoder {
            input: Buffer::new(),
            start: 0,
            end: 0,
            is_pipelined: false,
            is_skipping: false,
            framing,
            n_max,
        }
    }

    /// Returns the space for the next read. It is never empty once
    /// `next_request` has returned `None`: less than a line is left then.
    #[inline]
    pub fn space(&mut self) -> &mut [u8] {
        if self.start < self.end {
            self.input.copy_within(self.start..self.end, 0);
        }
        self.end -= self.start;
        self.start = 0;
        self.input.make_large(self.is_pipelined);
        &mut self.input[self.end..]
    }

    /// Takes the first `count` bytes of [`space`](Decoder::space) as input.
    ///
    /// # Panics
    ///
    /// Panics if `count` is larger than the space.
    #[inline]
    pub fn received(&mut self, count: usize) {
        assert!(count <= self.input.len() - self.end);
        self.end += count;
        self.is_pipelined =
            self.end == self.input.len() || count >= BUFFER_BYTES_MIN;
    }

    /// Returns `true` if the client sends more at a time than fits into the
    /// small buffer.
    #[inline]
    pub(crate) fn is_pipelined(&self) -> bool {
        self.is_pipelined
    }

    /// Returns the next complete request, or `None` if more bytes are needed.
    #[inline]
    pub fn next_request(&mut self) -> Option<Request> {
        if self.start == self.end {
            return None;
        }
        match self.framing {
            Framing::Line => self.next_line(),
            Framing::Talk => Some(self.whole_read()),
        }
    }

    #[inline]
    fn next_line(&mut self) -> Option<Request> {
        if self.is_skipping && !self.skip_line() {
            return None;
        }
        let pending = &self.input[self.start..self.end];
        let line = &pending[..pending.len().min(LINE_BYTES_MAX)];
        match line.iter().position(|&byte| byte == b'\n') {
            Some(length) => {
                self.start += length + 1;
                let line = &line[..length];
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                Some(Request::parse(line, self.n_max))
            }
            None if line.len() == LINE_BYTES_MAX => {
                self.start += LINE_BYTES_MAX;
                self.is_skipping = true;
                Some(Request::Malformed(Error::LineTooLong))
            }
            None => None,
        }
    }

    /// Drops input up to the next LF. Returns `false` if there was none yet.
    fn skip_line(&mut self) -> bool {
        let pending = &self.input[self.start..self.end];
        let line_end = pending.iter().position(|&byte| byte == b'\n');
        self.start = line_end.map_or(self.end, |at| self.start + at + 1);
        self.is_skipping = line_end.is_none();
        !self.is_skipping
    }

    fn whole_read(&mut self) -> Request {
        let read = &self.input[self.start..self.end];
        self.start = self.end;
        if read.len() > LINE_BYTES_MAX {
            Request::Malformed(Error::LineTooLong)
        } else {
            Request::parse(read.trim_ascii(), self.n_max)
        }
    }
}
