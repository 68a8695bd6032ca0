//! Every open connection, what it waits for, and since when nothing moved.

use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use protocol::BUFFER_BYTES_MAX;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::Shutdown;
use rustix::net::sockopt::set_socket_linger;
use slab::Slab;

use crate::answer::Place;
use crate::fd;
use crate::job::is_reset;

/// The open connections of a server.
///
/// Its lock is taken when a connection opens or closes, by each sweep of the
/// idle clock, to stop, and when a slow request's turn on a pool has come;
/// never for a quick request, nor where there is no pool.
#[derive(Debug)]
pub(crate) struct Registry {
    connections_max: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    seats: Slab<Taken>,
    /// Told to stop: no connection gets further input.
    stopping: bool,
    /// The server has been told that no client will come any more.
    door_closed: bool,
    served: Served,
}

/// A connection, as the registry sees it.
#[derive(Debug)]
struct Taken {
    /// Open for as long as this stands here; see [`fd::registered`].
    fd: RawFd,
    signs: Arc<Signs>,
    /// When it was last seen to have moved.
    moved_at: Instant,
}

/// The signs of life that a connection gives, without a lock or a clock, and
/// the place for an answer that comes from another thread.
#[derive(Debug)]
pub(crate) struct Signs {
    pub(crate) answer: Place,
    waits_for: AtomicU8,
    /// Something moved since the last sweep.
    moved: AtomicBool,
    /// The server read or wrote since the last sweep.
    attended: AtomicBool,
    /// How many bytes may still be read. No limit until the server stops.
    input_bytes_left: AtomicUsize,
}

/// No limit to what may be read.
const UNLIMITED: usize = usize::MAX;

/// What a conversation waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum WaitsFor {
    Input,
    Answer,
    Output,
}

/// What a server has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Served {
    pub(crate) connections: u64,
    pub(crate) requests: u64,
}

/// What is still going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unfinished {
    pub(crate) connections: usize,
    /// Those among them whose request is being computed.
    pub(crate) computing: usize,
}

/// A connection's place in the registry, by which it leaves again.
#[derive(Clone, Debug)]
pub(crate) struct Seat {
    key: usize,
    pub(crate) signs: Arc<Signs>,
}

impl Registry {
    pub(crate) fn new(connections_max: usize) -> Registry {
        Registry { connections_max, state: Mutex::default() }
    }

    /// Enters a connection; `None` if there are as many as there may be.
    ///
    /// The caller must [`leave`](Registry::leave) before it closes `stream`.
    pub(crate) fn enter(
        &self,
        stream: &impl AsFd,
        now: Instant,
    ) -> Option<Seat> {
        let mut state = self.state();
        if state.seats.len() >= self.connections_max {
            return None;
        }
        let signs = Arc::new(Signs::new());
        if state.stopping {
            end_input(stream, &signs);
        }
        let fd = stream.as_fd().as_raw_fd();
        let taken = Taken { fd, signs: Arc::clone(&signs), moved_at: now };
        let key = state.seats.insert(taken);
        state.served.connections += 1;
        Some(Seat { key, signs })
    }

    /// Takes a connection out, after which it may be closed. Returns whether
    /// it was the last one to be waited for.
    pub(crate) fn leave(&self, seat: &Seat, requests: u64) -> bool {
        let mut state = self.state();
        state.seats.remove(seat.key);
        state.served.requests += requests;
        state.is_drained()
    }

    /// Whether the connection was reset or has left.
    pub(crate) fn has_lost(&self, seat: &Seat) -> bool {
        let state = self.state();
        // Its key may be another connection's by now.
        let taken = state.seats.get(seat.key);
        taken
            .filter(|taken| Arc::ptr_eq(&taken.signs, &seat.signs))
            .is_none_or(|taken| is_reset(&fd::registered(&taken.fd)))
    }

    /// Ends the input of every connection, now and from now on. What they
    /// have received will be answered.
    pub(crate) fn stop(&self) -> Unfinished {
        let mut state = self.state();
        state.stopping = true;
        for (_, taken) in &state.seats {
            end_input(&fd::registered(&taken.fd), &taken.signs);
        }
        state.unfinished()
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.state().stopping
    }

    /// Notes that the server will not accept any more. Returns whether there
    /// is nothing left to wait for.
    pub(crate) fn close_door(&self) -> bool {
        let mut state = self.state();
        state.door_closed = true;
        state.is_drained()
    }

    /// Whether everybody has been answered and has left.
    pub(crate) fn is_drained(&self) -> bool {
        self.state().is_drained()
    }

    pub(crate) fn unfinished(&self) -> Unfinished {
        self.state().unfinished()
    }

    pub(crate) fn served(&self) -> Served {
        self.state().served
    }

    /// Ends the connections on which nothing has moved for `idle_timeout`, by
    /// the clock of the calls to this. Returns how many.
    ///
    /// A connection that has moved since the last sweep is taken to have
    /// moved now, so that one is ended between `idle_timeout` and that plus
    /// the time between two sweeps.
    pub(crate) fn sweep(&self, now: Instant, idle_timeout: Duration) -> usize {
        let mut ended = 0;
        for (_, taken) in &mut self.state().seats {
            let waits_for = taken.signs.waits_for();
            let attended = taken.signs.attended.swap(false, Relaxed);
            if taken.signs.moved.swap(false, Relaxed)
                || waits_for == WaitsFor::Answer
            {
                taken.moved_at = now;
            } else if now.duration_since(taken.moved_at) >= idle_timeout
                && (attended || !is_servers_turn(taken, waits_for))
            {
                end_both(taken, waits_for);
                // A server that is slow to notice gets no second push.
                taken.moved_at = now;
                ended += 1;
            }
        }
        ended
    }

    /// The state, also after a thread has panicked with it in its hands:
    /// every change of it is complete in itself.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_drained(&self) -> bool {
        self.stopping && self.door_closed && self.seats.is_empty()
    }

    fn unfinished(&self) -> Unfinished {
        let computing = |(_, taken): &(usize, &Taken)| {
            taken.signs.waits_for() == WaitsFor::Answer
        };
        Unfinished {
            connections: self.seats.len(),
            computing: self.seats.iter().filter(computing).count(),
        }
    }
}

impl Signs {
    fn new() -> Signs {
        Signs {
            answer: Place::default(),
            waits_for: AtomicU8::new(WaitsFor::Input as u8),
            moved: AtomicBool::new(false),
            attended: AtomicBool::new(false),
            input_bytes_left: AtomicUsize::new(UNLIMITED),
        }
    }

    /// Notes that the server did what the conversation waited for.
    pub(crate) fn attended(&self) {
        self.attended.store(true, Relaxed);
    }

    /// Notes that so many bytes were read.
    pub(crate) fn received(&self, count: usize) {
        let left = self.input_bytes_left.load(Relaxed);
        if left != UNLIMITED {
            let left = left.saturating_sub(count);
            self.input_bytes_left.store(left, Relaxed);
        }
    }

    /// Whether all that came before the stop has been read.
    pub(crate) fn input_has_ended(&self) -> bool {
        self.input_bytes_left.load(Relaxed) == 0
    }

    /// Notes what the conversation waits for from now on.
    pub(crate) fn wait_for(&self, what: WaitsFor) {
        self.waits_for.store(what as u8, Relaxed);
    }

    /// Notes that a complete request came in or that reply bytes went out.
    pub(crate) fn moved(&self) {
        self.moved.store(true, Relaxed);
    }

    fn waits_for(&self) -> WaitsFor {
        match self.waits_for.load(Relaxed) {
            0 => WaitsFor::Input,
            1 => WaitsFor::Answer,
            _ => WaitsFor::Output,
        }
    }
}

/// Whether the connection is ready for what it waits for. Then, if the server
/// has not attended to it either, it is not the client who keeps the server
/// waiting: the server is busy elsewhere.
fn is_servers_turn(taken: &Taken, waits_for: WaitsFor) -> bool {
    let readiness = match waits_for {
        WaitsFor::Output => PollFlags::OUT,
        WaitsFor::Input | WaitsFor::Answer => PollFlags::IN,
    };
    let stream = fd::registered(&taken.fd);
    let mut fds = [PollFd::new(&stream, readiness)];
    matches!(poll(&mut fds, Some(&Timespec::default())), Ok(1))
}

/// Makes each read return 0 once everything received is read.
///
/// A client that goes on sending would never let it come to that: Linux takes
/// its segments in even now. So the bytes that may still be read are limited
/// to those that are there, and to one read that may be under way.
fn end_input(stream: &impl AsFd, signs: &Signs) {
    // Both fail only if the client has already gone, which ends input too.
    let _ = rustix::net::shutdown(stream, Shutdown::Read);
    let there = rustix::io::ioctl_fionread(stream).unwrap_or(0);
    let limit = there as usize + BUFFER_BYTES_MAX;
    signs.input_bytes_left.store(limit, Relaxed);
}

/// Makes each read return 0, and each write fail.
fn end_both(taken: &Taken, waits_for: WaitsFor) {
    let stream = fd::registered(&taken.fd);
    if waits_for == WaitsFor::Output {
        // The client does not take what it asked for. Without this, the
        // kernel would go on offering it for minutes after the close.
        let _ = set_socket_linger(stream, Some(Duration::ZERO));
    }
    taken.signs.input_bytes_left.store(0, Relaxed);
    let _ = rustix::net::shutdown(stream, Shutdown::Both);
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read, Write};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(60);

    /// A connection: the server's end and the client's.
    fn connection() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client =
            TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (listener.accept().unwrap().0, client)
    }

    /// Whether the server's end would return from a read, rather than wait.
    fn has_ended(mut server: &TcpStream) -> bool {
        server.set_nonblocking(true).unwrap();
        match server.read(&mut [0; 1]) {
            Ok(count) => count == 0,
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        }
    }

    #[test]
    fn there_are_never_more_connections_than_there_may_be() {
        let registry = Registry::new(2);
        let now = Instant::now();
        let (stream, _client) = connection();
        let first = registry.enter(&stream, now).unwrap();
        let second = registry.enter(&stream, now).unwrap();
        assert!(registry.enter(&stream, now).is_none());
        registry.leave(&first, 1);
        let third = registry.enter(&stream, now).unwrap();
        assert!(registry.enter(&stream, now).is_none());
        registry.leave(&second, 2);
        registry.leave(&third, 3);
        assert_eq!(registry.served(), Served { connections: 3, requests: 6 });
    }

    #[test]
    fn a_silent_client_is_ended_at_the_timeout_and_not_before() {
        let registry = Registry::new(9);
        let start = Instant::now();
        let (stream, _client) = connection();
        let _seat = registry.enter(&stream, start).unwrap();
        let almost = start + TIMEOUT - Duration::from_nanos(1);
        assert_eq!(registry.sweep(almost, TIMEOUT), 0);
        assert!(!has_ended(&stream));
        assert_eq!(registry.sweep(start + TIMEOUT, TIMEOUT), 1);
        assert!(has_ended(&stream));
    }

    #[test]
    fn a_client_on_whom_something_moves_is_not_idle() {
        let registry = Registry::new(9);
        let mut now = Instant::now();
        let (stream, _client) = connection();
        let seat = registry.enter(&stream, now).unwrap();
        for _ in 0..5 {
            seat.signs.moved();
            now += TIMEOUT;
            assert_eq!(registry.sweep(now, TIMEOUT), 0);
        }
        now += TIMEOUT;
        assert_eq!(registry.sweep(now, TIMEOUT), 1);
    }

    #[test]
    fn a_client_who_waits_for_an_answer_is_not_idle() {
        let registry = Registry::new(9);
        let mut now = Instant::now();
        let (stream, _client) = connection();
        let seat = registry.enter(&stream, now).unwrap();
        seat.signs.wait_for(WaitsFor::Answer);
        for _ in 0..5 {
            now += TIMEOUT;
            assert_eq!(registry.sweep(now, TIMEOUT), 0);
        }
        seat.signs.wait_for(WaitsFor::Input);
        assert_eq!(registry.sweep(now + TIMEOUT, TIMEOUT), 1);
    }

    #[test]
    fn a_client_whose_request_the_server_has_not_read_is_not_idle() {
        let registry = Registry::new(9);
        let mut now = Instant::now();
        let (mut stream, mut client) = connection();
        let _seat = registry.enter(&stream, now).unwrap();
        client.write_all(b"1\n").unwrap();
        stream.peek(&mut [0; 1]).unwrap();
        now += TIMEOUT;
        assert_eq!(registry.sweep(now, TIMEOUT), 0);
        stream.read_exact(&mut [0; 2]).unwrap();
        assert_eq!(registry.sweep(now, TIMEOUT), 1);
    }

    #[test]
    fn a_client_whose_bytes_never_make_a_request_is_ended() {
        let registry = Registry::new(9);
        let mut now = Instant::now();
        let (stream, mut client) = connection();
        let seat = registry.enter(&stream, now).unwrap();
        client.write_all(b"1").unwrap();
        stream.peek(&mut [0; 1]).unwrap();
        // The server reads, and the socket is readable again.
        seat.signs.attended();
        now += TIMEOUT;
        assert_eq!(registry.sweep(now, TIMEOUT), 1);
    }

    #[test]
    fn after_the_stop_what_was_received_may_be_read_and_little_more() {
        let registry = Registry::new(9);
        let (stream, mut client) = connection();
        let seat = registry.enter(&stream, Instant::now()).unwrap();
        client.write_all(&[b'1'; 1_000]).unwrap();
        stream.peek(&mut [0; 1]).unwrap();
        seat.signs.received(1_000_000);
        assert!(!seat.signs.input_has_ended());
        registry.stop();
        seat.signs.received(1_000);
        assert!(!seat.signs.input_has_ended());
        seat.signs.received(BUFFER_BYTES_MAX);
        assert!(seat.signs.input_has_ended());
    }

    #[test]
    fn a_client_who_does_not_read_is_reset() {
        let registry = Registry::new(9);
        let now = Instant::now();
        let (mut stream, mut client) = connection();
        let seat = registry.enter(&stream, now).unwrap();
        seat.signs.wait_for(WaitsFor::Output);

        // There is room to write: it is the server that does not write.
        assert_eq!(registry.sweep(now + TIMEOUT, TIMEOUT), 0);

        stream.set_nonblocking(true).unwrap();
        while stream.write(&[0; 65_536]).is_ok() {}
        assert_eq!(registry.sweep(now + TIMEOUT, TIMEOUT), 1);
        let error = stream.write(&[0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);

        registry.leave(&seat, 0);
        drop(stream);
        let error = std::io::copy(&mut client, &mut std::io::sink());
        assert_eq!(error.unwrap_err().kind(), ErrorKind::ConnectionReset);
    }

    #[test]
    fn stopping_ends_input_but_not_what_was_received() {
        let registry = Registry::new(9);
        let (mut stream, mut client) = connection();
        let _seat = registry.enter(&stream, Instant::now()).unwrap();
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
        let _seat = registry.enter(&stream, Instant::now()).unwrap();
        assert!(has_ended(&stream));
    }

    #[test]
    fn a_connection_is_lost_once_it_was_reset_or_has_left() {
        let registry = Registry::new(9);
        let now = Instant::now();
        let (stream, client) = connection();
        let seat = registry.enter(&stream, now).unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!((&stream).read(&mut [0]).unwrap(), 0);
        assert!(!registry.has_lost(&seat), "it only asks no more");
        set_socket_linger(&client, Some(Duration::ZERO)).unwrap();
        drop(client);
        assert!(registry.has_lost(&seat));

        // The next one gets its key.
        registry.leave(&seat, 0);
        let (stream, _client) = connection();
        let next = registry.enter(&stream, now).unwrap();
        assert_eq!(next.key, seat.key);
        assert!(registry.has_lost(&seat), "another one has its key");
        assert!(!registry.has_lost(&next));
    }

    #[test]
    fn drained_is_stopping_with_closed_door_and_nobody_left() {
        let registry = Registry::new(9);
        let (stream, _client) = connection();
        let seat = registry.enter(&stream, Instant::now()).unwrap();
        seat.signs.wait_for(WaitsFor::Answer);
        let unfinished = registry.stop();
        assert_eq!(unfinished, Unfinished { connections: 1, computing: 1 });
        assert!(!registry.is_drained());
        assert!(!registry.close_door());
        assert!(registry.leave(&seat, 1));
        assert!(registry.is_drained());
    }
}
