//! Model: a readiness loop, fib on a pool, which wakes the loop when done.
//! Waits on: epoll_wait(2), for sockets and for a pool that has an answer.
//! Limit: the pool: an answer waits for a free worker.
//! Cost: a slot per client; a read, a write and two wake-ups per request.

mod pool;

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use chassis::{Admission, Chassis, Client, Compute, Model, Request, Step};
use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token};
use slab::Slab;

use crate::pool::Pool;

/// The listener's and the pool's tokens; a client's is its slot.
const LISTENER: Token = Token(usize::MAX);
const POOL: Token = Token(usize::MAX - 1);

const MODEL: Model =
    Model::new("mio-pool").computes(&[Compute::Pool]).with_workers();

const EVENTS_PER_POLL: usize = 1_024;

/// Urgent data too: a read stops short of it without having emptied the
/// socket; see tcp(7).
const READABLE: Interest = Interest::READABLE.add(Interest::PRIORITY);

/// How many clients are accepted before it is somebody else's turn.
const ACCEPTS_PER_TURN: usize = 64;

fn main() -> ExitCode {
    chassis::run(MODEL, serve)
}

/// Accepts clients, and gives a turn to each whose socket is ready.
///
/// Readiness is edge-triggered: it is told once, so whoever does not finish
/// in a turn queues for another. All events of a batch are noted before any
/// client has its turn or is accepted: no slot passes to another client while
/// an event for the last one is still to come.
fn serve(
    listener: net::TcpListener,
    chassis: &'static Chassis,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let mut listener = TcpListener::from_std(listener);
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut events = Events::with_capacity(EVENTS_PER_POLL);
    let mut pool = Pool::new(chassis.workers(), poll.registry(), POOL)?;
    let mut clients: Slab<Connection> = Slab::new();
    let mut turns: VecDeque<usize> = VecDeque::new();
    let mut accept_at: Option<Instant> = None;
    loop {
        let timeout = match turns.is_empty() {
            true => accept_at.map(time_until),
            false => Some(Duration::ZERO),
        };
        match poll.poll(&mut events, timeout) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            polled => polled?,
        }
        for event in &events {
            match event.token() {
                LISTENER => accept_at = accept_at.or(Some(Instant::now())),
                POOL => pool.take_answers(|slot, reply| {
                    clients[slot].client.reply(reply);
                    turns.push_back(slot);
                }),
                Token(slot) => {
                    if let Some(connection) = clients.get_mut(slot)
                        && connection.note(event)
                    {
                        turns.push_back(slot);
                    }
                }
            }
        }
        for _ in 0..turns.len() {
            let Some(slot) = turns.pop_front() else { break };
            let connection = &mut clients[slot];
            match connection.converse(&pool, poll.registry(), Token(slot)) {
                Ok(Turn::HasMore) => turns.push_back(slot),
                Ok(Turn::Computes) => {}
                Ok(Turn::Waits) => clients[slot].is_queued = false,
                ended => {
                    clients.remove(slot);
                    chassis.log_end(ended.map(|_over| ()));
                }
            }
        }
        if accept_at.is_some_and(|time| time_until(time).is_zero()) {
            let registry = poll.registry();
            accept_at = accept(&listener, &mut clients, registry, chassis);
        }
    }
}

/// Accepts a turn's worth of clients. Returns when to accept the next, if
/// that will not be told by an event.
fn accept(
    listener: &TcpListener,
    clients: &mut Slab<Connection>,
    registry: &Registry,
    chassis: &'static Chassis,
) -> Option<Instant> {
    for _ in 0..ACCEPTS_PER_TURN {
        let accepted = listener.accept();
        if let Err(error) = &accepted
            && error.kind() == ErrorKind::WouldBlock
        {
            return None;
        }
        match chassis.admit(accepted) {
            Admission::Client(client) => {
                let slot = clients.vacant_entry();
                let token = Token(slot.key());
                match Connection::new(client, registry, token) {
                    Ok(connection) => _ = slot.insert(connection),
                    Err(error) => chassis.log_refusal(&error),
                }
            }
            Admission::NoClient => {}
            Admission::Pause(time) => return Some(Instant::now() + time),
            Admission::Stop => return None,
        }
    }
    Some(Instant::now())
}

struct Connection {
    client: Client<TcpStream>,
    /// What the poll is to tell of it.
    interest: Interest,
    /// A read may find something. A short read has emptied the socket; the
    /// next bytes will be a new edge.
    is_readable: bool,
    /// After the end of input, or urgent data, a short read says nothing.
    reads_until_blocked: bool,
    /// It has a place in the queue, or will have when its answer is there.
    is_queued: bool,
}

/// How a turn went.
enum Turn {
    /// Its request is on the pool. The answer gives it another turn.
    Computes,
    /// Its socket is not ready. The next event gives it another turn.
    Waits,
    HasMore,
    Over,
}

impl Connection {
    fn new(
        mut client: Client<TcpStream>,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Connection> {
        let interest = READABLE;
        registry.register(client.stream(), token, interest)?;
        Ok(Connection {
            client,
            interest,
            is_readable: false,
            reads_until_blocked: false,
            is_queued: false,
        })
    }

    /// Notes what an event tells, which may be nothing: a turn without reason
    /// costs one read that would block. Returns whether to queue for a turn.
    fn note(&mut self, event: &Event) -> bool {
        self.reads_until_blocked |=
            event.is_read_closed() || event.is_priority() || event.is_error();
        self.is_readable |= event.is_readable() || self.reads_until_blocked;
        !std::mem::replace(&mut self.is_queued, true)
    }

    /// Talks to one client for a turn.
    fn converse(
        &mut self,
        pool: &Pool,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Turn> {
        loop {
            match self.client.next_step() {
                Step::Read(stream, space) if self.is_readable => {
                    let space_bytes = space.len();
                    let count = unless_blocked(stream.read(space))?;
                    self.is_readable = count.is_some_and(|count| {
                        count == space_bytes || self.reads_until_blocked
                    });
                    if let Some(count) = count {
                        self.client.received(count);
                    }
                }
                Step::Read(..) => {
                    return self.wait(READABLE, registry, token);
                }
                Step::Compute(request @ Request::Malformed(_)) => {
                    let reply = request.compute();
                    self.client.reply(reply);
                }
                Step::Compute(request) => {
                    pool.compute(self.client.job(request), token.0);
                    return Ok(Turn::Computes);
                }
                Step::Write(stream, bytes) => {
                    match unless_blocked(stream.write(bytes))? {
                        Some(count) => self.client.sent(count),
                        None => {
                            let interest = Interest::WRITABLE;
                            return self.wait(interest, registry, token);
                        }
                    }
                }
                Step::Yield => return Ok(Turn::HasMore),
                Step::Close => return Ok(Turn::Over),
            }
        }
    }

    /// Leaves the loop until the socket is ready for `interest`. Changing the
    /// interest brings an event if it is ready already.
    fn wait(
        &mut self,
        interest: Interest,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Turn> {
        if self.interest != interest {
            self.interest = interest;
            registry.reregister(self.client.stream(), token, interest)?;
        }
        Ok(Turn::Waits)
    }
}

/// What was read or written, or `None` if the socket is not ready.
fn unless_blocked(done: io::Result<usize>) -> io::Result<Option<usize>> {
    match done {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        done => done.map(Some),
    }
}

fn time_until(time: Instant) -> Duration {
    time.saturating_duration_since(Instant::now())
}
