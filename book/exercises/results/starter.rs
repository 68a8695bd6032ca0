//! Who is better? `results FILE` reads what two servers did in nine rounds,
//! the rates of A and of B in a line, and prints `A`, `B` or `tie`.
//!
//! It takes the median, so that one bad round does not count, and calls nobody
//! better who is so by less than two per cent. Yet a run on a machine that
//! slowed down half-way has just named the wrong one. How can that be?

use std::{env, fs, io};

/// Nobody is called better who is so by less: the same server, measured
/// twice, differs by as much.
const FLOOR: f64 = 0.02;

fn main() -> io::Result<()> {
    let path = env::args().nth(1).expect("usage: results FILE");
    let rounds: Vec<(f64, f64)> =
        fs::read_to_string(path)?.lines().map(round).collect();
    println!("{}", better(&rounds));
    Ok(())
}

/// The rates of A and of B in a round.
fn round(line: &str) -> (f64, f64) {
    let (a, b) = line.split_once(' ').expect("a line has two rates");
    let rate = |word: &str| word.trim().parse().expect("a rate is a number");
    (rate(a), rate(b))
}

/// Who is better, if anybody can be called so.
fn better(rounds: &[(f64, f64)]) -> &'static str {
    let a = median(rounds.iter().map(|(a, _)| *a).collect());
    let b = median(rounds.iter().map(|(_, b)| *b).collect());
    if a / b > 1.0 + FLOOR {
        "A"
    } else if b / a > 1.0 + FLOOR {
        "B"
    } else {
        "tie"
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
