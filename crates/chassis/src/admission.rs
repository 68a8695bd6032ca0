use std::io::{self, Write};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use protocol::Framing;
use rustix::io::Errno;
use tracing::{debug, error, warn};

use crate::client::{Client, refuse};
use crate::flags::{Compute, Flags};
use crate::registry::Registry;

/// How long to wait before the next `accept` when the last one found no
/// descriptor or no memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a server shares with its clients: limits, registry, modes.
#[derive(Debug)]
pub struct Chassis {
    pub(crate) framing: Framing,
    pub(crate) n_max: u8,
    pub(crate) registry: Registry,
    compute: Compute,
    workers: NonZeroUsize,
    job_timeout: Option<Duration>,
    /// Where housekeeping's own knock on the door comes from.
    knock: OnceLock<SocketAddr>,
    /// A byte in it wakes the housekeeping thread.
    wake: UnixStream,
    has_failed: AtomicBool,
    is_pausing: AtomicBool,
}

/// What became of one `accept`.
#[derive(Debug)]
pub enum Admission<S: AsFd> {
    /// A client to talk to.
    Client(Client<S>),
    /// Nobody: the client has gone already or was refused. Accept again.
    Nobody,
    /// Nothing to accept it with. Accept again after this time: there will be
    /// no new sign of the client that is waiting.
    Pause(Duration),
    /// The server stops. Accept no more; those who are in will be finished.
    Stop,
}

impl Chassis {
    /// Decides over a client that `accept` returned, or over its failure.
    ///
    /// `WouldBlock` is not for here: only the server knows how to wait.
    pub fn admit<S: AsFd>(
        &'static self,
        accepted: io::Result<(S, SocketAddr)>,
    ) -> Admission<S> {
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => return self.no_client(&error),
        };
        self.is_pausing.store(false, Relaxed);
        if self.knock.get() == Some(&peer) {
            return self.stop();
        }
        match Client::enter(self, stream) {
            Ok(client) => {
                debug!(%peer, "admitted");
                Admission::Client(client)
            }
            Err(stream) => {
                debug!(%peer, "refused: --max-connections are open");
                refuse(&stream);
                Admission::Nobody
            }
        }
    }

    /// Takes note of how a conversation ended. Clients leave in all sorts of
    /// ways; none is worth more than a debug line.
    pub fn ended(&self, conversation: io::Result<()>) {
        if let Err(error) = conversation {
            debug!("the client was lost: {error}");
        }
    }

    /// Takes note of a client that nothing could be had for, such as a thread.
    pub fn refused(&self, error: &io::Error) {
        debug!("refused a client: {error}");
    }

    /// Where requests are to be computed (`--compute`).
    pub fn compute(&self) -> Compute {
        self.compute
    }

    /// How many workers are to compute (`--workers`, default: the cores).
    pub fn workers(&self) -> NonZeroUsize {
        self.workers
    }

    /// How long a job may take (`--job-timeout`), if there is a limit.
    pub fn job_timeout(&self) -> Option<Duration> {
        self.job_timeout
    }

    pub(crate) fn new(flags: &Flags, wake: UnixStream) -> Chassis {
        Chassis {
            framing: flags.framing,
            n_max: flags.n_max,
            registry: Registry::new(flags.connections_max),
            compute: flags.compute,
            workers: flags.workers,
            job_timeout: flags.job_timeout,
            knock: OnceLock::new(),
            wake,
            has_failed: AtomicBool::new(false),
            is_pausing: AtomicBool::new(false),
        }
    }

    /// One that no housekeeping thread cares for.
    #[cfg(test)]
    pub(crate) fn for_a_test() -> &'static Chassis {
        let flags = Flags::default_for(&crate::Model::new("test"));
        let (wake, _) = UnixStream::pair().expect("a pair of sockets");
        Box::leak(Box::new(Chassis::new(&flags, wake)))
    }

    /// Expects housekeeping's own knock from this address.
    pub(crate) fn expect_knock(&self, from: SocketAddr) {
        // It is set once, because the server is stopped once.
        let _ = self.knock.set(from);
    }

    pub(crate) fn wake_housekeeping(&self) {
        // If the buffer is full, a wake-up is on its way already.
        let _ = (&self.wake).write(&[0]);
    }

    /// Whether the server stops because it could not go on.
    pub(crate) fn has_failed(&self) -> bool {
        self.has_failed.load(Relaxed)
    }

    /// What a failure of accept(2) means: nothing but this one client is
    /// lost, or there is nothing left to accept with, or it is over.
    fn no_client<S: AsFd>(&self, error: &io::Error) -> Admission<S> {
        if self.registry.is_stopping() {
            return self.stop();
        }
        match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(
                Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM,
            ) => {
                if !self.is_pausing.swap(true, Relaxed) {
                    warn!(
                        "cannot accept: {error}; trying again every \
                         {ACCEPT_PAUSE:?} (lower --max-connections, or raise \
                         `ulimit -n`)"
                    );
                }
                Admission::Pause(ACCEPT_PAUSE)
            }
            Some(Errno::BADF | Errno::INVAL | Errno::NOTSOCK) | None => {
                error!("cannot accept any more: {error}");
                self.has_failed.store(true, Relaxed);
                self.stop()
            }
            // The network's errors on the one connection, which accept(2)
            // passes on, and EINTR.
            Some(_) => {
                debug!("not accepted: {error}");
                Admission::Nobody
            }
        }
    }

    fn stop<S: AsFd>(&self) -> Admission<S> {
        debug!("no more clients are accepted");
        if self.registry.close_door() || self.has_failed() {
            self.wake_housekeeping();
        }
        Admission::Stop
    }
}
