//! The replies that the protocol requires.

use std::fmt;

/// The reply that a request must get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectedReply {
    /// The value F(n), and nothing else on the line.
    Fib(u64),
    /// An error line with this token. Any text may follow the token.
    Error(&'static str),
}

pub(crate) const NOT_A_NUMBER: ExpectedReply =
    ExpectedReply::Error("not-a-number");
pub(crate) const TOO_LARGE: ExpectedReply = ExpectedReply::Error("too-large");
pub(crate) const LINE_TOO_LONG: ExpectedReply =
    ExpectedReply::Error("line-too-long");
pub(crate) const TIMED_OUT: ExpectedReply = ExpectedReply::Error("timed-out");
pub(crate) const WORKER_LOST: ExpectedReply =
    ExpectedReply::Error("worker-lost");
pub(crate) const SERVER_FULL: ExpectedReply =
    ExpectedReply::Error("server-full");

impl ExpectedReply {
    /// Returns `true` if `line`, including its LF, is this reply.
    pub fn matches(self, line: &[u8]) -> bool {
        match self {
            ExpectedReply::Fib(n) => line == format!("{}\n", fib(n)).as_bytes(),
            ExpectedReply::Error(token) => is_error(line, token),
        }
    }
}

impl fmt::Display for ExpectedReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            ExpectedReply::Fib(n) => write!(f, "\"{}\\n\", F({n})", fib(n)),
            ExpectedReply::Error(token) => write!(f, "\"error: {token}…\\n\""),
        }
    }
}

/// Returns F(n), computed by iteration: the suite must not check a server with
/// the algorithm that the server itself uses.
pub fn fib(n: u64) -> u64 {
    let (mut this, mut next) = (0u64, 1u64);
    for _ in 0..n {
        // On the way to F(93), `next` becomes F(94), which overflows.
        (this, next) = (next, this.wrapping_add(next));
    }
    this
}

fn is_error(line: &[u8], token: &str) -> bool {
    let Some(text) = line.strip_suffix(b"\n") else { return false };
    let rest = text
        .strip_prefix(b"error: ")
        .and_then(|rest| rest.strip_prefix(token.as_bytes()));
    // A token ends at the end of the line or before a byte that can't be part
    // of a token: `too-large-indeed` is another token.
    let token_ends = match rest {
        None => false,
        Some([]) => true,
        Some([next, ..]) => !next.is_ascii_alphanumeric() && *next != b'-',
    };
    token_ends && text.iter().all(|byte| (b' '..=b'~').contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fib_is_oeis_sequence_a000045() {
        let first: Vec<u64> = (0..10).map(fib).collect();
        assert_eq!(first, [0, 1, 1, 2, 3, 5, 8, 13, 21, 34]);
        assert_eq!(fib(93), 12_200_160_415_121_876_738);
    }

    #[test]
    fn only_the_whole_line_matches_an_expected_reply() {
        for (expected, line, matches) in [
            (ExpectedReply::Fib(10), "55\n", true),
            (ExpectedReply::Fib(10), "55", false),
            (ExpectedReply::Fib(10), "055\n", false),
            (ExpectedReply::Fib(10), "55\r\n", false),
            (ExpectedReply::Fib(0), "0\n", true),
            (TOO_LARGE, "error: too-large\n", true),
            (TOO_LARGE, "error: too-large: n must be at most 45\n", true),
            (TOO_LARGE, "error: too-large-indeed\n", false),
            (TOO_LARGE, "error: not-a-number\n", false),
            (TOO_LARGE, "error: too-large\r\n", false),
        ] {
            assert_eq!(expected.matches(line.as_bytes()), matches, "{line:?}");
        }
    }
}
