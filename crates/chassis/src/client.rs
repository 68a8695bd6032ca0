//! An admitted client: its stream, its conversation and its turns.

use std::os::fd::AsFd;
use std::time::Instant;

use protocol::{Conversation, Reply, Request};
use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown};

use crate::chassis::Chassis;
use crate::job::Job;
use crate::registry::{ConnectionId, Served, WaitsFor};

/// The number of steps in a client's turn.
///
/// A short request takes at most some 10 µs, so a turn takes well below a
/// millisecond. Fewer steps would make pipelining more expensive where ending
/// a turn costs a system call; with this many, a client with one request in
/// flight uses up its turn once in twenty requests.
const STEPS_PER_TURN: u32 = 64;

/// What a client's conversation waits for.
///
/// This is [`protocol::Step`] with the stream to wait on, and with turns.
#[derive(Debug)]
pub enum Step<'a, S> {
    /// More input. Read into this space (never empty), then call
    /// [`received`](Client::received).
    Read(&'a mut S, &'a mut [u8]),
    /// The reply to this request. Compute it here, or elsewhere as a
    /// [`job`](Client::job), then call [`reply`](Client::reply).
    Compute(Request),
    /// Room for output. Write some or all of these bytes (never empty), then
    /// call [`sent`](Client::sent).
    Write(&'a mut S, &'a [u8]),
    /// Other clients: this client's turn is over, after a long request or many
    /// steps. Continue once every client that is ready now has had a turn.
    Yield,
    /// Nothing. Drop the client, which closes the connection.
    Close,
}

/// An admitted client: its stream and its conversation.
///
/// A server asks for the [`next_step`](Client::next_step), waits for it in the
/// way of its model, passes the result back, and repeats that until the
/// conversation ends or the stream fails. Dropping the client closes the
/// connection. A client that is dropped before its first step was never
/// served, for instance because no thread was available: it is sent
/// `error: server-full`.
#[derive(Debug)]
pub struct Client<S: AsFd> {
    // Fields are dropped in order, and a connection must be deregistered
    // before its descriptor is closed.
    registration: Registration,
    /// Boxed, so that a client is cheap to move into a thread or a task.
    conversation: Box<Conversation>,
    /// Whether `next_step` was called.
    is_served: bool,
    /// How many steps remain of this turn.
    steps_left: u32,
    stream: S,
}

/// A connection's entry in the registry, removed on drop.
#[derive(Debug)]
struct Registration {
    chassis: &'static Chassis,
    connection: ConnectionId,
    requests: u64,
    /// Whether it is the server's own connection, for its first request.
    is_first: bool,
}

impl<S: AsFd> Client<S> {
    /// Registers a client, or returns its stream if too many are connected.
    pub(crate) fn register(
        chassis: &'static Chassis,
        stream: S,
        is_first: bool,
    ) -> Result<Client<S>, S> {
        let now = Instant::now();
        let Some(connection) =
            chassis.registry.register(&stream, now, is_first)
        else {
            return Err(stream);
        };
        let conversation = Conversation::new(chassis.framing, chassis.n_max);
        Ok(Client {
            registration: Registration {
                chassis,
                connection,
                requests: 0,
                is_first,
            },
            conversation: Box::new(conversation),
            is_served: false,
            steps_left: STEPS_PER_TURN,
            stream,
        })
    }

    /// Returns the client's stream.
    pub fn stream(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Returns what the conversation waits for. A step that was not carried out
    /// is returned again, except for [`Step::Compute`], which is returned once.
    #[inline]
    pub fn next_step(&mut self) -> Step<'_, S> {
        self.is_served = true;
        let registration = &mut self.registration;
        let activity = &registration.connection.activity;
        if activity.input_has_ended() {
            self.conversation.end_input();
        }
        let Some(steps_left) = self.steps_left.checked_sub(1) else {
            self.steps_left = STEPS_PER_TURN;
            return Step::Yield;
        };
        self.steps_left = steps_left;
        match self.conversation.next_step() {
            protocol::Step::Read(space) => {
                activity.wait_for(WaitsFor::Input);
                Step::Read(&mut self.stream, space)
            }
            protocol::Step::Compute(request) => {
                activity.wait_for(WaitsFor::Reply);
                activity.note_progress();
                registration.requests += 1;
                if request.is_long()
                    && registration.chassis.compute().is_in_place()
                {
                    // Other clients have waited for it. One more step allows
                    // this one to send the reply.
                    self.steps_left = 1;
                }
                Step::Compute(request)
            }
            protocol::Step::Write(bytes) => {
                activity.wait_for(WaitsFor::Output);
                Step::Write(&mut self.stream, bytes)
            }
            protocol::Step::Close => Step::Close,
        }
    }

    /// Takes the `count` bytes that were read into the space of
    /// [`Step::Read`]. A count of 0 is end-of-file.
    ///
    /// # Panics
    ///
    /// Panics if `count` is larger than the space.
    #[inline]
    pub fn received(&mut self, count: usize) {
        self.registration.connection.activity.note_input(count);
        self.conversation.received(count);
    }

    /// Makes a job of the request of [`Step::Compute`], to be computed
    /// elsewhere.
    #[inline]
    pub fn job(&self, request: Request) -> Job {
        let Registration { chassis, connection, .. } = &self.registration;
        Job::new(chassis, connection.clone(), request)
    }

    /// Takes the reply to the request of [`Step::Compute`].
    #[inline]
    pub fn reply(&mut self, reply: Reply) {
        self.registration.connection.activity.note_progress();
        self.conversation.reply(reply);
    }

    /// Notes that the first `count` bytes of [`Step::Write`] were written.
    ///
    /// # Panics
    ///
    /// Panics if `count` is larger than the number of bytes to write.
    #[inline]
    pub fn sent(&mut self, count: usize) {
        self.registration.connection.activity.note_output();
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

impl Drop for Registration {
    fn drop(&mut self) {
        let Registration { chassis, connection, requests, is_first } = self;
        let served = if *is_first {
            Served::default()
        } else {
            Served { connections: 1, requests: *requests }
        };
        if chassis.registry.deregister(connection, served) {
            chassis.wake_housekeeping();
        }
    }
}

/// Sends `error: server-full` without waiting, and ends the output. A socket
/// to which nothing was written has room for one line.
pub(crate) fn refuse(stream: &impl AsFd) {
    let mut line = [0; protocol::REPLY_BYTES_MAX];
    let length = Reply::Error(protocol::Error::ServerFull).encode(&mut line);
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    let _ = send(stream, &line[..length], flags);
    let _ = shutdown(stream, Shutdown::Write);
    // Closing with unread input resets the connection, and the reset can
    // overtake the line.
    let _ = recv(stream, &mut [0; 1_024], RecvFlags::DONTWAIT);
}
