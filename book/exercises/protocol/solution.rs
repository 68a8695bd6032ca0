//! A server with a thread per client, which finds the lines in what it reads.
//!
//! A read returns bytes; only a line feed marks the end of a request. The
//! server answers all lines up to the last line feed. It keeps the bytes after
//! it, and the next read continues them.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

/// The most bytes that one read returns, and the most that are kept of a line.
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
    // How many bytes of an unfinished line are at the start of the buffer.
    let mut kept = 0;
    loop {
        if kept == buffer.len() {
            // A line that is too long isn't a number, however it continues.
            // Until it ends, one byte that isn't a digit stands for it.
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

/// Returns the length of the first line, line feed included, if it is complete.
fn line(bytes: &[u8]) -> Option<usize> {
    let end = bytes.iter().position(|&byte| byte == b'\n')?;
    Some(end + 1)
}

/// Returns the reply to a request, which may end in a line feed.
fn reply(request: &[u8]) -> String {
    let text = str::from_utf8(request).unwrap_or_default();
    match text.trim_ascii_end().parse() {
        Ok(n) if n <= protocol::N_MAX => format!("{}\n", protocol::fib(n)),
        _ => NOT_A_NUMBER.to_owned(),
    }
}
