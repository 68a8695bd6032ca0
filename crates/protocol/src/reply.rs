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
                let mut digits = itoa::Buffer::new();
                put_line(space, &["", digits.format(value)])
            }
            Reply::Error(Error::TooLarge { n_max }) => {
                let mut digits = itoa::Buffer::new();
                let n_max = digits.format(n_max);
                put_line(
                    space,
                    &["error: too-large: n must be at most ", n_max],
                )
            }
            Reply::Error(error) => put_line(space, &["error: ", error.token()]),
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

#[inline]
fn put_line(space: &mut [u8], parts: &[&str; 2]) -> usize {
    let mut end = 0;
    for part in parts {
        space[end..end + part.len()].copy_from_slice(part.as_bytes());
        end += part.len();
    }
    space[end] = b'\n';
    end + 1
}
