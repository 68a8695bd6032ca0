use crate::fib::fib;
use crate::reply::{Error, Reply};

/// The largest n whose Fibonacci number fits into 64 bits.
pub const N_MAX: u8 = 93;

/// The largest n that a server answers unless it is told otherwise: about two
/// seconds of work.
pub const N_MAX_DEFAULT: u8 = 45;

/// The n from which computing takes longer than sending a reply: about 10 µs.
const N_SLOW: u8 = 20;

/// What a client asked for.
///
/// A malformed line is a request too, one whose answer is an error, so that a
/// server has one path for both. It is `Copy` and borrows nothing, so that it
/// crosses a channel, a thread, an `await` or a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// The Fibonacci number of this n.
    Fib(u8),
    /// Not a request that can be computed.
    Malformed(Error),
}

impl Request {
    /// Computes the answer. It takes the time that it takes: up to seconds
    /// for n around 45, on the thread that calls it.
    pub fn compute(self) -> Reply {
        match self {
            Request::Fib(n) => Reply::Value(fib(n)),
            Request::Malformed(error) => Reply::Error(error),
        }
    }

    /// Whether it takes so long to compute, from about 10 µs to seconds, that
    /// others should have their turn before and after.
    pub fn is_slow(self) -> bool {
        matches!(self, Request::Fib(n) if n >= N_SLOW)
    }

    /// The request in a line without its end.
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

/// Digits between spaces and tabs. A number too large for a `u8` comes back
/// as `u8::MAX`, which is too large for every `n_max`.
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
