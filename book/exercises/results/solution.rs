//! Finds the faster of two servers: `results FILE`. Each line of FILE is one of
//! nine rounds, with the rates of A and of B. Prints `A`, `B` or `neither`.
//!
//! It compares the servers within each round, where the machine was the same
//! for both. A server is faster if the median of these ratios differs from 1 by
//! more than two per cent, and their interval doesn't contain 1.

use std::{env, fs, io};

/// The margin: a smaller difference doesn't matter.
const MARGIN: f64 = 0.02;

fn main() -> io::Result<()> {
    let path = env::args().nth(1).expect("usage: results FILE");
    let rounds: Vec<(f64, f64)> =
        fs::read_to_string(path)?.lines().map(round).collect();
    println!("{}", faster(&rounds));
    Ok(())
}

/// Parses the rates of A and of B in a round.
fn round(line: &str) -> (f64, f64) {
    let (a, b) = line.split_once(' ').expect("a line must have two rates");
    let rate =
        |word: &str| word.trim().parse().expect("a rate must be a number");
    (rate(a), rate(b))
}

/// Returns the faster server, or `neither`.
fn faster(rounds: &[(f64, f64)]) -> &'static str {
    let ratio = Estimate::of(rounds.iter().map(|(a, b)| a / b).collect());
    if ratio.low > 1.0 && ratio.median > 1.0 + MARGIN {
        "A"
    } else if ratio.high < 1.0 && 1.0 / ratio.median > 1.0 + MARGIN {
        "B"
    } else {
        "neither"
    }
}

/// A median, and the interval that is likely to contain the true median.
struct Estimate {
    low: f64,
    median: f64,
    high: f64,
}

impl Estimate {
    /// Estimates the median of nine values. The interval leaves out the lowest
    /// and the highest, and contains the true median in 96 of 100 cases.
    fn of(mut values: Vec<f64>) -> Estimate {
        values.sort_by(f64::total_cmp);
        let [_, low, _, _, median, _, _, high, _] = values[..] else {
            panic!("expected nine rounds");
        };
        Estimate { low, median, high }
    }
}
