//! A judge of claims: `claims LOW HIGH AT_LEAST AT_MOST` is told the interval
//! of a ratio that was measured, and the band that a claim wants it in, where
//! `-` stands for an edge that the band has not got.
//!
//! It has never been at a loss for a verdict. Should it have been?

use std::env;
use std::fmt;

/// What is said of a claim.
enum Ruling {
    Holds,
    Refuted,
}

/// From where to where.
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

/// A range that is told in two words.
fn range(low: &str, high: &str) -> Range {
    let end = |word: &str, if_none| match word {
        "-" => if_none,
        word => word.parse().expect("an end is a number, or `-`"),
    };
    Range { low: end(low, f64::NEG_INFINITY), high: end(high, f64::INFINITY) }
}

/// What can be said of a claim with this band, where this was measured.
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
