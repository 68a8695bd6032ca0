//! A server with an event loop, and a pool of threads that compute.
//!
//! A job carries the id of its client: a key, which may be used again, and a
//! serial number, which may not. The reply to a client that has left is
//! dropped.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};
use protocol::{Conversation, Framing, N_MAX, Reply, Request, Step};
use rayon::ThreadPoolBuilder;
use slab::Slab;

/// The tokens of the listener and the pool. A client's token is its key.
const LISTENER: Token = Token(usize::MAX);
const POOL: Token = Token(usize::MAX - 1);

/// The number of threads in the pool.
const WORKERS: usize = 4;

fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).expect("usage: mio-pool PORT");
    let address = format!("127.0.0.1:{port}").parse().expect("a port");
    let mut listener = TcpListener::bind(address)?;
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let waker = Arc::new(Waker::new(poll.registry(), POOL)?);
    let (sender, replies) = mpsc::channel();
    let pool = Pool { sender, waker };
    let workers = ThreadPoolBuilder::new().num_threads(WORKERS);
    workers.build_global().map_err(io::Error::other)?;
    let mut clients: Slab<Client> = Slab::new();
    let mut serials = 0..;
    let mut events = Events::with_capacity(64);
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            let Token(key) = event.token();
            let Some(client) = clients.get_mut(key) else { continue };
            // A client that was reset reads no reply, so it need not wait for
            // its job.
            if event.is_error() || client.is_over_after_turn(&pool) {
                clients.remove(key);
            }
        }
        for (id, reply) in replies.try_iter() {
            let client = clients.get_mut(id.key);
            let client = client.filter(|client| client.id == id);
            let Some(client) = client else { continue };
            client.has_job = false;
            client.conversation.reply(reply);
            if client.is_over_after_turn(&pool) {
                clients.remove(id.key);
            }
        }
        while let Some(mut stream) = accept(&listener)? {
            let entry = clients.vacant_entry();
            let key = entry.key();
            let interest = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(&mut stream, Token(key), interest)?;
            let serial = serials.next().expect("u64 does not overflow");
            entry.insert(Client::new(ClientId { key, serial }, stream));
        }
    }
}

/// Accepts a client, if one is waiting.
fn accept(listener: &TcpListener) -> io::Result<Option<TcpStream>> {
    match listener.accept() {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        accepted => accepted.map(|(stream, _)| Some(stream)),
    }
}

/// Hands jobs to the pool, and their replies to the loop.
struct Pool {
    sender: Sender<(ClientId, Reply)>,
    waker: Arc<Waker>,
}

impl Pool {
    /// Has a worker compute a request. The loop receives the reply with the
    /// client's id.
    fn compute(&self, id: ClientId, request: Request) {
        let (sender, waker) = (self.sender.clone(), Arc::clone(&self.waker));
        rayon::spawn(move || {
            // Both fail only after the loop has ended.
            _ = sender.send((id, request.compute()));
            _ = waker.wake();
        });
    }
}

/// Identifies a client, even after its key has been given to another.
#[derive(Clone, Copy, PartialEq)]
struct ClientId {
    key: usize,
    serial: u64,
}

/// A client, and the state of the conversation with it.
struct Client {
    id: ClientId,
    stream: TcpStream,
    conversation: Conversation,
    /// Whether the pool is computing its request. Until the reply has arrived,
    /// the conversation is suspended.
    has_job: bool,
}

impl Client {
    fn new(id: ClientId, stream: TcpStream) -> Client {
        // Fails only if the client has left, which `converse` detects.
        _ = stream.set_nodelay(true);
        let conversation = Conversation::new(Framing::Line, N_MAX);
        Client { id, stream, conversation, has_job: false }
    }

    /// Serves the client until that would block. Returns `true` if the
    /// conversation is over.
    fn is_over_after_turn(&mut self, pool: &Pool) -> bool {
        match self.converse(pool) {
            Err(error) => error.kind() != ErrorKind::WouldBlock,
            Ok(()) => !self.has_job,
        }
    }

    fn converse(&mut self, pool: &Pool) -> io::Result<()> {
        while !self.has_job {
            match self.conversation.next_step() {
                Step::Read(space) => {
                    let count = self.stream.read(space)?;
                    self.conversation.received(count);
                }
                Step::Compute(request) => {
                    pool.compute(self.id, request);
                    self.has_job = true;
                }
                Step::Write(bytes) => {
                    let count = self.stream.write(bytes)?;
                    self.conversation.sent(count);
                }
                Step::Close => break,
            }
        }
        Ok(())
    }
}
