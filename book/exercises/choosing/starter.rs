//! Predicts whether a mix of requests fits a server: `choosing LIMIT CORES
//! FILE`. LIMIT is how many seconds a short request may wait, and CORES is the
//! number of cores. Each line of FILE is a class of requests, `RATE SECONDS`:
//! requests per second, and how long each computes.
//!
//! For an event loop and for threads, it prints whether the mix fits, is too
//! much, or is too slow, and the share of the cores that it would use. It finds
//! that an event loop fits nearly every mix. What does it overlook?

use std::{env, fs, io};

/// A class of similar requests.
struct Class {
    /// Requests per second.
    rate: f64,
    /// How long each request computes.
    seconds: f64,
}

fn main() -> io::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [limit, cores, path] = &arguments[..] else {
        panic!("usage: choosing LIMIT CORES FILE");
    };
    let text = fs::read_to_string(path)?;
    let classes: Vec<Class> = text.lines().map(class).collect();
    let rate: f64 = classes.iter().map(|class| class.rate).sum();
    let busy: f64 = classes.iter().map(|c| c.rate * c.seconds).sum();
    let (limit, cores) = (number(limit), number(cores));
    // A loop serves no other client while it computes. The scheduler interrupts
    // threads, so they don't delay each other.
    let mean = busy / rate;
    let models = [("loop", cores, mean), ("threads", cores, 0.0)];
    for (model, cores, wait) in models {
        let utilisation = busy / cores;
        let verdict = if utilisation >= 1.0 {
            "too much"
        } else if wait > limit {
            "too slow"
        } else {
            "fits"
        };
        println!("{model}: {verdict} {utilisation:.2}");
    }
    Ok(())
}

/// Parses a line of FILE.
fn class(line: &str) -> Class {
    let (rate, seconds) = line.split_once(' ').expect("expected RATE SECONDS");
    Class { rate: number(rate), seconds: number(seconds) }
}

fn number(word: &str) -> f64 {
    word.trim().parse().expect("expected a number")
}
