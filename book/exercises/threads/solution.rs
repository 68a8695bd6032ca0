//! A thread per client, and a memo that they share: what was computed once is
//! not computed again.
//!
//! The lock is held to find a number's place, and given back before anything
//! is computed. Who comes to a place that somebody fills waits there, and
//! nowhere else.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;

/// A place for an answer, which is computed by whoever comes first.
type Place = Arc<OnceLock<u64>>;

/// The answers that are known or on their way.
static MEMO: Mutex<Option<HashMap<u8, Place>>> = Mutex::new(None);

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

/// F(n), from the memo if it is there.
fn remembered(n: u8) -> u64 {
    *place(n).get_or_init(|| protocol::fib(n))
}

/// Where F(n) belongs.
fn place(n: u8) -> Place {
    let mut memo = MEMO.lock().unwrap_or_else(PoisonError::into_inner);
    let memo = memo.get_or_insert_default();
    Arc::clone(memo.entry(n).or_default())
}
