//! A thread per client, and a line per request, however it comes.
//!
//! A read brings bytes. Where a request ends, only its line feed says: what
//! stands before the last one is answered, and what stands behind it is kept,
//! for the next read to go on with.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

/// So much is read at a time, and so long may a line be.
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
    // The beginning of a line, whose end has not come yet.
    let mut kept = 0;
    loop {
        if kept == buffer.len() {
            // A line that is too long is no number, however it goes on. One
            // byte that is none stands for it until its end comes.
            buffer[0] = b'x';
            kept = 1;
        }
        let count = stream.read(&mut buffer[kept..])?;
        if count == 0 {
            return Ok(());
        }
        let received = kept + count;
        let mut start = 0;
        while let Some(length) = line(&buffer[start..received]) {
            let end = start + length;
            stream.write_all(reply(&buffer[start..end]).as_bytes())?;
            start = end;
        }
        buffer.copy_within(start..received, 0);
        kept = received - start;
    }
}

/// The length of the first line in there, if it is whole.
fn line(bytes: &[u8]) -> Option<usize> {
    let end = bytes.iter().position(|&byte| byte == b'\n')?;
    Some(end + 1)
}

/// The reply to a request, with or without the end of its line.
fn reply(request: &[u8]) -> String {
    let text = str::from_utf8(request).unwrap_or_default();
    match text.trim_ascii_end().parse() {
        Ok(n) if n <= protocol::N_MAX => format!("{}\n", protocol::fib(n)),
        _ => NOT_A_NUMBER.to_owned(),
    }
}
