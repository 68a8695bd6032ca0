//! A server with a coroutine per client, and a pool of two computing threads.
//!
//! Only requests that take longer than the way to the pool and back go there.
//! All others are computed on the loop's thread, and need no worker.

use std::future;
use std::io;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use coroutines::net::{TcpListener, TcpStream};
use protocol::{Conversation, Framing, N_MAX, Reply, Request, Step};
use rayon::ThreadPoolBuilder;
use socket2::SockRef;

/// The number of threads in the pool.
const WORKERS: usize = 2;

fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).expect("usage: coroutines-pool PORT");
    let address = format!("127.0.0.1:{port}");
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let pool = ThreadPoolBuilder::new().num_threads(WORKERS);
    pool.build_global().map_err(io::Error::other)?;
    coroutines::run(serve(listener))
}

/// Accepts clients, and spawns a coroutine for each.
async fn serve(listener: std::net::TcpListener) -> io::Result<()> {
    let mut listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        // A conversation that fails has ended, too.
        coroutines::spawn(async { _ = converse(stream).await });
    }
}

/// Answers one client until it leaves.
async fn converse(mut stream: TcpStream) -> io::Result<()> {
    SockRef::from(&stream).set_tcp_nodelay(true)?;
    let mut conversation = Conversation::new(Framing::Line, N_MAX);
    loop {
        match conversation.next_step() {
            Step::Read(space) => {
                let count = stream.read(space).await?;
                conversation.received(count);
            }
            Step::Compute(request) => {
                conversation.reply(compute(request).await);
            }
            Step::Write(bytes) => {
                let count = stream.write(bytes).await?;
                conversation.sent(count);
            }
            Step::Close => return Ok(()),
        }
    }
}

/// Computes a short request at once. For a long one, has the pool compute the
/// reply, and waits for it.
async fn compute(request: Request) -> Reply {
    if !request.is_long() {
        return request.compute();
    }
    let slot = Arc::new(ReplySlot::default());
    let filled = Arc::clone(&slot);
    rayon::spawn(move || filled.put(request.compute()));
    future::poll_fn(|context| slot.poll(context)).await
}

/// A slot that a worker puts a reply into, and a coroutine waits for.
#[derive(Default)]
struct ReplySlot(Mutex<State>);

#[derive(Default)]
enum State {
    #[default]
    Empty,
    /// A coroutine waits, and must be woken.
    Waiting(Waker),
    Ready(Reply),
}

impl ReplySlot {
    fn put(&self, reply: Reply) {
        if let State::Waiting(waker) = self.replace(State::Ready(reply)) {
            waker.wake();
        }
    }

    fn poll(&self, context: &mut Context<'_>) -> Poll<Reply> {
        let waker = context.waker().clone();
        match self.replace(State::Waiting(waker)) {
            State::Ready(reply) => Poll::Ready(reply),
            State::Empty | State::Waiting(_) => Poll::Pending,
        }
    }

    /// Sets a new state, and returns the old one.
    fn replace(&self, state: State) -> State {
        let mut old = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        mem::replace(&mut *old, state)
    }
}
