use crate::buffer::{BUFFER_BYTES_MIN, Buffer};
use crate::reply::Error;
use crate::request::Request;

/// The longest request line in bytes, LF included.
pub const LINE_BYTES_MAX: usize = 64;

const _: () = assert!(BUFFER_BYTES_MIN >= 2 * LINE_BYTES_MAX);

/// How requests are told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// A request is a line.
    #[default]
    Line,
    /// A request is what one read returned, as the talk's own clients have
    /// it. Right only while one send arrives as one read.
    Talk,
}

/// Takes bytes and gives requests, however the bytes were cut on their way.
///
/// The order of calls: [`space`](Decoder::space) and
/// [`received`](Decoder::received) for each read, then
/// [`next_request`](Decoder::next_request) until it returns `None`.
#[derive(Debug)]
pub struct Decoder {
    input: Buffer,
    /// What `next_request` has not taken yet is `input[start..end]`.
    start: usize,
    end: usize,
    /// The last read brought so much that there is likely to be more.
    is_pipelined: bool,
    /// Dropping the rest of a line that was too long.
    skipping: bool,
    framing: Framing,
    n_max: u8,
}

impl Decoder {
    /// A decoder for one connection, which takes no n above `n_max`.
    pub fn new(framing: Framing, n_max: u8) -> Decoder {
        Decoder {
            input: Buffer::new(),
            start: 0,
            end: 0,
            is_pipelined: false,
            skipping: false,
            framing,
            n_max,
        }
    }

    /// Where the next bytes go. It is never empty once `next_request` has
    /// returned `None`: what is left then is less than a line.
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
    /// If `count` is more than there was space for.
    #[inline]
    pub fn received(&mut self, count: usize) {
        assert!(count <= self.input.len() - self.end);
        self.end += count;
        self.is_pipelined =
            self.end == self.input.len() || count >= BUFFER_BYTES_MIN;
    }

    /// Whether its client sends more at a time than the small buffer takes.
    #[inline]
    pub(crate) fn is_pipelined(&self) -> bool {
        self.is_pipelined
    }

    /// The next complete request, or `None` if more bytes are needed.
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
        if self.skipping && !self.skip_line() {
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
                self.skipping = true;
                Some(Request::Malformed(Error::LineTooLong))
            }
            None => None,
        }
    }

    /// Drops input up to the next LF; `false` if there was none yet.
    fn skip_line(&mut self) -> bool {
        let pending = &self.input[self.start..self.end];
        let line_end = pending.iter().position(|&byte| byte == b'\n');
        self.start = line_end.map_or(self.end, |at| self.start + at + 1);
        self.skipping = line_end.is_none();
        !self.skipping
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
