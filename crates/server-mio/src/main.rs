//! Model: a readiness loop; each client is a state machine that it turns.
//! Waits on: epoll_wait(2), for whichever socket is ready next.
//! Limit: one core, and the longest request: all others wait for it.
//! Cost: a slot per client; one read and one write per request.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use chassis::{Admission, Chassis, Client, Model, Step};
use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token};
use slab::Slab;

/// The listener's token; a client's is its slot.
const LISTENER: Token = Token(usize::MAX);

const EVENTS_PER_POLL: usize = 1_024;

/// How much is done in a turn, before it is somebody else's.
const STEPS_PER_TURN: usize = 64;
const ACCEPTS_PER_TURN: usize = 64;

fn main() -> ExitCode {
    chassis::run(Model::new("mio"), serve)
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
    let mut accept = Accept::WhenReady;
    let mut clients = Clients::default();
    loop {
        let timeout = clients.timeout().or(accept.timeout());
        match poll.poll(&mut events, timeout) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            polled => polled?,
        }
        for event in &events {
            match event.token() {
                LISTENER => accept.ready(),
                Token(slot) => clients.ready(slot, event),
            }
        }
        clients.take_turns(poll.registry(), chassis);
        if accept.is_due() {
            accept = clients.accept(&listener, poll.registry(), chassis);
        }
    }
}

/// When to accept the next client.
enum Accept {
    Now,
    WhenReady,
    /// Something ran out: there will be no new edge when it is back.
    At(Instant),
    Never,
}

impl Accept {
    fn ready(&mut self) {
        if let Accept::WhenReady = self {
            *self = Accept::Now;
        }
    }

    fn is_due(&self) -> bool {
        self.timeout() == Some(Duration::ZERO)
    }

    /// How long the loop may wait for events.
    fn timeout(&self) -> Option<Duration> {
        match self {
            Accept::Now => Some(Duration::ZERO),
            Accept::At(time) => {
                Some(time.saturating_duration_since(Instant::now()))
            }
            Accept::WhenReady | Accept::Never => None,
        }
    }
}

/// All clients, and the queue of those whose turn it is.
#[derive(Default)]
struct Clients {
    slots: Slab<Connection>,
    turns: VecDeque<usize>,
}

struct Connection {
    client: Client<TcpStream>,
    /// What the poll is to tell of it.
    interest: Interest,
    /// A read may find something. A short read has emptied the socket; the
    /// next bytes will be a new edge.
    is_readable: bool,
    /// The end of input has been told, and will not be told again.
    is_at_end: bool,
    is_queued: bool,
}

/// How a turn went.
enum Turn {
    /// Its socket is not ready. The next event gives it another turn.
    Waits,
    HasMore,
    Over,
}

impl Clients {
    /// Somebody may be waiting for another turn.
    fn timeout(&self) -> Option<Duration> {
        (!self.turns.is_empty()).then_some(Duration::ZERO)
    }

    fn accept(
        &mut self,
        listener: &TcpListener,
        registry: &Registry,
        chassis: &'static Chassis,
    ) -> Accept {
        for _ in 0..ACCEPTS_PER_TURN {
            match listener.accept() {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Accept::WhenReady;
                }
                accepted => match chassis.admit(accepted) {
                    Admission::Client(client) => {
                        chassis.ended(self.enter(client, registry));
                    }
                    Admission::Nobody => {}
                    Admission::Pause(time) => {
                        return Accept::At(Instant::now() + time);
                    }
                    Admission::Stop => return Accept::Never,
                },
            }
        }
        Accept::Now
    }

    fn enter(
        &mut self,
        mut client: Client<TcpStream>,
        registry: &Registry,
    ) -> io::Result<()> {
        let slot = self.slots.vacant_entry();
        let interest = Interest::READABLE;
        registry.register(client.stream(), Token(slot.key()), interest)?;
        slot.insert(Connection {
            client,
            interest,
            is_readable: false,
            is_at_end: false,
            is_queued: false,
        });
        Ok(())
    }

    /// Notes what an event tells. It may tell nothing: a turn without reason
    /// costs one read that would block.
    fn ready(&mut self, slot: usize, event: &Event) {
        let Some(connection) = self.slots.get_mut(slot) else { return };
        connection.is_at_end |= event.is_read_closed() || event.is_error();
        connection.is_readable |= event.is_readable() || connection.is_at_end;
        if !connection.is_queued {
            connection.is_queued = true;
            self.turns.push_back(slot);
        }
    }

    /// Gives one turn to each who is queued now.
    fn take_turns(&mut self, registry: &Registry, chassis: &Chassis) {
        for _ in 0..self.turns.len() {
            let Some(slot) = self.turns.pop_front() else { break };
            let connection = &mut self.slots[slot];
            match connection.converse(registry, Token(slot)) {
                Ok(Turn::HasMore) => self.turns.push_back(slot),
                Ok(Turn::Waits) => connection.is_queued = false,
                ended => {
                    self.slots.remove(slot);
                    chassis.ended(ended.map(|_over| ()));
                }
            }
        }
    }
}

impl Connection {
    /// Talks to one client for a turn.
    fn converse(
        &mut self,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Turn> {
        for _ in 0..STEPS_PER_TURN {
            match self.client.next_step() {
                Step::Read(..) if !self.is_readable => {
                    return self.wait(Interest::READABLE, registry, token);
                }
                Step::Read(stream, space) => {
                    let space_bytes = space.len();
                    let count = unless_blocked(stream.read(space))?;
                    self.is_readable =
                        self.is_at_end || count == Some(space_bytes);
                    if let Some(count) = count {
                        self.client.received(count);
                    }
                }
                Step::Compute(request) => {
                    let reply = request.compute();
                    self.client.reply(reply);
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
                Step::Close => return Ok(Turn::Over),
            }
        }
        Ok(Turn::HasMore)
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
