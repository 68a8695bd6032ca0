//! A coroutine per client, and a pool of two threads that compute for them.
//!
//! Only what takes longer than the way there and back goes to the pool. All
//! else is computed where it is asked for, and needs no worker.

use std::future;
use std::io;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use coroutines::net::{TcpListener, TcpStream};
use protocol::{Conversation, Framing, N_MAX, Reply, Request, Step};
use rayon::ThreadPoolBuilder;
use socket2::SockRef;

/// How many threads compute.
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

/// Accepts clients, and gives each a coroutine.
async fn serve(listener: std::net::TcpListener) -> io::Result<()> {
    let mut listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        // A conversation that fails is over as well.
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

/// Computes the answer if that is quick; or else has the pool compute it, and
/// waits.
async fn compute(request: Request) -> Reply {
    if !request.is_long() {
        return request.compute();
    }
    let here = Arc::new(Answer::default());
    let there = Arc::clone(&here);
    rayon::spawn(move || there.leave(request.compute()));
    future::poll_fn(|context| here.poll(context)).await
}

/// Where a worker leaves an answer, and a coroutine waits for it.
#[derive(Default)]
struct Answer(Mutex<State>);

#[derive(Default)]
enum State {
    #[default]
    Asked,
    /// Somebody waits, and is to be woken.
    Awaited(Waker),
    Known(Reply),
}

impl Answer {
    fn leave(&self, reply: Reply) {
        if let State::Awaited(waker) = self.change(State::Known(reply)) {
            waker.wake();
        }
    }

    fn poll(&self, context: &mut Context<'_>) -> Poll<Reply> {
        let waker = context.waker().clone();
        match self.change(State::Awaited(waker)) {
            State::Known(reply) => Poll::Ready(reply),
            _ => Poll::Pending,
        }
    }

    /// Leaves the new state, and takes the old one.
    fn change(&self, state: State) -> State {
        let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        mem::replace(&mut *place, state)
    }
}
