//! Requests, and how they are parsed and computed.

use crate::fib::fib;
use crate::reply::{Error, Reply};

/// The largest n whose Fibonacci number fits into 64 bits.
pub const N_MAX: u8 = 93;

/// The default of the largest n that a server answers: about two seconds of
/// work.
pub const N_MAX_DEFAULT: u8 = 45;

/// The smallest n whose computation takes longer than sending its reply: about
/// 10 µs.
const N_LONG: u8 = 20;

/// A client's request.
///
/// A malformed line is a request too, and its reply is an error, so that a
/// server has one path for both. A request is `Copy` and borrows nothing, so
/// that it can cross a channel, a thread, an `await` or a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// A request for the n-th Fibonacci number.
    Fib(u8),
    /// A line from which no number can be computed.
    Malformed(Error),
}

impl Request {
    /// Computes the reply on the calling thread, which takes up to seconds for
    /// n around 45.
    pub fn compute(self) -> Reply {
        match self {
            Request::Fib(n) => Reply::Value(fib(n)),
            Request::Malformed(error) => Reply::Error(error),
        }
    }

    /// Returns `true` if computing the reply takes so long, from about 10 µs to
    /// seconds, that other clients should be served before and after it.
    pub fn is_long(self) -> bool {
        matches!(self, Request::Fib(n) if n >= N_LONG)
    }

    /// Parses a line without its end.
    #[inline]
    pub(crate) fn parse(line: &[u8], n_max: u8) -> Request {
        match parse_number(line) {
            None => Request::Malformed(Error::NotANumber),
            Some(n) if n > n_max => {
                Request::Malformed(Error::TooLarge { n_max })
            }
            Some(n) => Request::Fib(n),
        }
    }
}

/// Parses digits between spaces and tabs. A number too large for a `u8` is
/// returned as `u8::MAX`, which is above every `n_max`.
#[inline]
fn parse_number(line: &[u8]) -> Option<u8> {
    let mut digits = line;
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = digits {
        digits = rest;
    }
    if digits.is_empty() {
        return None;
    }
    let mut n: u8 = 0;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        n = n.saturating_mul(10).saturating_add(digit);
    }
    Some(n)
}

const _: () = assert!(N_MAX < u8::MAX && N_MAX_DEFAULT <= N_MAX);
