//! A server with a thread per client, which takes each read for a request.
//!
//! It works for numbers that are typed into `nc 127.0.0.1 PORT`. What is wrong
//! with it? `cargo run -p check -- protocol` reports what happens. Find out
//! why.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

/// The most bytes that one read returns.
const BUFFER_BYTES: usize = 1024;

const NOT_A_NUMBER: &str = "error: not-a-number\n";

fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).expect("usage: protocol PORT");
    let listener = TcpListener::bind(format!("127.0.0.1:{port}"))?;
    for stream in listener.incoming() {
        let stream = stream?;
        thread::spawn(move || converse(stream));
    }
    Ok(())
}

/// Answers one client until it leaves.
fn converse(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = [0; BUFFER_BYTES];
    loop {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        stream.write_all(reply(&buffer[..count]).as_bytes())?;
    }
}

/// Returns the reply to a request, which may end in a line feed.
fn reply(request: &[u8]) -> String {
    let text = str::from_utf8(request).unwrap_or_default();
    match text.trim_ascii_end().parse() {
        Ok(n) if n <= protocol::N_MAX => format!("{}\n", protocol::fib(n)),
        _ => NOT_A_NUMBER.to_owned(),
    }
}
