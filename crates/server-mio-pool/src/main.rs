//! Model: an event loop, a state machine per client, and a pool for fib.
//! Waits on: epoll_wait(2), for sockets and for replies of the pool.
//! Limit: the pool: a request waits for a free worker.
//! Cost: a slot per client; a read, a write and two wake-ups per request.

mod pool;

use std::io::{self, ErrorKind};
use std::mem;
use std::net::TcpListener;
use std::process::ExitCode;
use std::time::Duration;

use chassis::{Admission, Chassis, Client, Compute, Model, Request, Step};
use mio::{Events, Poll, Registry, Token};
use readiness::{Listener, Socket};
use slab::Slab;

use crate::pool::Pool;

const MODEL: Model =
    Model::new("mio-pool").computes(&[Compute::Pool]).with_workers();

/// The tokens of the listener and the pool. A client's token is its slot.
const LISTENER: Token = Token(usize::MAX);
const POOL: Token = Token(usize::MAX - 1);

const EVENTS_PER_POLL: usize = 1_024;

/// How many clients are accepted before connected clients get their turns.
const ACCEPTS_PER_TURN: usize = 64;

fn main() -> ExitCode {
    chassis::run(MODEL, serve)
}

/// Accepts clients, and gives a turn to each client that is ready.
///
/// Each change of readiness is reported once, so a client whose turn ends
/// before its socket would block is queued for another turn. All events of a
/// batch are noted before any client gets a turn or is accepted. So no slot is
/// reused before the last event of its previous client has been noted.
fn serve(listener: TcpListener, chassis: &'static Chassis) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut listener = Listener::new(listener, poll.registry(), LISTENER)?;
    let mut pool = Pool::new(chassis.workers(), poll.registry(), POOL)?;
    let mut events = Events::with_capacity(EVENTS_PER_POLL);
    let mut clients: Slab<Client<Socket>> = Slab::new();
    let (mut queue, mut turns) = (Vec::new(), Vec::new());
    loop {
        let timeout = if queue.is_empty() {
            listener.timeout()
        } else {
            Some(Duration::ZERO)
        };
        match poll.poll(&mut events, timeout) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            polled => polled?,
        }
        for event in &events {
            match event.token() {
                LISTENER => listener.note(),
                POOL => pool.take_replies(|slot, reply| {
                    clients[slot].reply(reply);
                    queue.push(slot);
                }),
                Token(slot) => {
                    if let Some(client) = clients.get_mut(slot)
                        && client.stream().note(event)
                    {
                        queue.push(slot);
                    }
                }
            }
        }
        mem::swap(&mut queue, &mut turns);
        for slot in turns.drain(..) {
            match converse(&mut clients[slot], slot, &pool) {
                Ok(Turn::HasMore) => queue.push(slot),
                Ok(Turn::Waits | Turn::Computes) => {}
                Ok(Turn::Over) => drop(clients.remove(slot)),
                Err(error) => {
                    clients.remove(slot);
                    chassis.log_end(Err(error));
                }
            }
        }
        accept(&mut listener, &mut clients, poll.registry(), chassis);
    }
}

/// Accepts at most [`ACCEPTS_PER_TURN`] clients.
fn accept(
    listener: &mut Listener,
    clients: &mut Slab<Client<Socket>>,
    registry: &Registry,
    chassis: &'static Chassis,
) {
    for _ in 0..ACCEPTS_PER_TURN {
        let Some(accepted) = listener.try_accept() else { return };
        match chassis.admit(accepted) {
            Admission::Client(mut client) => {
                let slot = clients.vacant_entry();
                let token = Token(slot.key());
                match client.stream().register(registry, token) {
                    Ok(()) => _ = slot.insert(client),
                    Err(error) => chassis.log_refusal(&error),
                }
            }
            Admission::NoClient => {}
            Admission::Pause(time) => listener.pause(time),
            Admission::Stop => return listener.stop(registry),
        }
    }
}

/// How a client's turn ended.
enum Turn {
    /// The socket isn't ready. The next event gives the client another turn.
    Waits,
    /// The pool has the request. Only the reply gives the client another turn,
    /// so that the client keeps its slot until then.
    Computes,
    HasMore,
    Over,
}

/// Talks to one client for a turn.
fn converse(
    client: &mut Client<Socket>,
    slot: usize,
    pool: &Pool,
) -> io::Result<Turn> {
    loop {
        match client.next_step() {
            Step::Read(socket, space) => match socket.try_read(space)? {
                Some(count) => client.received(count),
                None => return Ok(Turn::Waits),
            },
            Step::Compute(request @ Request::Malformed(_)) => {
                let reply = request.compute();
                client.reply(reply);
            }
            Step::Compute(request) => {
                pool.compute(client.job(request), slot);
                return Ok(Turn::Computes);
            }
            Step::Write(socket, bytes) => match socket.try_write(bytes)? {
                Some(count) => client.sent(count),
                None => return Ok(Turn::Waits),
            },
            Step::Yield => return Ok(Turn::HasMore),
            Step::Close => return Ok(Turn::Over),
        }
    }
}
