//! Judges a claim: `claims LOW HIGH AT_LEAST AT_MOST`. LOW and HIGH are the
//! interval of a measured ratio. AT_LEAST and AT_MOST are the band that the
//! claim predicts; `-` means that the band has no such edge.
//!
//! It always reaches a verdict. Should it?

use std::env;
use std::fmt;

/// The verdict on a claim.
enum Ruling {
    Holds,
    Refuted,
}

/// An interval or a band.
struct Range {
    low: f64,
    high: f64,
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [low, high, at_least, at_most] = &arguments[..] else {
        panic!("usage: claims LOW HIGH AT_LEAST AT_MOST");
    };
    println!("{}", judge(&range(low, high), &range(at_least, at_most)));
}

/// Parses a range from its two ends.
fn range(low: &str, high: &str) -> Range {
    let end = |word: &str, if_none| match word {
        "-" => if_none,
        word => word.parse().expect("expected a number or `-`"),
    };
    Range { low: end(low, f64::NEG_INFINITY), high: end(high, f64::INFINITY) }
}

/// Compares the measured interval with a claim's band.
fn judge(measured: &Range, band: &Range) -> Ruling {
    let ratio = f64::midpoint(measured.low, measured.high);
    if band.low < ratio && ratio < band.high {
        Ruling::Holds
    } else {
        Ruling::Refuted
    }
}

impl fmt::Display for Ruling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Ruling::Holds => "holds",
            Ruling::Refuted => "refuted",
        })
    }
}
