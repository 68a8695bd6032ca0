//! A server with a coroutine per client, and its executor, in one file.
//!
//! Its replies are right. Watch it in `top` while its clients are silent.

use std::cell::RefCell;
use std::future;
use std::io::{self, ErrorKind, Read, Write};
use std::pin::Pin;
use std::process;
use std::task::{Context, Poll, Waker};

use mio::net::{TcpListener, TcpStream};
use protocol::{Conversation, Framing, N_MAX, Step};

/// A coroutine that the executor runs.
type Task = Pin<Box<dyn Future<Output = ()>>>;

thread_local! {
    /// New tasks, which the executor hasn't taken yet.
    static SPAWNED: RefCell<Vec<Task>> = RefCell::default();
}

fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).expect("usage: coroutines PORT");
    let address = format!("127.0.0.1:{port}").parse().expect("a port");
    let listener = TcpListener::bind(address)?;
    spawn(async {
        // `serve` returns only if it fails. Then the server exits.
        if let Err(error) = serve(listener).await {
            eprintln!("Error: {error}");
            process::exit(1);
        }
    });
    run()
}

/// Accepts clients, and spawns a task for each.
async fn serve(listener: TcpListener) -> io::Result<()> {
    loop {
        let accepted = when_ready(|| listener.accept()).await;
        let (stream, _) = accepted?;
        // A conversation that fails has ended, too.
        spawn(async { _ = converse(stream).await });
    }
}

/// Answers one client until it leaves.
async fn converse(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut conversation = Conversation::new(Framing::Line, N_MAX);
    loop {
        match conversation.next_step() {
            Step::Read(space) => {
                let count = when_ready(|| stream.read(space)).await?;
                conversation.received(count);
            }
            Step::Compute(request) => conversation.reply(request.compute()),
            Step::Write(bytes) => {
                let count = when_ready(|| stream.write(bytes)).await?;
                conversation.sent(count);
            }
            Step::Close => return Ok(()),
        }
    }
}

/// Calls `try_it` until it no longer fails with `WouldBlock`.
async fn when_ready<T>(
    mut try_it: impl FnMut() -> io::Result<T>,
) -> io::Result<T> {
    future::poll_fn(|_context| match try_it() {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Poll::Pending,
        tried => Poll::Ready(tried),
    })
    .await
}

/// Passes a coroutine to the executor.
fn spawn(coroutine: impl Future<Output = ()> + 'static) {
    SPAWNED.with_borrow_mut(|spawned| spawned.push(Box::pin(coroutine)));
}

/// Runs the executor: polls every task, over and over.
fn run() -> ! {
    let mut tasks: Vec<Task> = Vec::new();
    loop {
        tasks.append(&mut SPAWNED.take());
        tasks.retain_mut(|task| {
            let mut context = Context::from_waker(Waker::noop());
            task.as_mut().poll(&mut context).is_pending()
        });
    }
}
