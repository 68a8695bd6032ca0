//! A server with a thread per client, which SIGINT and SIGTERM stop.
//!
//! A supervisor that restarts the server sends SIGTERM, and the server exits at
//! once. What is wrong with that? `cargo run -p check -- chassis` reports what
//! happens. Find out why.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::{process, thread};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).expect("usage: chassis PORT");
    let listener = TcpListener::bind(format!("127.0.0.1:{port}"))?;
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    thread::spawn(move || {
        signals.forever().next();
        process::exit(0);
    });
    for stream in listener.incoming() {
        let stream = stream?;
        thread::spawn(move || converse(&stream));
    }
    Ok(())
}

/// Answers one client until it leaves.
fn converse(mut stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut input = BufReader::new(stream);
    let mut line = String::new();
    while input.read_line(&mut line)? > 0 {
        // A line that end-of-file cuts short is not a request.
        let Some(number) = line.strip_suffix('\n') else { break };
        let reply = match number.parse() {
            Ok(n) if n <= protocol::N_MAX => protocol::fib(n).to_string(),
            _ => "error: not-a-number".to_owned(),
        };
        stream.write_all(format!("{reply}\n").as_bytes())?;
        line.clear();
    }
    Ok(())
}
