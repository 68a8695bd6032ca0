//! Finds the faster of two servers: `results FILE`. Each line of FILE is one of
//! nine rounds, with the rates of A and of B. Prints `A`, `B` or `neither`.
//!
//! It compares medians, so that one bad round has no effect, and names neither
//! server if they differ by less than two per cent. Yet it has just named the
//! wrong one, after a run on a machine that slowed down half-way. How can that
//! happen?

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
    let a = median(rounds.iter().map(|(a, _)| *a).collect());
    let b = median(rounds.iter().map(|(_, b)| *b).collect());
    if a / b > 1.0 + MARGIN {
        "A"
    } else if b / a > 1.0 + MARGIN {
        "B"
    } else {
        "neither"
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
