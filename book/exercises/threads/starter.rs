//! A server with a thread per client. The threads share a memo, so that a
//! number that was computed once isn't computed again.
//!
//! What is wrong with it? `cargo run -p check -- threads` reports what happens.
//! Find out why.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// The numbers computed so far.
static MEMO: Mutex<Option<HashMap<u8, u64>>> = Mutex::new(None);

fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).expect("usage: threads PORT");
    let listener = TcpListener::bind(format!("127.0.0.1:{port}"))?;
    for stream in listener.incoming() {
        let stream = stream?;
        thread::spawn(move || converse(stream));
    }
    Ok(())
}

/// Answers one client until it leaves.
fn converse(stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    for line in BufReader::new(&stream).lines() {
        let reply = match line?.parse() {
            Ok(n) if n <= protocol::N_MAX => remembered(n).to_string(),
            _ => "error: not-a-number".to_owned(),
        };
        (&stream).write_all(format!("{reply}\n").as_bytes())?;
    }
    Ok(())
}

/// Returns F(n), from the memo if it is there.
fn remembered(n: u8) -> u64 {
    let mut memo = MEMO.lock().unwrap_or_else(PoisonError::into_inner);
    let memo = memo.get_or_insert_default();
    *memo.entry(n).or_insert_with(|| protocol::fib(n))
}
