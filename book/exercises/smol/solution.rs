//! A server with a task per client on smol. A client that takes longer than
//! half a second to send a line is dropped. Reading replies has no time limit.
//!
//! A time limit is a future that wraps the future that it limits. Here, it
//! wraps the whole line, however many pieces the line arrives in.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::time::Duration;

use smol::Timer;
use smol::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use smol::net::{TcpListener, TcpStream};

/// How long a client may take for a line.
const PATIENCE: Duration = Duration::from_millis(500);

fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).expect("usage: smol PORT");
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

/// Answers one client until it leaves or is dropped.
async fn converse(stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    while within(PATIENCE, read_line(&mut stream, &mut line)).await? {
        let reply = answer(&line).await;
        stream.write_all(format!("{reply}\n").as_bytes()).await?;
    }
    Ok(())
}

/// Reads a line, in as many pieces as it arrives in. Returns `false` at
/// end-of-file.
async fn read_line(
    stream: &mut BufReader<TcpStream>,
    line: &mut Vec<u8>,
) -> io::Result<bool> {
    line.clear();
    while !line.ends_with(b"\n") {
        let piece = stream.fill_buf().await?;
        let end = piece.iter().position(|&byte| byte == b'\n');
        let count = end.map_or(piece.len(), |end| end + 1);
        if count == 0 {
            return Ok(false);
        }
        line.extend_from_slice(&piece[..count]);
        stream.consume(count);
    }
    Ok(true)
}

/// Returns the output of a future, or fails if it takes longer than `time`.
async fn within<T>(
    time: Duration,
    future: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    let too_late = async {
        Timer::after(time).await;
        Err(ErrorKind::TimedOut.into())
    };
    smol::future::or(future, too_late).await
}

/// Returns the reply to a line. A thread for blocking work computes it, so that
/// the threads that run tasks stay free.
async fn answer(line: &[u8]) -> String {
    match String::from_utf8_lossy(line).trim_end().parse() {
        Ok(n) if n <= protocol::N_MAX => {
            smol::unblock(move || protocol::fib(n)).await.to_string()
        }
        _ => "error: not-a-number".to_owned(),
    }
}
