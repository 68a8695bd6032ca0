//! A server with a task per client on smol. It computes on smol's threads for
//! blocking work.
//!
//! Most names are the same in both. One difference: smol cancels a task whose
//! handle is dropped, so a task without a handle must be detached.

use std::io;

use smol::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use smol::net::{TcpListener, TcpStream};
use smol::stream::StreamExt;

fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).expect("usage: async-std PORT");
    smol::block_on(serve(&port))
}

/// Accepts clients, and spawns a task for each.
async fn serve(port: &str) -> io::Result<()> {
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        smol::spawn(converse(stream)).detach();
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
            smol::unblock(move || protocol::fib(n)).await.to_string()
        }
        _ => "error: not-a-number".to_owned(),
    }
}
