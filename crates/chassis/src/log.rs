//! Log lines on stderr, the ready line on stdout, and messages to the service
//! manager. None of them is waited for: a reader that has stopped reading must
//! not stop the server.

use std::cell::Cell;
use std::env;
use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tracing::level_filters::LevelFilter;
use tracing::{Level, error, warn};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::flags::LogFormat;
use crate::write_now::{has_room, write_now};

/// The number of log lines that could not be written and were not yet reported.
static LOST: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// Whether this thread's last log line was lost.
    static WAS_LOST: Cell<bool> = const { Cell::new(false) };
}

/// Starts logging to stderr, at the level that `RUST_LOG` sets.
pub(crate) fn start(format: LogFormat) {
    let level = env::var("RUST_LOG").unwrap_or_default();
    let targets = match level.as_str() {
        "" => Ok(Targets::new().with_default(LevelFilter::INFO)),
        level => Targets::from_str(level),
    };
    let filter = targets.as_ref().map_or_else(
        |_| Targets::new().with_default(LevelFilter::INFO),
        Targets::clone,
    );
    let layer = fmt::layer()
        .with_writer(|| Stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false);
    let layer = match format {
        LogFormat::Text => layer.boxed(),
        LogFormat::Json => layer.json().boxed(),
    };
    tracing_subscriber::registry().with(layer.with_filter(filter)).init();
    if let Err(error) = targets {
        warn!("cannot parse RUST_LOG={level}: {error}; logging at info");
    }
}

/// Writes log lines to stderr, and counts those that it can't write. It is
/// given one line at a time.
struct Stderr;

impl Write for Stderr {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let is_lost = write_now(io::stderr(), line).is_err();
        LOST.fetch_add(u64::from(is_lost), Relaxed);
        WAS_LOST.set(is_lost);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Logs how many lines were lost, if there are any, once there is room.
pub(crate) fn report_lost() {
    if LOST.load(Relaxed) == 0 || !has_room(io::stderr()) {
        return;
    }
    let lost = LOST.swap(0, Relaxed);
    warn!("{lost} log lines could not be written");
    if WAS_LOST.get() {
        // This line itself doesn't count.
        LOST.fetch_add(lost - 1, Relaxed);
    }
}

/// Logs why the server ends, even if RUST_LOG turns error logs off.
pub(crate) fn fatal(reason: &str) {
    if tracing::enabled!(Level::ERROR) {
        error!("{reason}");
    } else {
        let line = format!("error: {reason}\n");
        let _ = write_now(io::stderr(), line.as_bytes());
    }
}

/// Prints the ready line to stdout. Returns `false` if it has no room. Clients
/// can be served even if its reader has gone.
pub(crate) fn print_ready(address: SocketAddr, model: &str) -> bool {
    let line = format!("listening on {address} ({model})\n");
    let printed = write_now(io::stdout(), line.as_bytes());
    !printed.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

/// Sends a state, such as `READY=1`, to the service manager, if there is one;
/// see sd_notify(3). Returns `false` if its queue is full.
pub(crate) fn notify_service_manager(state: &str) -> bool {
    let sent = send_to_service_manager(state);
    let is_full = |error: &io::Error| error.kind() == io::ErrorKind::WouldBlock;
    if sent.as_ref().is_err_and(is_full) {
        return false;
    }
    if let Err(error) = sent {
        warn!("cannot notify the service manager (NOTIFY_SOCKET): {error}");
    }
    true
}

fn send_to_service_manager(state: &str) -> io::Result<()> {
    let Some(name) = env::var_os("NOTIFY_SOCKET") else { return Ok(()) };
    let address = match name.as_bytes().strip_prefix(b"@") {
        Some(name) => net::SocketAddr::from_abstract_name(name),
        None => net::SocketAddr::from_pathname(&name),
    };
    let socket = net::UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.send_to_addr(state.as_bytes(), &address?)?;
    Ok(())
}
