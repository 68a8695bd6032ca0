//! The registry of open connections: what each waits for, and when it last
//! made progress. Ends them when the server stops or a client is idle.

use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use protocol::BUFFER_BYTES_MAX;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::Shutdown;
use rustix::net::sockopt::set_socket_linger;
use slab::Slab;

use crate::fd;
use crate::reply_slot::ReplySlot;
use crate::reset::is_reset;

/// The open connections of a server.
///
/// Its lock is taken when a connection opens or closes, by each sweep for idle
/// clients, to stop, and when a pool is about to compute a long request. No
/// short request takes it, and no request that isn't computed on a pool.
#[derive(Debug)]
pub(crate) struct Registry {
    connections_max: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    connections: Slab<Entry>,
    /// How many of them are the server's own: one before it is ready.
    first: usize,
    /// Whether the server is stopping: no connection gets further input.
    is_stopping: bool,
    /// Whether the server has reported that it accepts no more clients.
    accepting_has_ended: bool,
    served: Served,
}

/// A connection, as the registry knows it.
#[derive(Debug)]
struct Entry {
    /// Open as long as the entry exists; see [`fd::registered`].
    fd: RawFd,
    activity: Arc<Activity>,
    /// When a sweep last found that the connection had made progress.
    progressed_at: Instant,
    /// Whether it is the server's own, for its first request.
    is_first: bool,
}

/// A connection's activity, which its conversation records without a lock or
/// a clock, and the slot for a reply that comes from another thread.
#[derive(Debug)]
pub(crate) struct Activity {
    pub(crate) reply_slot: ReplySlot,
    waits_for: AtomicU8,
    /// Whether a request was completed, or reply bytes were written, since the
    /// last sweep.
    made_progress: AtomicBool,
    /// Whether the server read or wrote since the last sweep.
    did_io: AtomicBool,
    /// How many bytes may still be read; [`UNLIMITED`] until the server stops.
    input_bytes_left: AtomicUsize,
}

const UNLIMITED: usize = usize::MAX;

/// What a conversation waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum WaitsFor {
    Input,
    Reply,
    Output,
}

/// The number of connections and requests that a server has served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Served {
    pub(crate) connections: u64,
    pub(crate) requests: u64,
}

/// The work that a stopping server still has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unfinished {
    pub(crate) connections: usize,
    /// How many of these connections have a request in progress.
    pub(crate) computing: usize,
}

/// Identifies a connection in the registry, and gives access to its activity.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionId {
    key: usize,
    pub(crate) activity: Arc<Activity>,
}

impl Registry {
    pub(crate) fn new(connections_max: usize) -> Registry {
        Registry { connections_max, state: Mutex::default() }
    }

    /// Registers a connection. Returns `None` if the maximum is reached. The
    /// server's own first request doesn't count.
    ///
    /// The caller must [`deregister`](Registry::deregister) the connection
    /// before it closes `stream`.
    pub(crate) fn register(
        &self,
        stream: &impl AsFd,
        now: Instant,
        is_first: bool,
    ) -> Option<ConnectionId> {
        let mut state = self.state();
        let others = state.connections.len() - state.first;
        if !is_first && others >= self.connections_max {
            return None;
        }
        state.first += usize::from(is_first);
        let activity = Arc::new(Activity::new());
        if state.is_stopping {
            end_input(stream, &activity);
        }
        let key = state.connections.insert(Entry {
            fd: stream.as_fd().as_raw_fd(),
            activity: Arc::clone(&activity),
            progressed_at: now,
            is_first,
        });
        Some(ConnectionId { key, activity })
    }

    /// Removes a connection, so that it may be closed, and adds what it was
    /// served. Returns `true` if the server is drained now.
    pub(crate) fn deregister(
        &self,
        connection: &ConnectionId,
        served: Served,
    ) -> bool {
        let mut state = self.state();
        let entry = state.connections.remove(connection.key);
        state.first -= usize::from(entry.is_first);
        state.served.connections += served.connections;
        state.served.requests += served.requests;
        state.is_drained()
    }

    /// Returns `true` if the connection was reset or deregistered.
    pub(crate) fn is_gone(&self, connection: &ConnectionId) -> bool {
        let state = self.state();
        // Another connection may have the key by now.
        state
            .connections
            .get(connection.key)
            .filter(|entry| Arc::ptr_eq(&entry.activity, &connection.activity))
            .is_none_or(|entry| is_reset(&fd::registered(&entry.fd)))
    }

    /// Ends the input of all connections, present and future. Requests that
    /// were received will still be answered.
    pub(crate) fn stop(&self) -> Unfinished {
        let mut state = self.state();
        state.is_stopping = true;
        for (_, entry) in &state.connections {
            end_input(&fd::registered(&entry.fd), &entry.activity);
        }
        state.unfinished()
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.state().is_stopping
    }

    /// Notes that the server will accept no more clients. Returns `true` if
    /// the server is drained now.
    pub(crate) fn end_accepting(&self) -> bool {
        let mut state = self.state();
        state.accepting_has_ended = true;
        state.is_drained()
    }

    /// Returns `true` if the server is stopping, accepts no more clients, and
    /// has no connection left.
    pub(crate) fn is_drained(&self) -> bool {
        self.state().is_drained()
    }

    pub(crate) fn unfinished(&self) -> Unfinished {
        self.state().unfinished()
    }

    pub(crate) fn served(&self) -> Served {
        self.state().served
    }

    /// Ends the connections that have made no progress for `idle_timeout`, and
    /// returns their number.
    ///
    /// Progress since the last sweep counts as made at `now`, so that the
    /// timeout may be exceeded by the time between two sweeps.
    pub(crate) fn sweep(&self, now: Instant, idle_timeout: Duration) -> usize {
        let mut ended = 0;
        for (_, entry) in &mut self.state().connections {
            let waits_for = entry.activity.waits_for();
            let did_io = entry.activity.did_io.swap(false, Relaxed);
            if entry.activity.made_progress.swap(false, Relaxed)
                || waits_for == WaitsFor::Reply
            {
                entry.progressed_at = now;
            } else if now.duration_since(entry.progressed_at) >= idle_timeout
                && (did_io || !is_ready(entry, waits_for))
            {
                end_input_and_output(entry, waits_for);
                // The server may take time to notice: don't end it again at
                // the next sweep.
                entry.progressed_at = now;
                ended += 1;
            }
        }
        ended
    }

    /// Locks the state, even if a thread has panicked while it held the lock:
    /// no operation leaves the state inconsistent.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_drained(&self) -> bool {
        self.is_stopping
            && self.accepting_has_ended
            && self.connections.is_empty()
    }

    fn unfinished(&self) -> Unfinished {
        let is_computing = |(_, entry): &(usize, &Entry)| {
            entry.activity.waits_for() == WaitsFor::Reply
        };
        Unfinished {
            connections: self.connections.len(),
            computing: self.connections.iter().filter(is_computing).count(),
        }
    }
}

impl Activity {
    fn new() -> Activity {
        Activity {
            reply_slot: ReplySlot::default(),
            waits_for: AtomicU8::new(WaitsFor::Input as u8),
            made_progress: AtomicBool::new(false),
            did_io: AtomicBool::new(false),
            input_bytes_left: AtomicUsize::new(UNLIMITED),
        }
    }

    /// Notes that `count` bytes were read.
    pub(crate) fn note_input(&self, count: usize) {
        self.did_io.store(true, Relaxed);
        let left = self.input_bytes_left.load(Relaxed);
        if left != UNLIMITED {
            let left = left.saturating_sub(count);
            self.input_bytes_left.store(left, Relaxed);
        }
    }

    /// Notes that reply bytes were written.
    pub(crate) fn note_output(&self) {
        self.did_io.store(true, Relaxed);
        self.note_progress();
    }

    /// Notes that a request was completed or its reply was computed.
    pub(crate) fn note_progress(&self) {
        self.made_progress.store(true, Relaxed);
    }

    /// Returns `true` if everything received before the stop has been read.
    pub(crate) fn input_has_ended(&self) -> bool {
        self.input_bytes_left.load(Relaxed) == 0
    }

    /// Notes what the conversation waits for now.
    pub(crate) fn wait_for(&self, what: WaitsFor) {
        self.waits_for.store(what as u8, Relaxed);
    }

    fn waits_for(&self) -> WaitsFor {
        match self.waits_for.load(Relaxed) {
            0 => WaitsFor::Input,
            1 => WaitsFor::Reply,
            _ => WaitsFor::Output,
        }
    }
}

/// Returns `true` if the connection is ready for what it waits for. If the
/// server has done no I/O on it since, the client isn't idle: the server is
/// busy elsewhere.
fn is_ready(entry: &Entry, waits_for: WaitsFor) -> bool {
    let readiness = match waits_for {
        WaitsFor::Output => PollFlags::OUT,
        WaitsFor::Input | WaitsFor::Reply => PollFlags::IN,
    };
    let stream = fd::registered(&entry.fd);
    let mut fds = [PollFd::new(&stream, readiness)];
    matches!(poll(&mut fds, Some(&Timespec::default())), Ok(1))
}

/// Makes each read return 0 once everything received has been read.
///
/// On Linux, a socket whose reading side is shut down still accepts segments,
/// so that a client that keeps sending would never cause end-of-file. So the
/// number of bytes that may still be read is limited: to those that are in the
/// socket, plus those of one read that may be in progress.
fn end_input(stream: &impl AsFd, activity: &Activity) {
    // Both fail only if the client has already gone, which ends input too.
    let _ = rustix::net::shutdown(stream, Shutdown::Read);
    let queued = rustix::io::ioctl_fionread(stream).unwrap_or(0);
    let limit = queued as usize + BUFFER_BYTES_MAX;
    activity.input_bytes_left.store(limit, Relaxed);
}

/// Makes each read return 0 and each write fail.
fn end_input_and_output(entry: &Entry, waits_for: WaitsFor) {
    let stream = fd::registered(&entry.fd);
    if waits_for == WaitsFor::Output {
        // The client doesn't read its replies. Without this, the kernel would
        // keep trying to send them for minutes after the close.
        let _ = set_socket_linger(stream, Some(Duration::ZERO));
    }
    entry.activity.input_bytes_left.store(0, Relaxed);
    let _ = rustix::net::shutdown(stream, Shutdown::Both);
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read, Write};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(60);

    /// Returns both ends of a connection: the server's and the client's.
    fn connection() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client =
            TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (listener.accept().unwrap().0, client)
    }

    fn served(requests: u64) -> Served {
        Served { connections: 1, requests }
    }

    /// Returns `true` if a read of the server's end would not block.
    fn has_ended(mut server: &TcpStream) -> bool {
        server.set_nonblocking(true).unwrap();
        match server.read(&mut [0; 1]) {
            Ok(count) => count == 0,
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        }
    }

    #[test]
    fn the_number_of_connections_is_limited() {
        let registry = Registry::new(2);
        let now = Instant::now();
        let (stream, _client) = connection();
        let first = registry.register(&stream, now, false).unwrap();
        let second = registry.register(&stream, now, false).unwrap();
        assert!(registry.register(&stream, now, false).is_none());
        registry.deregister(&first, served(1));
        let third = registry.register(&stream, now, false).unwrap();
        assert!(registry.register(&stream, now, false).is_none());
        registry.deregister(&second, served(2));
        registry.deregister(&third, served(3));
        assert_eq!(registry.served(), Served { connections: 3, requests: 6 });
    }

    #[test]
    fn the_first_request_does_not_count() {
        let registry = Registry::new(1);
        let now = Instant::now();
        let (stream, _client) = connection();
        let own = registry.register(&stream, now, true).unwrap();
        let one = registry.register(&stream, now, false).unwrap();
        assert!(registry.register(&stream, now, false).is_none());
        registry.deregister(&own, Served::default());
        assert!(registry.register(&stream, now, false).is_none());
        registry.deregister(&one, served(1));
        assert!(registry.register(&stream, now, false).is_some());
    }

    #[test]
    fn a_silent_client_is_ended_at_the_timeout_and_not_before() {
        let registry = Registry::new(9);
        let start = Instant::now();
        let (stream, _client) = connection();
        let _id = registry.register(&stream, start, false).unwrap();
        let almost = start + TIMEOUT - Duration::from_nanos(1);
        assert_eq!(registry.sweep(almost, TIMEOUT), 0);
        assert!(!has_ended(&stream));
        assert_eq!(registry.sweep(start + TIMEOUT, TIMEOUT), 1);
        assert!(has_ended(&stream));
    }

    #[test]
    fn a_client_that_makes_progress_is_not_idle() {
        let registry = Registry::new(9);
        let mut now = Instant::now();
        let (stream, _client) = connection();
        let id = registry.register(&stream, now, false).unwrap();
        for _ in 0..5 {
            id.activity.note_progress();
            now += TIMEOUT;
            assert_eq!(registry.sweep(now, TIMEOUT), 0);
        }
        now += TIMEOUT;
        assert_eq!(registry.sweep(now, TIMEOUT), 1);
    }

    #[test]
    fn a_client_that_waits_for_a_reply_is_not_idle() {
        let registry = Registry::new(9);
        let mut now = Instant::now();
        let (stream, _client) = connection();
        let id = registry.register(&stream, now, false).unwrap();
        id.activity.wait_for(WaitsFor::Reply);
        for _ in 0..5 {
            now += TIMEOUT;
            assert_eq!(registry.sweep(now, TIMEOUT), 0);
        }
        id.activity.wait_for(WaitsFor::Input);
        assert_eq!(registry.sweep(now + TIMEOUT, TIMEOUT), 1);
    }

    #[test]
    fn a_client_whose_request_the_server_has_not_read_is_not_idle() {
        let registry = Registry::new(9);
        let mut now = Instant::now();
        let (mut stream, mut client) = connection();
        let _id = registry.register(&stream, now, false).unwrap();
        client.write_all(b"1\n").unwrap();
        stream.peek(&mut [0; 1]).unwrap();
        now += TIMEOUT;
        assert_eq!(registry.sweep(now, TIMEOUT), 0);
        stream.read_exact(&mut [0; 2]).unwrap();
        assert_eq!(registry.sweep(now, TIMEOUT), 1);
    }

    #[test]
    fn a_client_whose_bytes_never_complete_a_request_is_ended() {
        let registry = Registry::new(9);
        let mut now = Instant::now();
        let (stream, mut client) = connection();
        let id = registry.register(&stream, now, false).unwrap();
        client.write_all(b"1").unwrap();
        stream.peek(&mut [0; 1]).unwrap();
        // The server has read a byte, and the socket is readable again.
        id.activity.note_input(1);
        now += TIMEOUT;
        assert_eq!(registry.sweep(now, TIMEOUT), 1);
    }

    #[test]
    fn after_the_stop_received_bytes_and_one_buffer_more_may_be_read() {
        let registry = Registry::new(9);
        let (stream, mut client) = connection();
        let id = registry.register(&stream, Instant::now(), false).unwrap();
        client.write_all(&[b'1'; 1_000]).unwrap();
        stream.peek(&mut [0; 1]).unwrap();
        id.activity.note_input(1_000_000);
        assert!(!id.activity.input_has_ended());
        registry.stop();
        id.activity.note_input(1_000);
        assert!(!id.activity.input_has_ended());
        id.activity.note_input(BUFFER_BYTES_MAX);
        assert!(id.activity.input_has_ended());
    }

    #[test]
    fn a_client_that_does_not_read_is_reset() {
        let registry = Registry::new(9);
        let now = Instant::now();
        let (mut stream, mut client) = connection();
        let id = registry.register(&stream, now, false).unwrap();
        id.activity.wait_for(WaitsFor::Output);

        // The socket has room: it is the server that doesn't write.
        assert_eq!(registry.sweep(now + TIMEOUT, TIMEOUT), 0);

        stream.set_nonblocking(true).unwrap();
        while stream.write(&[0; 65_536]).is_ok() {}
        assert_eq!(registry.sweep(now + TIMEOUT, TIMEOUT), 1);
        let error = stream.write(&[0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);

        registry.deregister(&id, served(0));
        drop(stream);
        let error = std::io::copy(&mut client, &mut std::io::sink());
        assert_eq!(error.unwrap_err().kind(), ErrorKind::ConnectionReset);
    }

    #[test]
    fn stopping_ends_input_but_keeps_what_was_received() {
        let registry = Registry::new(9);
        let (mut stream, mut client) = connection();
        let _id = registry.register(&stream, Instant::now(), false).unwrap();
        client.write_all(b"1\n").unwrap();
        stream.peek(&mut [0; 1]).unwrap();
        let unfinished = registry.stop();
        assert_eq!(unfinished, Unfinished { connections: 1, computing: 0 });
        let mut received = Vec::new();
        stream.read_to_end(&mut received).unwrap();
        assert_eq!(received, b"1\n");
        stream.write_all(b"1\n").unwrap();
    }

    #[test]
    fn a_client_accepted_while_stopping_gets_no_input_either() {
        let registry = Registry::new(9);
        registry.stop();
        let (stream, _client) = connection();
        let _id = registry.register(&stream, Instant::now(), false).unwrap();
        assert!(has_ended(&stream));
    }

    #[test]
    fn a_connection_is_gone_once_it_was_reset_or_deregistered() {
        let registry = Registry::new(9);
        let now = Instant::now();
        let (stream, client) = connection();
        let id = registry.register(&stream, now, false).unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!((&stream).read(&mut [0]).unwrap(), 0);
        assert!(!registry.is_gone(&id), "the client can still read");
        set_socket_linger(&client, Some(Duration::ZERO)).unwrap();
        drop(client);
        assert!(registry.is_gone(&id));

        // The next connection gets the same key.
        registry.deregister(&id, served(0));
        let (stream, _client) = connection();
        let next = registry.register(&stream, now, false).unwrap();
        assert_eq!(next.key, id.key);
        assert!(registry.is_gone(&id), "the key is another connection's");
        assert!(!registry.is_gone(&next));
    }

    #[test]
    fn a_stopping_server_is_drained_after_its_last_accept_and_client() {
        let registry = Registry::new(9);
        let (stream, _client) = connection();
        let id = registry.register(&stream, Instant::now(), false).unwrap();
        id.activity.wait_for(WaitsFor::Reply);
        let unfinished = registry.stop();
        assert_eq!(unfinished, Unfinished { connections: 1, computing: 1 });
        assert!(!registry.is_drained());
        assert!(!registry.end_accepting());
        assert!(registry.deregister(&id, served(1)));
        assert!(registry.is_drained());
    }
}
