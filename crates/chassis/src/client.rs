use std::os::fd::AsFd;
use std::time::Instant;

use protocol::{Conversation, Reply, Request};
use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown};

use crate::Chassis;
use crate::job::Job;
use crate::registry::{Seat, WaitsFor};

/// How many steps a client's turn has.
///
/// Requests that are not slow take at most some 10 µs each: so a turn takes
/// well below a millisecond. Fewer steps would make pipelining dearer, where
/// ending a turn costs a system call; a client with one request in flight
/// loses its turn once in twenty requests.
const STEPS_PER_TURN: u32 = 64;

/// What a client's conversation waits for.
///
/// It is [`protocol::Step`] with the stream to wait on, and with turns.
#[derive(Debug)]
pub enum Step<'a, S> {
    /// More input. Read into this space (never empty), then say
    /// [`received`](Client::received).
    Read(&'a mut S, &'a mut [u8]),
    /// The answer to this request. Compute it here, or elsewhere as a
    /// [`job`](Client::job), then say [`reply`](Client::reply).
    Compute(Request),
    /// The client to take output. Write these bytes (never empty) or some of
    /// them, then say [`sent`](Client::sent).
    Write(&'a mut S, &'a [u8]),
    /// The others: this client has had its turn, be it a slow request or many
    /// steps. Go on when those have had theirs who are ready by now.
    Yield,
    /// Nothing. Drop the client, which closes the connection.
    Close,
}

/// An admitted client: its stream and its conversation.
///
/// Its owner asks for the [`next_step`](Client::next_step), waits for it in
/// its model's way, says what came of it, and so on until there is nothing to
/// wait for or the stream fails. Dropping the client closes the connection.
/// One that is dropped before its first step was never served, for instance
/// because no thread could be had for it: it is told `error: server-full`.
#[derive(Debug)]
pub struct Client<S: AsFd> {
    // In this order, because fields are dropped in order: a connection must
    // leave the registry before its descriptor is closed.
    membership: Membership,
    /// In a box, so that a client is cheap to move into a thread or a task.
    conversation: Box<Conversation>,
    /// Whether anybody has asked for its next step.
    is_served: bool,
    /// What is left of its turn.
    steps_left: u32,
    stream: S,
}

/// Membership in the registry, left when dropped.
#[derive(Debug)]
struct Membership {
    chassis: &'static Chassis,
    seat: Seat,
    requests: u64,
}

impl<S: AsFd> Client<S> {
    /// Enters the client into the registry; gives the stream back if there
    /// are too many.
    pub(crate) fn enter(
        chassis: &'static Chassis,
        stream: S,
    ) -> Result<Client<S>, S> {
        let Some(seat) = chassis.registry.enter(&stream, Instant::now()) else {
            return Err(stream);
        };
        let conversation = Conversation::new(chassis.framing, chassis.n_max);
        Ok(Client {
            membership: Membership { chassis, seat, requests: 0 },
            conversation: Box::new(conversation),
            is_served: false,
            steps_left: STEPS_PER_TURN,
            stream,
        })
    }

    /// Its stream.
    pub fn stream(&mut self) -> &mut S {
        &mut self.stream
    }

    /// What its conversation waits for. Asked again before the step was done,
    /// it gives the same step again, but for [`Step::Compute`], which it gives
    /// once.
    #[inline]
    pub fn next_step(&mut self) -> Step<'_, S> {
        self.is_served = true;
        if self.membership.seat.signs.input_has_ended() {
            self.conversation.end_input();
        }
        let Some(steps_left) = self.steps_left.checked_sub(1) else {
            self.steps_left = STEPS_PER_TURN;
            return Step::Yield;
        };
        self.steps_left = steps_left;
        let membership = &mut self.membership;
        let signs = &membership.seat.signs;
        match self.conversation.next_step() {
            protocol::Step::Read(space) => {
                signs.wait_for(WaitsFor::Input);
                Step::Read(&mut self.stream, space)
            }
            protocol::Step::Compute(request) => {
                signs.wait_for(WaitsFor::Answer);
                signs.moved();
                membership.requests += 1;
                if request.is_slow()
                    && membership.chassis.compute().is_in_place()
                {
                    // The others have waited for it; it has one step more,
                    // in which to send its reply.
                    self.steps_left = 1;
                }
                Step::Compute(request)
            }
            protocol::Step::Write(bytes) => {
                signs.wait_for(WaitsFor::Output);
                Step::Write(&mut self.stream, bytes)
            }
            protocol::Step::Close => Step::Close,
        }
    }

    /// Takes `count` bytes, which were read into [`Step::Read`]'s space; 0 is
    /// end-of-file.
    ///
    /// # Panics
    ///
    /// If `count` is more than there was space for.
    #[inline]
    pub fn received(&mut self, count: usize) {
        let signs = &self.membership.seat.signs;
        signs.attended();
        signs.received(count);
        self.conversation.received(count);
    }

    /// The request that [`Step::Compute`] gave, to be computed elsewhere.
    #[inline]
    pub fn job(&self, request: Request) -> Job {
        let Membership { chassis, seat, .. } = &self.membership;
        Job::new(chassis, seat.clone(), request)
    }

    /// Takes the answer to the request that [`Step::Compute`] gave.
    #[inline]
    pub fn reply(&mut self, reply: Reply) {
        self.membership.seat.signs.moved();
        self.conversation.reply(reply);
    }

    /// Notes that the first `count` bytes of [`Step::Write`] are written.
    ///
    /// # Panics
    ///
    /// If `count` is more than there was to write.
    #[inline]
    pub fn sent(&mut self, count: usize) {
        let signs = &self.membership.seat.signs;
        signs.attended();
        signs.moved();
        self.conversation.sent(count);
    }
}

impl<S: AsFd> Drop for Client<S> {
    fn drop(&mut self) {
        if !self.is_served {
            refuse(&self.stream);
        }
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        let Membership { chassis, seat, requests } = self;
        if chassis.registry.leave(seat, *requests) {
            chassis.wake_housekeeping();
        }
    }
}

/// Tells a client that is not going to be served, without waiting for it.
/// There is room for one line in a socket that nothing was written to.
pub(crate) fn refuse(stream: &impl AsFd) {
    let mut line = [0; protocol::REPLY_BYTES_MAX];
    let length = Reply::Error(protocol::Error::ServerFull).encode(&mut line);
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    let _ = send(stream, &line[..length], flags);
    let _ = shutdown(stream, Shutdown::Write);
    // A close with input unread is a reset, which can overtake the line.
    let _ = recv(stream, &mut [0; 1_024], RecvFlags::DONTWAIT);
}
