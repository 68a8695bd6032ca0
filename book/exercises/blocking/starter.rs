//! One client at a time, and a limit: when it has had its turn, the server
//! closes the connection, and the next client's turn comes.
//!
//! What is wrong with it? `cargo run -p check -- blocking` says what happens;
//! why it does, you find here.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

/// So many requests are a turn.
const TURN: usize = 1_000;

fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).expect("usage: blocking PORT");
    let listener = TcpListener::bind(format!("127.0.0.1:{port}"))?;
    for stream in listener.incoming() {
        // A client that is lost is no reason to stop.
        if let Err(error) = converse(&stream?) {
            eprintln!("a client was lost: {error}");
        }
    }
    Ok(())
}

/// Answers one client until it leaves, or has had its turn.
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
