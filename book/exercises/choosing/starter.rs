//! Does it fit? `choosing LIMIT CORES FILE` is told how many seconds a short
//! request may wait, how many cores there are, and what is asked of a server:
//! each line of FILE is a class of requests, `RATE SECONDS`, so many a second
//! that compute so long.
//!
//! For an event loop and for threads it prints whether that fits, is too much,
//! or too slow, and which share of its cores each would use. It recommends an
//! event loop to everybody. What does it overlook?

use std::{env, fs, io};

/// Requests that are alike.
struct Class {
    /// How many there are in a second.
    rate: f64,
    /// How long each computes.
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
    // A loop answers nobody while it computes. Threads are interrupted.
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

/// The class that a line tells of.
fn class(line: &str) -> Class {
    let (rate, seconds) = line.split_once(' ').expect("a line has two words");
    Class { rate: number(rate), seconds: number(seconds) }
}

fn number(word: &str) -> f64 {
    word.trim().parse().expect("expected a number")
}
