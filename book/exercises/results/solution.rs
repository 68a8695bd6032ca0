//! Who is better? `results FILE` reads what two servers did in nine rounds,
//! the rates of A and of B in a line, and prints `A`, `B` or `tie`.
//!
//! The two are compared within each round, where the machine was the same for
//! both. Somebody is better if the median of these ratios says so by more than
//! two per cent, and their interval leaves no doubt.

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
    let times = Estimate::of(rounds.iter().map(|(a, b)| a / b).collect());
    if times.low > 1.0 && times.median > 1.0 + FLOOR {
        "A"
    } else if times.high < 1.0 && 1.0 / times.median > 1.0 + FLOOR {
        "B"
    } else {
        "tie"
    }
}

/// A median, and the interval that the true one is likely to lie in.
struct Estimate {
    low: f64,
    median: f64,
    high: f64,
}

impl Estimate {
    /// Leaves out the outermost two of nine values: between the others lies
    /// the true median in 96 of 100 cases.
    fn of(mut values: Vec<f64>) -> Estimate {
        values.sort_by(f64::total_cmp);
        let [_, low, _, _, median, _, _, high, _] = values[..] else {
            panic!("expected nine rounds");
        };
        Estimate { low, median, high }
    }
}
