//! A task per client on tokio. A client that asks nothing is told at every
//! tick that the server is still there, so that it can hang up if it is not.
//!
//! It works for whoever sends a line at once. What is wrong with it?
//! `cargo run -p check -- tokio` says what happens; why it does, you find
//! here.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::task;
use tokio::time::timeout;

/// How long a client hears nothing.
const TICK: Duration = Duration::from_millis(200);

fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).expect("usage: tokio PORT");
    Runtime::new()?.block_on(serve(&port))
}

/// Accepts clients, and gives each a task.
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
    loop {
        let mut line = Vec::new();
        let read = stream.read_until(b'\n', &mut line);
        let Ok(result) = timeout(TICK, read).await else {
            stream.write_all(b"still here\n").await?;
            continue;
        };
        result?;
        if !line.ends_with(b"\n") {
            return Ok(()); // It has left, and what is unfinished is dropped.
        }
        let reply = answer(&line).await?;
        stream.write_all(format!("{reply}\n").as_bytes()).await?;
    }
}

/// The reply to a line. A thread that may block computes it, so that none
/// that runs tasks has to.
async fn answer(line: &[u8]) -> io::Result<String> {
    Ok(match String::from_utf8_lossy(line).trim_end().parse() {
        Ok(n) if n <= protocol::N_MAX => {
            task::spawn_blocking(move || protocol::fib(n)).await?.to_string()
        }
        _ => "error: not-a-number".to_owned(),
    })
}
