//! A server with an event loop: one thread serves each client whose socket is
//! ready.
//!
//! The server reads from a client only after all earlier replies are written.
//! So the requests of a client that doesn't read wait in the kernel, and the
//! server keeps no more than the replies to a single read.

use std::io::{self, ErrorKind, Read, Write};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token};
use protocol::{Decoder, Framing, N_MAX, REPLY_BYTES_MAX};
use slab::Slab;

/// The listener's token. A client's token is its key in the slab.
const LISTENER: Token = Token(usize::MAX);

fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).expect("usage: mio PORT");
    let address = format!("127.0.0.1:{port}").parse().expect("a port");
    let mut listener = TcpListener::bind(address)?;
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut events = Events::with_capacity(64);
    let mut clients: Slab<Client> = Slab::new();
    loop {
        poll.poll(&mut events, None)?;
        for Token(key) in events.iter().map(|event| event.token()) {
            match clients.get_mut(key).map(Client::turn) {
                None => {}
                Some(Err(error)) if error.kind() == ErrorKind::WouldBlock => {}
                Some(Ok(()) | Err(_)) => _ = clients.remove(key),
            }
        }
        accept(&listener, &mut clients, poll.registry())?;
    }
}

/// Accepts all waiting clients.
fn accept(
    listener: &TcpListener,
    clients: &mut Slab<Client>,
    registry: &Registry,
) -> io::Result<()> {
    loop {
        let mut stream = match listener.accept() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => break Ok(()),
            accepted => accepted?.0,
        };
        let entry = clients.vacant_entry();
        let token = Token(entry.key());
        stream.set_nodelay(true)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        registry.register(&mut stream, token, interest)?;
        let requests = Decoder::new(Framing::Line, N_MAX);
        entry.insert(Client { stream, requests, replies: Vec::new() });
    }
}

/// A client, and the state of the conversation with it.
struct Client {
    stream: TcpStream,
    requests: Decoder,
    replies: Vec<u8>,
}

impl Client {
    /// Writes, reads and replies until the client leaves, or until that would
    /// block, which is an error. The next event begins the next turn, with the
    /// replies that are not written yet.
    fn turn(&mut self) -> io::Result<()> {
        loop {
            while !self.replies.is_empty() {
                let count = self.stream.write(&self.replies)?;
                self.replies.drain(..count);
            }
            let count = self.stream.read(self.requests.space())?;
            if count == 0 {
                return Ok(());
            }
            self.requests.received(count);
            self.answer();
        }
    }

    /// Computes the replies to all requests that have arrived.
    fn answer(&mut self) {
        while let Some(request) = self.requests.next_request() {
            let mut line = [0; REPLY_BYTES_MAX];
            let length = request.compute().encode(&mut line);
            self.replies.extend_from_slice(&line[..length]);
        }
    }
}
