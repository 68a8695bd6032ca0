//! What every server has and no model owns: flags, the listening socket,
//! admission, the idle clock, stop and drain, logs.
//!
//! A server gives [`run`] one function, `serve`, which accepts clients. Each
//! result of `accept` goes to [`Chassis::admit`], which says what became of
//! it; an admitted [`Client`] says what its conversation waits for. That is
//! all. No server has a line about signals, drain, timeouts or limits,
//! because of one idea: *stop is end-of-file*.
//!
//! When the server is told to stop, a housekeeping thread shuts the listening
//! socket down, so that `accept` fails, and the reading side of every
//! connection, so that `read` returns 0 as soon as everything received is
//! read. A client that is idle for too long has both of its sides shut down.
//! So each model leaves by the way that it already has for a client that
//! hangs up, however it waits. See shutdown(2) and tcp(7).

mod admission;
mod answer;
mod client;
mod fd;
mod flags;
mod housekeeping;
mod job;
mod listener;
mod log;
mod registry;

use std::io;
use std::net::TcpListener;
use std::process::ExitCode;
use std::thread;

use tracing::{Level, error};

pub use admission::{Admission, Chassis};
pub use answer::{Answer, Awaited};
pub use client::{Client, Step};
pub use flags::{Compute, Model};
pub use job::{Job, RESET, is_reset};
pub use protocol::{Error, Reply, Request};

/// Runs a server, from its command line to its exit code.
///
/// `serve` accepts clients until [`Admission::Stop`]. It may return then, or
/// never; what it returns is kept until the last client has gone, so that a
/// runtime is not dropped from under its tasks. The process is ended by the
/// housekeeping thread:
///
/// | exit code | when |
/// | --- | --- |
/// | 0 | stopped, and every client was answered |
/// | 1 | it could not serve, or could not go on |
/// | 2 | bad flags |
/// | 3 | stopped, but something was cut off at the drain timeout |
/// | 128 + signal | a second signal: stopped at once |
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
            thread::park();
        },
        Err(error) => {
            // Whatever RUST_LOG says, nobody should have to guess.
            match tracing::enabled!(Level::ERROR) {
                true => error!("{error}"),
                false => eprintln!("error: {error}"),
            }
            ExitCode::FAILURE
        }
    }
}

/// A server that can't serve.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error(transparent)]
    Listen(#[from] listener::ListenError),
    #[error("cannot go on: {0}")]
    System(#[from] io::Error),
}

fn start(
    model: &Model,
    flags: &flags::Flags,
) -> Result<(TcpListener, &'static Chassis), StartError> {
    let listener = listener::Listener::open(flags.listen)?;
    let address = listener.socket.local_addr()?;
    let socket = listener.socket.try_clone()?;
    let chassis = housekeeping::start(listener, flags)?;
    log::ready(address, model.name, flags.framing);
    Ok((socket, chassis))
}
