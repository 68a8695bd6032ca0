//! Model: an event loop on one thread, and a state machine per client.
//! Waits on: epoll_wait(2), which returns the sockets that are ready.
//! Limit: one core; a long request blocks all other clients.
//! Cost: a slot per client; one read and one write per request.

use std::io::{self, ErrorKind};
use std::mem;
use std::net::TcpListener;
use std::process::ExitCode;
use std::time::Duration;

use chassis::{Admission, Chassis, Client, Model, Step};
use mio::{Events, Poll, Registry, Token};
use readiness::{Listener, Socket};
use slab::Slab;

/// The listener's token. A client's token is its slot.
const LISTENER: Token = Token(usize::MAX);

const EVENTS_PER_POLL: usize = 1_024;

/// How many clients are accepted before connected clients get their turns.
const ACCEPTS_PER_TURN: usize = 64;

fn main() -> ExitCode {
    chassis::run(Model::new("mio"), serve)
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
            match converse(&mut clients[slot]) {
                Ok(Turn::HasMore) => queue.push(slot),
                Ok(Turn::Waits) => {}
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
    HasMore,
    Over,
}

/// Talks to one client for a turn.
fn converse(client: &mut Client<Socket>) -> io::Result<Turn> {
    loop {
        match client.next_step() {
            Step::Read(socket, space) => match socket.try_read(space)? {
                Some(count) => client.received(count),
                None => return Ok(Turn::Waits),
            },
            Step::Compute(request) => {
                let reply = request.compute();
                client.reply(reply);
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
