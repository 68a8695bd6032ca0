//! A server with a task per client on tokio. An idle client gets a line at
//! every tick, so that it can detect a dead server.
//!
//! A tick cancels the read. `read_until` guarantees that the bytes read so far
//! are in `line`. So `line` must be kept until the end of the line arrives.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::task;
use tokio::time::timeout;

/// After how much idle time a client gets a line.
const TICK: Duration = Duration::from_millis(200);

fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).expect("usage: tokio PORT");
    Runtime::new()?.block_on(serve(&port))
}

/// Accepts clients, and spawns a task for each.
async fn serve(port: &str) -> io::Result<()> {
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        task::spawn(converse(stream));
    }
}

/// Answers one client until it leaves.
async fn converse(stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    loop {
        let read = stream.read_until(b'\n', &mut line);
        let Ok(result) = timeout(TICK, read).await else {
            stream.write_all(b"still here\n").await?;
            continue;
        };
        result?;
        if !line.ends_with(b"\n") {
            return Ok(()); // End-of-file: ignore an unfinished line.
        }
        let reply = answer(&line).await?;
        stream.write_all(format!("{reply}\n").as_bytes()).await?;
        line.clear();
    }
}

/// Returns the reply to a line. A thread for blocking work computes it, so that
/// the threads that run tasks stay free.
async fn answer(line: &[u8]) -> io::Result<String> {
    Ok(match String::from_utf8_lossy(line).trim_end().parse() {
        Ok(n) if n <= protocol::N_MAX => {
            task::spawn_blocking(move || protocol::fib(n)).await?.to_string()
        }
        _ => "error: not-a-number".to_owned(),
    })
}
