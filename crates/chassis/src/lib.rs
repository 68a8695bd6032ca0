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
mod chassis;
mod client;
mod fd;
mod flags;
mod housekeeping;
mod job;
mod listener;
mod log;
mod registry;
mod reply_slot;
mod reset;
mod thread;

use std::io;
use std::net::TcpListener;
use std::process::ExitCode;

use tracing::{Level, error};

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
    let served = start(&model, &flags)
        .and_then(|(listener, chassis)| Ok(serve(listener, chassis)?));
    match served {
        Ok(_kept_until_the_process_ends) => loop {
            std::thread::park();
        },
        Err(error) => {
            // The reason is printed even if RUST_LOG turns error logs off.
            if tracing::enabled!(Level::ERROR) {
                error!("{error}");
            } else {
                eprintln!("error: {error}");
            }
            ExitCode::FAILURE
        }
    }
}

/// Why a server ended without being stopped.
#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error(transparent)]
    Listen(#[from] listener::ListenError),
    #[error("cannot serve: {0}")]
    System(#[from] io::Error),
}

fn start(
    model: &Model,
    flags: &flags::Flags,
) -> Result<(TcpListener, &'static Chassis), RunError> {
    let listener = listener::Listener::open(flags.listen)?;
    let address = listener.socket.local_addr()?;
    let socket = listener.socket.try_clone()?;
    let chassis = housekeeping::start(listener, flags)?;
    log::ready(address, model.name, flags.framing);
    Ok((socket, chassis))
}
