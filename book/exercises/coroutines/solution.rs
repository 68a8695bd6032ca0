//! A coroutine per client, and an executor that polls them, in one file.
//!
//! A coroutine that must wait leaves its waker at the socket. The executor
//! polls those who were woken, and sleeps when nobody was.

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

/// A coroutine that runs beside the others.
type Task = Pin<Box<dyn Future<Output = ()>>>;

thread_local! {
    /// The tasks that the executor has not taken yet.
    static SPAWNED: RefCell<Vec<Task>> = RefCell::default();
    /// Who tells which sockets are ready.
    static POLL: RefCell<mio::Poll> =
        RefCell::new(mio::Poll::new().expect("epoll"));
    /// Whom to wake when a socket is.
    static WAITING: RefCell<HashMap<Token, Waker>> = RefCell::default();
}

/// The numbers of the tasks to be polled. A waker may be used on any thread,
/// and so there is a lock, which here nobody ever waits for.
static WOKEN: Mutex<Vec<usize>> = Mutex::new(Vec::new());

/// What a waker is made of: the number of its task.
struct Number(usize);

impl Wake for Number {
    fn wake(self: Arc<Self>) {
        woken().push(self.0);
    }
}

fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).expect("usage: coroutines PORT");
    let address = format!("127.0.0.1:{port}").parse().expect("a port");
    let listener = TcpListener::bind(address)?;
    spawn(async {
        // It ends only if it fails, and then the server does.
        if let Err(error) = serve(listener).await {
            eprintln!("Error: {error}");
            process::exit(1);
        }
    });
    run()
}

/// Accepts clients, and gives each a task.
async fn serve(mut listener: TcpListener) -> io::Result<()> {
    let token = watch(&mut listener)?;
    loop {
        let accepted = when_ready(token, || listener.accept()).await;
        let (stream, _) = accepted?;
        // A conversation that fails is over as well.
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

/// Has the poll tell of a socket, by this token, whenever that gets ready.
fn watch(socket: &mut (impl Source + AsRawFd)) -> io::Result<Token> {
    let token = Token(socket.as_raw_fd() as usize);
    let interest = Interest::READABLE | Interest::WRITABLE;
    POLL.with_borrow(|poll| poll.registry().register(socket, token, interest))?;
    Ok(token)
}

/// Tries it, and waits as long as it would block.
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

/// Makes a task of a coroutine.
fn spawn(coroutine: impl Future<Output = ()> + 'static) {
    SPAWNED.with_borrow_mut(|spawned| spawned.push(Box::pin(coroutine)));
}

/// The executor: polls who was woken, and sleeps when nobody was.
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
            let waker = Waker::from(Arc::new(Number(number)));
            let mut context = Context::from_waker(&waker);
            if task.as_mut().poll(&mut context).is_ready() {
                drop(tasks.remove(number));
            }
        }
    }
}

/// Sleeps until some socket is ready, and wakes who waits for it.
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
