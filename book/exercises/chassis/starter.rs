//! A thread per client, and two signals that end it all.
//!
//! A supervisor that restarts it sends SIGTERM, and it leaves at once. What is
//! wrong with that? `cargo run -p check -- chassis` says what happens; why it
//! does, you find here.

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
        // An end may come in the middle of a line. Half a number is none.
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
