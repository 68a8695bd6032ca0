//! A server with a task per client on async-std. It computes on async-std's
//! threads for blocking work.
//!
//! The server is correct, but async-std is discontinued. Port it to smol with
//! as few changed lines as you can. `cargo run -p check -- async-std` checks
//! that it still serves, and that nothing is left of async-std.

use std::io;

use async_std::io::{BufReadExt, BufReader, WriteExt};
use async_std::net::{TcpListener, TcpStream};
use async_std::stream::StreamExt;
use async_std::task;

fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).expect("usage: async-std PORT");
    task::block_on(serve(&port))
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
async fn converse(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut lines = BufReader::new(stream.clone()).lines();
    while let Some(line) = lines.next().await {
        let reply = answer(&line?).await;
        stream.write_all(format!("{reply}\n").as_bytes()).await?;
    }
    Ok(())
}

/// Returns the reply to a line. A thread for blocking work computes it, so that
/// the threads that run tasks stay free.
async fn answer(line: &str) -> String {
    match line.parse() {
        Ok(n) if n <= protocol::N_MAX => {
            task::spawn_blocking(move || protocol::fib(n)).await.to_string()
        }
        _ => "error: not-a-number".to_owned(),
    }
}
