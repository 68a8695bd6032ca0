//! What the protocol says that the reply to a line is.

use std::fmt;

/// The reply that a line must get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// F(n), and nothing else on the line.
    Fib(u64),
    /// An error line with this token. What follows the token is free.
    Error(&'static str),
}

pub(crate) const NOT_A_NUMBER: Answer = Answer::Error("not-a-number");
pub(crate) const TOO_LARGE: Answer = Answer::Error("too-large");
pub(crate) const LINE_TOO_LONG: Answer = Answer::Error("line-too-long");
pub(crate) const TIMED_OUT: Answer = Answer::Error("timed-out");
pub(crate) const WORKER_LOST: Answer = Answer::Error("worker-lost");
pub(crate) const SERVER_FULL: Answer = Answer::Error("server-full");

impl Answer {
    /// Whether `line`, its LF included, is this answer.
    pub fn is(self, line: &[u8]) -> bool {
        match self {
            Answer::Fib(n) => line == format!("{}\n", fib(n)).as_bytes(),
            Answer::Error(token) => is_error(line, token),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Answer::Fib(n) => write!(f, "\"{}\\n\", F({n})", fib(n)),
            Answer::Error(token) => write!(f, "\"error: {token}…\\n\""),
        }
    }
}

/// F(n) by iteration, so that the suite doesn't judge a server by the code
/// that the server itself computes with.
pub fn fib(n: u64) -> u64 {
    let (mut this, mut next) = (0u64, 1u64);
    for _ in 0..n {
        // F(94) doesn't fit, and is only computed on the way to F(93).
        (this, next) = (next, this.wrapping_add(next));
    }
    this
}

fn is_error(line: &[u8], token: &str) -> bool {
    let Some(text) = line.strip_suffix(b"\n") else { return false };
    let rest = text
        .strip_prefix(b"error: ")
        .and_then(|rest| rest.strip_prefix(token.as_bytes()));
    // A token ends where the line ends or at a byte that no token holds:
    // `too-large-indeed` is another token.
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
    fn fib_is_a000045() {
        let first: Vec<u64> = (0..10).map(fib).collect();
        assert_eq!(first, [0, 1, 1, 2, 3, 5, 8, 13, 21, 34]);
        assert_eq!(fib(93), 12_200_160_415_121_876_738);
    }

    #[test]
    fn an_answer_is_a_whole_line_and_nothing_more() {
        for (answer, line, expected) in [
            (Answer::Fib(10), "55\n", true),
            (Answer::Fib(10), "55", false),
            (Answer::Fib(10), "055\n", false),
            (Answer::Fib(10), "55\r\n", false),
            (Answer::Fib(0), "0\n", true),
            (TOO_LARGE, "error: too-large\n", true),
            (TOO_LARGE, "error: too-large: n must be at most 45\n", true),
            (TOO_LARGE, "error: too-large-indeed\n", false),
            (TOO_LARGE, "error: not-a-number\n", false),
            (TOO_LARGE, "error: too-large\r\n", false),
        ] {
            assert_eq!(answer.is(line.as_bytes()), expected, "{line:?}");
        }
    }
}
