//! A server with a fault that is known, to try the instrument on: what it
//! does wrong must come back as what it is.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use anyhow::Context;
use clap::{Args, ValueEnum};
use rustix::net::sockopt::set_socket_linger;

/// A server that keeps the protocol up to a certain request.
#[derive(Args, Debug)]
pub(crate) struct Faulty {
    /// The address to listen on
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// What goes wrong
    #[arg(long, value_enum, default_value_t = Fault::None)]
    fault: Fault,
    /// How many requests are answered rightly before
    #[arg(long, default_value_t = 0)]
    after: u64,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// The server ends before it listens.
    Start,
    /// The server ends.
    Die,
    /// No request is answered any more.
    Hang,
    /// The replies are wrong.
    Wrong,
    /// There are two replies to one request.
    Twice,
    /// The replies are errors.
    Error,
    /// The connection is closed without a reply.
    Close,
    /// The connection is reset.
    Reset,
}

impl Faulty {
    /// Serves until it is killed.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        if self.fault == Fault::Start {
            anyhow::bail!("a known fault: it does not start");
        }
        let listener = TcpListener::bind(self.listen)
            .with_context(|| format!("cannot listen on {}", self.listen))?;
        println!("listening on {} (faulty)", listener.local_addr()?);
        serve(&listener, self.fault, self.after)?;
        Ok(())
    }
}

/// Serves clients on threads. `after` requests, counted over all connections,
/// are answered rightly.
pub(crate) fn serve(
    listener: &TcpListener,
    fault: Fault,
    after: u64,
) -> io::Result<()> {
    let served = Arc::new(AtomicU64::new(0));
    for stream in listener.incoming() {
        let stream = stream?;
        let served = Arc::clone(&served);
        thread::spawn(move || converse(&stream, fault, after, &served));
    }
    Ok(())
}

fn converse(
    stream: &TcpStream,
    fault: Fault,
    after: u64,
    served: &AtomicU64,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut output = stream;
    for line in BufReader::new(stream).lines() {
        let n = line?.trim().parse().unwrap_or(0);
        let right = format!("{}\n", protocol::fib(n));
        let reply = if served.fetch_add(1, Ordering::Relaxed) < after {
            right
        } else {
            match fault {
                Fault::None | Fault::Start => right,
                Fault::Wrong => "4711\n".to_owned(),
                Fault::Twice => right.repeat(2),
                Fault::Error => "error: worker-lost: gone\n".to_owned(),
                Fault::Hang => continue,
                Fault::Close => return Ok(()),
                Fault::Reset => {
                    // Closing with a linger time of 0 sends RST.
                    let now = std::time::Duration::ZERO;
                    set_socket_linger(stream, Some(now))?;
                    return Ok(());
                }
                Fault::Die => {
                    eprintln!("a known fault: it dies");
                    process::exit(7);
                }
            }
        };
        output.write_all(reply.as_bytes())?;
    }
    Ok(())
}
