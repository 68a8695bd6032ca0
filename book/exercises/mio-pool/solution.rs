//! An event loop, and a pool of threads that compute for it.
//!
//! A job carries the name of its client: a key, which others may have later,
//! and a number, which nobody has again. An answer to somebody who has left is
//! dropped.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};
use protocol::{Conversation, Framing, N_MAX, Reply, Request, Step};
use rayon::ThreadPoolBuilder;
use slab::Slab;

/// The listener's token, and the pool's; a client's is its key.
const LISTENER: Token = Token(usize::MAX);
const POOL: Token = Token(usize::MAX - 1);

/// How many threads compute.
const WORKERS: usize = 4;

fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).expect("usage: mio-pool PORT");
    let address = format!("127.0.0.1:{port}").parse().expect("a port");
    let mut listener = TcpListener::bind(address)?;
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let waker = Arc::new(Waker::new(poll.registry(), POOL)?);
    let (sender, answers) = mpsc::channel();
    let pool = Pool { sender, waker };
    let workers = ThreadPoolBuilder::new().num_threads(WORKERS);
    workers.build_global().map_err(io::Error::other)?;
    let mut clients: Slab<Client> = Slab::new();
    let mut numbers = 0..;
    let mut events = Events::with_capacity(64);
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            let Token(key) = event.token();
            let Some(client) = clients.get_mut(key) else { continue };
            // Whoever was reset takes no answer, and need not wait for it.
            if event.is_error() || client.is_over_after_turn(&pool) {
                clients.remove(key);
            }
        }
        for (name, reply) in answers.try_iter() {
            let client = clients.get_mut(name.key);
            let client = client.filter(|client| client.name == name);
            let Some(client) = client else { continue };
            client.is_computed = false;
            client.conversation.reply(reply);
            if client.is_over_after_turn(&pool) {
                clients.remove(name.key);
            }
        }
        while let Some(mut stream) = accept(&listener)? {
            let place = clients.vacant_entry();
            let key = place.key();
            let interest = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(&mut stream, Token(key), interest)?;
            let number = numbers.next().expect("a number for everybody");
            place.insert(Client::new(Name { key, number }, stream));
        }
    }
}

/// Accepts a client, if there is one.
fn accept(listener: &TcpListener) -> io::Result<Option<TcpStream>> {
    match listener.accept() {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        accepted => accepted.map(|(stream, _)| Some(stream)),
    }
}

/// The way to the threads that compute, and back.
struct Pool {
    sender: Sender<(Name, Reply)>,
    waker: Arc<Waker>,
}

impl Pool {
    /// Has a worker compute the answer, which comes with the client's name.
    fn compute(&self, name: Name, request: Request) {
        let (sender, waker) = (self.sender.clone(), Arc::clone(&self.waker));
        rayon::spawn(move || {
            // Both fail only when the loop has ended.
            _ = sender.send((name, request.compute()));
            _ = waker.wake();
        });
    }
}

/// Which client is meant: whoever has the key, but only if it is that one.
#[derive(Clone, Copy, PartialEq)]
struct Name {
    key: usize,
    number: u64,
}

/// A client, and how far the conversation with it has come.
struct Client {
    name: Name,
    stream: TcpStream,
    conversation: Conversation,
    /// Its request is on the pool. Until the answer is there it has no turn.
    is_computed: bool,
}

impl Client {
    fn new(name: Name, stream: TcpStream) -> Client {
        // It fails only for a client that has left, which is told later.
        _ = stream.set_nodelay(true);
        let conversation = Conversation::new(Framing::Line, N_MAX);
        Client { name, stream, conversation, is_computed: false }
    }

    /// Talks to it until it must wait. Whether it has left.
    fn is_over_after_turn(&mut self, pool: &Pool) -> bool {
        match self.converse(pool) {
            Err(error) => error.kind() != ErrorKind::WouldBlock,
            Ok(()) => !self.is_computed,
        }
    }

    fn converse(&mut self, pool: &Pool) -> io::Result<()> {
        while !self.is_computed {
            match self.conversation.next_step() {
                Step::Read(space) => {
                    let count = self.stream.read(space)?;
                    self.conversation.received(count);
                }
                Step::Compute(request) => {
                    pool.compute(self.name, request);
                    self.is_computed = true;
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
