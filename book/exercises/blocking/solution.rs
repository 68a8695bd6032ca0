//! One client at a time, and a limit: when it has had its turn, the server
//! closes the connection, and the next client's turn comes.
//!
//! To close a socket in which requests lie that nobody has read is to reset
//! the connection, and a reset throws away the answers that are still on
//! their way. So the server says that no more answers follow, and then reads
//! what nobody will answer, until the client has left.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// So many requests are a turn.
const TURN: usize = 1_000;

/// So long may a client take to leave: the next one is waiting.
const LEAVE_TIME_MAX: Duration = Duration::from_secs(1);

fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).expect("usage: blocking PORT");
    let listener = TcpListener::bind(format!("127.0.0.1:{port}"))?;
    for stream in listener.incoming() {
        let stream = stream?;
        // A client that is lost is no reason to stop.
        if let Err(error) = converse(&stream).and_then(|()| part(&stream)) {
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

/// Says that no more answers follow, and waits for the client to leave. It is
/// reset only if it takes too long.
fn part(mut stream: &TcpStream) -> io::Result<()> {
    let start = Instant::now();
    stream.shutdown(Shutdown::Write)?;
    while let Some(left) = LEAVE_TIME_MAX.checked_sub(start.elapsed()) {
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut [0; 8192]) {
            Ok(1..) => {}
            Ok(0) => break,
            // It stays, and its time is over.
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
