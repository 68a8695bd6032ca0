//! A load generator: `measuring ADDRESS RATE SECONDS`. It requests F(1) from a
//! server RATE times per second for SECONDS, and prints how long replies took.
//!
//! It keeps its schedule and sends every request that it should. Are its
//! figures reliable? `cargo run -p check -- measuring` runs it against a server
//! that stalls for a while.

use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

fn main() -> io::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [address, rate, seconds] = &arguments[..] else {
        panic!("usage: measuring ADDRESS RATE SECONDS");
    };
    let rate: f64 = rate.parse().expect("RATE must be a number");
    let seconds: f64 = seconds.parse().expect("SECONDS must be a number");
    let gap = Duration::from_secs_f64(1.0 / rate);
    let times = measure(address, gap, (rate * seconds) as u32)?;
    for (name, share) in [("p50", 0.5), ("p90", 0.9), ("max", 1.0)] {
        let time = percentile(&times, share);
        println!("{name} {:.6}", time.as_secs_f64());
    }
    Ok(())
}

/// Sends `count` requests, one every `gap`, and returns the time that each
/// took, the shortest first.
fn measure(
    address: &str,
    gap: Duration,
    count: u32,
) -> io::Result<Vec<Duration>> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut replies = BufReader::new(&stream);
    let mut times = Vec::new();
    let start = Instant::now();
    for i in 0..count {
        let due = start + gap * i;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let sent = Instant::now();
        (&stream).write_all(b"1\n")?;
        replies.read_line(&mut String::new())?;
        times.push(sent.elapsed());
    }
    times.sort();
    Ok(times)
}

/// Returns the time within which this share of the requests was answered.
fn percentile(sorted: &[Duration], share: f64) -> Duration {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted[rank.max(1) - 1]
}
