//! Log lines on stderr, the ready line on stdout, and messages to the service
//! manager.

use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::str::FromStr;

use protocol::Framing;
use sd_notify::NotifyState;
use tracing::level_filters::LevelFilter;
use tracing::warn;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::flags::LogFormat;

/// Starts logging to stderr, at the level that `RUST_LOG` sets.
pub(crate) fn start(format: LogFormat) {
    let level = std::env::var("RUST_LOG").unwrap_or_default();
    let targets = match level.as_str() {
        "" => Ok(Targets::new().with_default(LevelFilter::INFO)),
        level => Targets::from_str(level),
    };
    let filter = targets.as_ref().map_or_else(
        |_| Targets::new().with_default(LevelFilter::INFO),
        Targets::clone,
    );
    let layer = fmt::layer()
        .with_writer(io::stderr)
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

/// Reports that the server is ready: prints the ready line to stdout, and
/// sends READY=1 to the service manager.
pub(crate) fn ready(address: SocketAddr, model: &str, framing: Framing) {
    if framing == Framing::Talk {
        warn!(
            "--framing talk takes each read for one request: this is right \
             only for clients that send one request at a time, over loopback"
        );
    }
    let mut stdout = io::stdout();
    // Clients can be served even if stdout is closed.
    let _ = writeln!(stdout, "listening on {address} ({model})");
    let _ = stdout.flush();
    notify_service_manager(NotifyState::Ready);
}

/// Sends a state to the service manager, if there is one; see sd_notify(3).
pub(crate) fn notify_service_manager(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        warn!("cannot notify the service manager (NOTIFY_SOCKET): {error}");
    }
}
