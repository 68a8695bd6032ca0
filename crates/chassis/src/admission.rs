//! Admission of clients: what to do with each result of accept(2).

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use rustix::io::Errno;
use tracing::{debug, error, warn};

use crate::chassis::Chassis;
use crate::client::{Client, refuse};
use crate::phase;

/// How long to wait before the next `accept` when the last one failed for lack
/// of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a server does after an `accept`.
#[derive(Debug)]
pub enum Admission<S: AsFd> {
    /// Talk to this client.
    Client(Client<S>),
    /// Accept the next client: this one was refused or has already gone.
    NoClient,
    /// Accept again after this time: the process is out of descriptors or
    /// memory. No further event will report the client that is waiting.
    Pause(Duration),
    /// Accept no more clients: the server is stopping. Continue to serve those
    /// that are connected.
    Stop,
}

impl Chassis {
    /// Admits or refuses a client that `accept` returned, or handles the error
    /// of `accept`.
    ///
    /// A non-blocking server must handle `WouldBlock` itself: only the server
    /// knows how to wait.
    pub fn admit<S: AsFd>(
        &'static self,
        accepted: io::Result<(S, SocketAddr)>,
    ) -> Admission<S> {
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => return self.failed_accept(&error),
        };
        self.is_accept_paused.store(false, Relaxed);
        if self.is_self_connection(peer) {
            return self.stop();
        }
        let is_first = self.is_first_request(peer);
        match Client::register(self, stream, is_first) {
            Ok(client) => {
                debug!(%peer, "admitted a client");
                self.note_admitted(is_first);
                Admission::Client(client)
            }
            Err(stream) => {
                debug!(%peer, "refused a client: --max-connections reached");
                refuse(&stream);
                Admission::NoClient
            }
        }
    }

    /// Logs how a conversation ended. Clients disconnect in many ways; none of
    /// them is worth more than a debug line.
    pub fn log_end(&self, conversation: io::Result<()>) {
        if let Err(error) = conversation {
            debug!("lost a client: {error}");
        }
    }

    /// Logs that the server lacked a resource for a client, such as a thread.
    pub fn log_refusal(&self, error: &io::Error) {
        debug!("refused a client: {error}");
    }

    /// Classifies an error of accept(2): it concerns this one client, or the
    /// process lacks a resource for now, or the socket can't accept any more.
    fn failed_accept<S: AsFd>(&self, error: &io::Error) -> Admission<S> {
        if self.registry.is_stopping() {
            return self.stop();
        }
        match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(_) if is_shortage(error) => {
                if !self.has_admitted() {
                    phase::fail_unless_ready(&format!(
                        "cannot serve: accept: {error}"
                    ));
                }
                if !self.is_accept_paused.swap(true, Relaxed) {
                    warn!(
                        "cannot accept a client: {error}; retrying every \
                         {ACCEPT_PAUSE:?} (lower --max-connections or raise \
                         `ulimit -n`)"
                    );
                }
                Admission::Pause(ACCEPT_PAUSE)
            }
            Some(Errno::BADF | Errno::INVAL | Errno::NOTSOCK) | None => {
                error!("cannot accept any more clients: {error}");
                self.fail();
                self.stop()
            }
            // EINTR, or a network error of this one connection, which
            // accept(2) passes on.
            Some(_) => {
                debug!("cannot accept a client: {error}");
                Admission::NoClient
            }
        }
    }

    fn stop<S: AsFd>(&self) -> Admission<S> {
        debug!("accepting no more clients");
        if self.registry.end_accepting() || self.has_failed() {
            self.wake_housekeeping();
        }
        Admission::Stop
    }
}

/// Returns `true` if this process, or the machine, lacks descriptors or memory.
pub(crate) fn is_shortage(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)
    )
}
