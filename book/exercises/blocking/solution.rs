//! A server that serves one client at a time, for a limited number of requests.
//! Then it closes the connection, and serves the next client.
//!
//! Closing a socket that contains unread requests resets the connection, and a
//! reset discards the replies that are still on their way. So the server first
//! shuts the connection down for writing, and then reads and ignores requests
//! until the client has left.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// The number of requests in a client's turn.
const TURN: usize = 1_000;

/// How long a client may take to leave. The next one is waiting.
const LEAVE_TIME_MAX: Duration = Duration::from_secs(1);

fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).expect("usage: blocking PORT");
    let listener = TcpListener::bind(format!("127.0.0.1:{port}"))?;
    for stream in listener.incoming() {
        let stream = stream?;
        // A lost connection is no reason to stop.
        if let Err(error) = converse(&stream).and_then(|()| finish(&stream)) {
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

/// Ends the connection after the last reply, and waits until the client leaves.
/// A client that takes too long is reset.
fn finish(mut stream: &TcpStream) -> io::Result<()> {
    let start = Instant::now();
    stream.shutdown(Shutdown::Write)?;
    while let Some(left) = LEAVE_TIME_MAX.checked_sub(start.elapsed()) {
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut [0; 8192]) {
            Ok(1..) => {}
            Ok(0) => break,
            // The client has stayed too long.
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
