//! A server with a thread per client. The threads share a memo, so that a
//! number that was computed once isn't computed again.
//!
//! A thread locks the memo to find the number's slot, and unlocks it before it
//! computes. Another thread that needs the same number waits for that slot, and
//! for nothing else.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;

/// A slot for a number. The first thread that needs the number computes it.
type Slot = Arc<OnceLock<u64>>;

/// The numbers that have been computed or are being computed.
static MEMO: Mutex<Option<HashMap<u8, Slot>>> = Mutex::new(None);

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
    *slot(n).get_or_init(|| protocol::fib(n))
}

/// Returns the slot of F(n).
fn slot(n: u8) -> Slot {
    let mut memo = MEMO.lock().unwrap_or_else(PoisonError::into_inner);
    let memo = memo.get_or_insert_default();
    Arc::clone(memo.entry(n).or_default())
}
