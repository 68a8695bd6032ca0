//! A task per client on tokio. A client that asks nothing is told at every
//! tick that the server is still there, so that it can hang up if it is not.
//!
//! A tick cancels the read. What the read had by then is in `line`, and so
//! `line` lives for as long as it takes to come to the end of a line.

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
    let mut line = Vec::new();
    loop {
        let read = stream.read_until(b'\n', &mut line);
        let Ok(count) = timeout(TICK, read).await else {
            stream.write_all(b"still here\n").await?;
            continue;
        };
        if count? == 0 {
            return Ok(());
        }
        let reply = answer(&line).await?;
        stream.write_all(format!("{reply}\n").as_bytes()).await?;
        line.clear();
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
