//! Everything a server needs that isn't its concurrency model: flags, the
//! listening socket, admission, the idle timeout, stop and drain, logs.
//!
//! A server passes one function to [`run`]: `serve`, which accepts clients. It
//! passes each result of `accept` to [`Chassis::admit`], which returns what to
//! do next; an admitted [`Client`] returns what its conversation waits for.
//! That is all. No server has code for signals, drain, timeouts or limits,
//! because of one idea: *stop is end-of-file*.
//!
//! To stop the server, a housekeeping thread shuts down the listening socket,
//! so that `accept` fails, and the reading side of every connection, so that
//! `read` returns 0 once everything received has been read. A client that is
//! idle for too long has both sides of its connection shut down. So each model
//! ends a conversation by the path that it already has for a client that
//! disconnects, however it waits. See shutdown(2) and tcp(7).

mod admission;
mod arenas;
mod chassis;
mod client;
mod fd;
mod first_request;
mod flags;
mod housekeeping;
mod job;
mod limits;
mod listener;
mod log;
mod phase;
mod registry;
mod reply_slot;
mod reset;
mod thread;
mod write_now;

use std::cmp::Ordering;
use std::io;
use std::net::TcpListener;
use std::process::ExitCode;

use protocol::Framing;
use tracing::{info, warn};

pub use admission::Admission;
pub use chassis::Chassis;
pub use client::{Client, Step};
pub use flags::{Compute, Model};
pub use job::{Job, PendingJob, ReplyFuture};
pub use protocol::{Error, Reply, Request};
pub use reset::{RESET, is_reset};

/// Runs a server, from its command line to its exit code.
///
/// `serve` accepts clients until [`Admission::Stop`]. It may return then, or
/// never; its return value is kept until the last client has gone, so that a
/// runtime is not dropped while it still runs tasks. The housekeeping thread
/// ends the process:
///
/// | exit code | when |
/// | --- | --- |
/// | 0 | stopped, and every received request was answered |
/// | 1 | the server could not start, or could not continue |
/// | 2 | bad flags |
/// | 3 | stopped, but some work was cut off at the drain timeout |
/// | 128 + signal | stopped at once by a second signal |
pub fn run<T>(
    model: Model,
    serve: fn(TcpListener, &'static Chassis) -> io::Result<T>,
) -> ExitCode {
    let flags = flags::Flags::parse(&model);
    log::start(flags.log_format);
    housekeeping::exit_on_panic_until_ready();
    let served = start(&model, &flags)
        .and_then(|(listener, chassis)| Ok(serve(listener, chassis)?));
    match served {
        Ok(_kept_until_the_process_ends) => loop {
            std::thread::park();
        },
        Err(error) => phase::fail(&error.to_string()),
    }
}

/// Why a server ended without being stopped.
#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error(transparent)]
    Listen(#[from] listener::ListenError),
    #[error("cannot serve: {}", in_words(.0))]
    System(#[from] io::Error),
}

/// Describes why the server can't serve.
fn in_words(error: &io::Error) -> String {
    match error.kind() {
        // A server handles it for sockets. Otherwise, pthread_create(3) fails.
        io::ErrorKind::WouldBlock => {
            format!("cannot start a thread or a process: {error}")
        }
        _ => error.to_string(),
    }
}

fn start(
    model: &Model,
    flags: &flags::Flags,
) -> Result<(TcpListener, &'static Chassis), RunError> {
    let listener = listener::Listener::open(flags.listen)?;
    let socket = listener.socket.try_clone()?;
    let chassis = housekeeping::start(listener, model.name, flags)?;
    report_limit(flags);
    if flags.framing == Framing::Talk {
        warn!(
            "--framing talk takes each read for one request: this is right \
             only for clients that send one request at a time, over loopback"
        );
    }
    Ok((socket, chassis))
}

/// Logs which limit bounds the number of clients, if not `--max-connections`.
fn report_limit(flags: &flags::Flags) {
    let flags::Flags { connections_max, bound, .. } = flags;
    let clients = bound.clients;
    match (*connections_max as u64).cmp(&clients) {
        Ordering::Less => {}
        Ordering::Equal => {
            info!("the number of clients is limited to {clients}: {bound}");
        }
        Ordering::Greater => warn!(
            "--max-connections {connections_max} is more than this process \
             can serve ({clients}); raise the limit on {bound}"
        ),
    }
}
