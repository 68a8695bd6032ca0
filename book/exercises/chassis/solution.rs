//! A server with a thread per client, which SIGINT and SIGTERM stop.
//!
//! Stop is end-of-file. The signal shuts down the listener, so that `accept`
//! fails, and then each client's socket for reading. A thread that waits for a
//! request reads end-of-file, as if its client had left. A thread that computes
//! reads it after its reply. The server exits when the last thread has ended,
//! or at a second signal.

use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process;
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use socket2::SockRef;

/// How long to wait after `accept` has failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).expect("usage: chassis PORT");
    let listener = TcpListener::bind(format!("127.0.0.1:{port}"))?;
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let listening = listener.try_clone()?;
    thread::spawn(move || {
        let mut signals = signals.forever();
        signals.next();
        SockRef::from(&listening)
            .shutdown(Shutdown::Read)
            .expect("a listener can be shut down");
        if let Some(second) = signals.next() {
            process::exit(128 + second);
        }
    });
    let mut clients = Vec::new();
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                clients.retain(|client: &Client| !client.thread.is_finished());
                clients.push(Client::new(stream));
            }
            // The listener has been shut down.
            Err(error) if error.kind() == ErrorKind::InvalidInput => break,
            // There may be too many clients; some of them will leave.
            Err(_) => thread::sleep(ACCEPT_PAUSE),
        }
    }
    clients.iter().for_each(Client::stop);
    for client in clients {
        // The conversation is over, even if it failed.
        let _ = client.thread.join();
    }
    Ok(())
}

/// A client's thread, and its socket, by which the thread can be stopped.
struct Client {
    /// Owned by the thread. A second owner would keep the socket open after
    /// the thread has ended.
    stream: Weak<TcpStream>,
    thread: JoinHandle<io::Result<()>>,
}

impl Client {
    fn new(stream: TcpStream) -> Client {
        let stream = Arc::new(stream);
        let weak = Arc::downgrade(&stream);
        Client {
            stream: weak,
            thread: thread::spawn(move || converse(&stream)),
        }
    }

    /// Makes the thread read end-of-file after the requests that have arrived.
    fn stop(&self) {
        if let Some(stream) = self.stream.upgrade() {
            // Fails only if the client has left.
            let _ = stream.shutdown(Shutdown::Read);
        }
    }
}

/// Answers one client until it leaves.
fn converse(mut stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut input = BufReader::new(stream);
    let mut line = String::new();
    while input.read_line(&mut line)? > 0 {
        // A line that end-of-file cuts short is not a request.
        let Some(number) = line.strip_suffix('\n') else { break };
        let reply = match number.parse() {
            Ok(n) if n <= protocol::N_MAX => protocol::fib(n).to_string(),
            _ => "error: not-a-number".to_owned(),
        };
        stream.write_all(format!("{reply}\n").as_bytes())?;
        line.clear();
    }
    Ok(())
}
