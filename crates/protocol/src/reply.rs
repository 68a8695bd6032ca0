//! Replies, and how they are written as lines.

/// The longest reply in bytes, LF included.
pub const REPLY_BYTES_MAX: usize = 64;

/// The reply to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A Fibonacci number.
    Value(u64),
    /// The reason why there is no number.
    Error(Error),
}

/// Why the reply to a request is not a number.
///
/// In the reply line, the first word after `error: ` is a stable token on
/// which clients can rely; the text after it is for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The line is not a plain decimal number.
    NotANumber,
    /// n is above the limit of this server.
    TooLarge {
        /// The largest n that the server answers.
        n_max: u8,
    },
    /// The first 64 bytes of the line contain no LF.
    LineTooLong,
    /// The server has as many connections as it may have; this one is closed.
    ServerFull,
    /// The job took longer than `--job-timeout` and was stopped.
    TimedOut,
    /// The worker that ran the job died.
    WorkerLost,
}

impl Reply {
    /// Writes the reply, LF-terminated, to the start of `space` and returns
    /// its length in bytes.
    ///
    /// # Panics
    ///
    /// Panics if `space` has fewer than [`REPLY_BYTES_MAX`] bytes.
    #[inline]
    pub fn encode(self, space: &mut [u8]) -> usize {
        let space = &mut space[..REPLY_BYTES_MAX];
        match self {
            Reply::Value(value) => {
                let end = put(space, 0, itoa::Buffer::new().format(value));
                put(space, end, "\n")
            }
            Reply::Error(error) => put_error(space, error),
        }
    }
}

impl Error {
    /// Returns the stable token that names the error on the wire.
    pub fn token(self) -> &'static str {
        match self {
            Error::NotANumber => "not-a-number",
            Error::TooLarge { .. } => "too-large",
            Error::LineTooLong => "line-too-long",
            Error::ServerFull => "server-full",
            Error::TimedOut => "timed-out",
            Error::WorkerLost => "worker-lost",
        }
    }
}

#[cold]
fn put_error(space: &mut [u8], error: Error) -> usize {
    let end = put(space, 0, "error: ");
    let mut end = put(space, end, error.token());
    if let Error::TooLarge { n_max } = error {
        end = put(space, end, ": n must be at most ");
        end = put(space, end, itoa::Buffer::new().format(n_max));
    }
    put(space, end, "\n")
}

/// Copies `text` to `start` and returns where it ends.
#[inline]
fn put(space: &mut [u8], start: usize, text: &str) -> usize {
    let end = start + text.len();
    space[start..end].copy_from_slice(text.as_bytes());
    end
}
