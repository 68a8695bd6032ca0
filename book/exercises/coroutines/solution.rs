//! A server with a coroutine per client, and its executor, in one file.
//!
//! A coroutine that must wait registers its waker for its socket. The executor
//! polls the tasks that were woken, and sleeps when there are none.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future;
use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::process;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use mio::event::Source;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Token};
use protocol::{Conversation, Framing, N_MAX, Step};
use slab::Slab;

/// A coroutine that the executor runs.
type Task = Pin<Box<dyn Future<Output = ()>>>;

thread_local! {
    /// New tasks, which the executor hasn't taken yet.
    static SPAWNED: RefCell<Vec<Task>> = RefCell::default();
    /// Reports which sockets are ready.
    static POLL: RefCell<mio::Poll> =
        RefCell::new(mio::Poll::new().expect("epoll"));
    /// The waker to use when a socket becomes ready.
    static WAITING: RefCell<HashMap<Token, Waker>> = RefCell::default();
}

/// The numbers of the tasks to poll. The lock is there because a waker may be
/// used on any thread. This program has only one, so the lock never blocks.
static WOKEN: Mutex<Vec<usize>> = Mutex::new(Vec::new());

/// Wakes the task with this number.
struct TaskWaker(usize);

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        woken().push(self.0);
    }
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
async fn serve(mut listener: TcpListener) -> io::Result<()> {
    let token = watch(&mut listener)?;
    loop {
        let accepted = when_ready(token, || listener.accept()).await;
        let (stream, _) = accepted?;
        // A conversation that fails has ended, too.
        spawn(async { _ = converse(stream).await });
    }
}

/// Answers one client until it leaves.
async fn converse(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let token = watch(&mut stream)?;
    let mut conversation = Conversation::new(Framing::Line, N_MAX);
    loop {
        match conversation.next_step() {
            Step::Read(space) => {
                let count = when_ready(token, || stream.read(space)).await?;
                conversation.received(count);
            }
            Step::Compute(request) => conversation.reply(request.compute()),
            Step::Write(bytes) => {
                let count = when_ready(token, || stream.write(bytes)).await?;
                conversation.sent(count);
            }
            Step::Close => return Ok(()),
        }
    }
}

/// Registers a socket with the poll. Returns the token of its events.
fn watch(socket: &mut (impl Source + AsRawFd)) -> io::Result<Token> {
    let token = Token(socket.as_raw_fd() as usize);
    let interest = Interest::READABLE | Interest::WRITABLE;
    POLL.with_borrow(|poll| poll.registry().register(socket, token, interest))?;
    Ok(token)
}

/// Calls `try_it` until it no longer fails with `WouldBlock`.
async fn when_ready<T>(
    token: Token,
    mut try_it: impl FnMut() -> io::Result<T>,
) -> io::Result<T> {
    future::poll_fn(|context| match try_it() {
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            let waker = context.waker().clone();
            WAITING.with_borrow_mut(|waiting| waiting.insert(token, waker));
            Poll::Pending
        }
        tried => Poll::Ready(tried),
    })
    .await
}

/// Passes a coroutine to the executor.
fn spawn(coroutine: impl Future<Output = ()> + 'static) {
    SPAWNED.with_borrow_mut(|spawned| spawned.push(Box::pin(coroutine)));
}

/// Runs the executor: polls the tasks that were woken, and sleeps when there
/// are none.
fn run() -> io::Result<()> {
    let mut tasks: Slab<Task> = Slab::new();
    let mut events = Events::with_capacity(64);
    loop {
        for task in SPAWNED.take() {
            woken().push(tasks.insert(task));
        }
        let numbers = mem::take(&mut *woken());
        if numbers.is_empty() {
            sleep(&mut events)?;
        }
        for number in numbers {
            let Some(task) = tasks.get_mut(number) else { continue };
            let waker = Waker::from(Arc::new(TaskWaker(number)));
            let mut context = Context::from_waker(&waker);
            if task.as_mut().poll(&mut context).is_ready() {
                drop(tasks.remove(number));
            }
        }
    }
}

/// Sleeps until a socket is ready, and wakes the tasks that wait for one.
fn sleep(events: &mut Events) -> io::Result<()> {
    POLL.with_borrow_mut(|poll| poll.poll(events, None))?;
    for event in &*events {
        let waker =
            WAITING.with_borrow_mut(|waiting| waiting.remove(&event.token()));
        if let Some(waker) = waker {
            waker.wake();
        }
    }
    Ok(())
}

fn woken() -> MutexGuard<'static, Vec<usize>> {
    WOKEN.lock().unwrap_or_else(PoisonError::into_inner)
}
