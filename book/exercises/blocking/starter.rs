//! A server that serves one client at a time, for a limited number of requests.
//! Then it closes the connection, and serves the next client.
//!
//! What is wrong with it? `cargo run -p check -- blocking` reports what
//! happens. Find out why.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

/// The number of requests in a client's turn.
const TURN: usize = 1_000;

fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).expect("usage: blocking PORT");
    let listener = TcpListener::bind(format!("127.0.0.1:{port}"))?;
    for stream in listener.incoming() {
        // A lost connection is no reason to stop.
        if let Err(error) = converse(&stream?) {
            eprintln!("lost a client: {error}");
        }
    }
    Ok(())
}

/// Answers one client until it leaves or has used up its turn.
fn converse(mut stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    for line in BufReader::new(stream).lines().take(TURN) {
        let reply = match line?.parse() {
            Ok(n) if n <= protocol::N_MAX => protocol::fib(n).to_string(),
            _ => "error: not-a-number".to_owned(),
        };
        stream.write_all(format!("{reply}\n").as_bytes())?;
    }
    Ok(())
}
