//! The state that a server's clients and the housekeeping thread share.

use std::io::Write;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::os::unix::net::UnixStream;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use protocol::Framing;

use crate::flags::{Compute, Flags};
use crate::registry::Registry;

/// A running server's limits, modes and open connections.
#[derive(Debug)]
pub struct Chassis {
    pub(crate) framing: Framing,
    pub(crate) n_max: u8,
    pub(crate) registry: Registry,
    compute: Compute,
    workers: NonZeroUsize,
    job_timeout: Option<Duration>,
    /// The address from which the server sends its first request.
    first_request: OnceLock<SocketAddr>,
    /// Whether the first client that was admitted is the server itself.
    is_first_itself: OnceLock<bool>,
    /// The address from which the server connects to itself in order to stop.
    self_connection: OnceLock<SocketAddr>,
    /// A byte written here wakes the housekeeping thread.
    housekeeping: UnixStream,
    has_failed: AtomicBool,
    /// Whether the last `accept` failed for lack of descriptors or memory.
    pub(crate) is_accept_paused: AtomicBool,
}

impl Chassis {
    pub(crate) fn new(flags: &Flags, housekeeping: UnixStream) -> Chassis {
        Chassis {
            framing: flags.framing,
            n_max: flags.n_max,
            registry: Registry::new(flags.connections_max),
            compute: flags.compute,
            workers: flags.workers,
            job_timeout: flags.job_timeout,
            first_request: OnceLock::new(),
            is_first_itself: OnceLock::new(),
            self_connection: OnceLock::new(),
            housekeeping,
            has_failed: AtomicBool::new(false),
            is_accept_paused: AtomicBool::new(false),
        }
    }

    /// Returns a chassis without a housekeeping thread.
    #[cfg(test)]
    pub(crate) fn for_a_test() -> &'static Chassis {
        let flags = Flags::default_for(&crate::Model::new("test"));
        let (housekeeping, _) = UnixStream::pair().expect("a pair of sockets");
        Box::leak(Box::new(Chassis::new(&flags, housekeeping)))
    }

    /// Returns where to compute requests (`--compute`).
    pub fn compute(&self) -> Compute {
        self.compute
    }

    /// Returns the number of workers that compute (`--workers`; default: one
    /// more than cores, or one on a single core).
    pub fn workers(&self) -> NonZeroUsize {
        self.workers
    }

    /// Returns how long a job may take (`--job-timeout`), or `None` if there
    /// is no limit.
    pub fn job_timeout(&self) -> Option<Duration> {
        self.job_timeout
    }

    /// Stores the address from which the server sends its first request.
    pub(crate) fn expect_first_request(&self, from: SocketAddr) {
        // It is set once, before clients are accepted.
        let _ = self.first_request.set(from);
    }

    pub(crate) fn is_first_request(&self, from: SocketAddr) -> bool {
        self.first_request.get() == Some(&from)
    }

    /// Notes that a client was admitted: the server itself, or another one.
    pub(crate) fn note_admitted(&self, is_itself: bool) {
        if self.is_first_itself.set(is_itself).is_ok() && !is_itself {
            self.wake_housekeeping();
        }
    }

    /// Returns `true` if another client came before the first request. Then the
    /// server is ready.
    pub(crate) fn serves_another_first(&self) -> bool {
        self.is_first_itself.get() == Some(&false)
    }

    /// Returns `true` if the server itself or another client was admitted.
    pub(crate) fn has_admitted(&self) -> bool {
        self.is_first_itself.get().is_some()
    }

    /// Stores the address from which the server connects to itself. When a
    /// connection from this address is accepted, the server must stop.
    pub(crate) fn expect_self_connection(&self, from: SocketAddr) {
        // It is set once, because the server is stopped once.
        let _ = self.self_connection.set(from);
    }

    pub(crate) fn is_self_connection(&self, from: SocketAddr) -> bool {
        self.self_connection.get() == Some(&from)
    }

    pub(crate) fn wake_housekeeping(&self) {
        // If the buffer is full, a wake-up is already on its way.
        let _ = (&self.housekeeping).write(&[0]);
    }

    /// Notes that the server must stop because it can't accept clients.
    pub(crate) fn fail(&self) {
        self.has_failed.store(true, Relaxed);
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.has_failed.load(Relaxed)
    }
}
