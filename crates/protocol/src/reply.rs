/// The longest reply in bytes, LF included.
pub const REPLY_BYTES_MAX: usize = 64;

/// The answer to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A Fibonacci number.
    Value(u64),
    /// Why there is none.
    Error(Error),
}

/// Why a request has no number for an answer.
///
/// As text, the first word is a stable token that clients can rely on; what
/// follows is for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The line is not a plain decimal number.
    NotANumber,
    /// n is above what this server answers.
    TooLarge {
        /// The largest n that it answers.
        n_max: u8,
    },
    /// The line has 64 bytes or more and no end among them.
    LineTooLong,
    /// The server holds as many connections as it may; this one is closed.
    ServerFull,
    /// The job ran past its time and was stopped.
    TimedOut,
    /// The worker that held the job died.
    WorkerLost,
}

impl Reply {
    /// Writes the reply, LF-terminated, to the start of `space` and returns
    /// its length in bytes.
    ///
    /// # Panics
    ///
    /// If `space` has fewer than [`REPLY_BYTES_MAX`] bytes.
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
    /// The stable token that names the error on the wire.
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

/// Puts `text` at `start`; returns where it ends.
#[inline]
fn put(space: &mut [u8], start: usize, text: &str) -> usize {
    let end = start + text.len();
    space[start..end].copy_from_slice(text.as_bytes());
    end
}
