//! Tests of the executor's wakers, each as a small program.

use std::cell::{Cell, RefCell};
use std::future::{self, Future};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use coroutines::net;

/// No program takes longer, unless a wake-up was lost.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs a program on a thread of its own: a thread has one executor.
fn run<F, P>(program: P)
where
    P: FnOnce() -> F + Send + 'static,
    F: Future<Output = ()> + 'static,
{
    let (ended, end) = mpsc::channel();
    let thread = thread::spawn(move || {
        let main = async {
            program().await;
            Ok(())
        };
        coroutines::run(main).unwrap();
        ended.send(()).unwrap();
    });
    let timed_out =
        end.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout);
    assert!(!timed_out, "a wake-up was lost: the program still waits");
    thread.join().unwrap();
}

#[test]
fn a_wake_during_the_poll_is_not_lost() {
    run(|| {
        let mut polls = 0;
        future::poll_fn(move |context| {
            polls += 1;
            context.waker().wake_by_ref();
            if polls == 3 { Poll::Ready(()) } else { Poll::Pending }
        })
    });
}

#[test]
fn a_wake_from_another_thread_ends_the_wait() {
    run(|| async {
        let (sender, receiver) = mpsc::channel::<Waker>();
        thread::spawn(move || receiver.recv().unwrap().wake());
        let mut polls = 0;
        future::poll_fn(move |context| {
            polls += 1;
            if polls == 2 {
                return Poll::Ready(());
            }
            sender.send(context.waker().clone()).unwrap();
            Poll::Pending
        })
        .await;
    });
}

#[test]
fn a_late_wake_does_not_reach_the_next_task_in_the_slot() {
    run(|| async {
        let late: Rc<RefCell<Option<Waker>>> = Rc::default();
        let keep = Rc::clone(&late);
        coroutines::spawn(future::poll_fn(move |context| {
            *keep.borrow_mut() = Some(context.waker().clone());
            Poll::Ready(())
        }));
        coroutines::yield_now().await;
        let late = late.take().expect("the first task has run");

        // This task gets the slot of the first one.
        let polls = Rc::new(Cell::new(0));
        let (count, next) = (Rc::clone(&polls), Rc::<RefCell<_>>::default());
        let own = Rc::clone(&next);
        coroutines::spawn(future::poll_fn(move |context| {
            count.set(count.get() + 1);
            *own.borrow_mut() = Some(context.waker().clone());
            if count.get() == 2 { Poll::Ready(()) } else { Poll::Pending }
        }));
        coroutines::yield_now().await;
        assert_eq!(polls.get(), 1);
        late.wake();
        for _ in 0..3 {
            coroutines::yield_now().await;
        }
        assert_eq!(polls.get(), 1, "woken by another task's waker");
        let own = next.take();
        own.unwrap().wake();
        coroutines::yield_now().await;
        assert_eq!(polls.get(), 2);
    });
}

#[test]
fn only_the_latest_waker_is_woken() {
    run(|| async {
        let (mut stream, mut client) = connection().await;
        let mut space = [0; 8];
        let mut read = Box::pin(stream.read(&mut space));

        // First with a waker that does nothing, then with the task's own.
        let mut noop = Context::from_waker(Waker::noop());
        assert!(poll_once(read.as_mut(), &mut noop).is_pending());
        future::poll_fn(|context| {
            assert!(poll_once(read.as_mut(), context).is_pending());
            Poll::Ready(())
        })
        .await;
        client.write_all(b"1\n").unwrap();
        assert_eq!(read.await.unwrap(), 2);
    });
}

#[test]
fn a_task_that_always_wakes_itself_does_not_keep_others_from_io() {
    run(|| async {
        let over = Rc::new(Cell::new(false));
        let is_over = Rc::clone(&over);
        coroutines::spawn(future::poll_fn(move |context| {
            context.waker().wake_by_ref();
            if is_over.get() { Poll::Ready(()) } else { Poll::Pending }
        }));
        let (mut stream, mut client) = connection().await;
        client.write_all(b"1\n").unwrap();
        assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 2);
        coroutines::sleep(Duration::from_millis(1)).await;
        over.set(true);
    });
}

#[test]
fn a_panic_drops_the_other_tasks_with_their_sockets() {
    let (sender, client) = mpsc::channel();
    let thread = thread::spawn(move || {
        coroutines::run(async move {
            let (mut stream, client) = connection().await;
            sender.send(client).unwrap();
            coroutines::spawn(async move {
                let _ = stream.read(&mut [0; 8]).await;
            });
            coroutines::yield_now().await;
            panic!("a test's panic");
        })
    });
    assert!(thread.join().is_err());
    let mut client: TcpStream = client.recv().unwrap();
    assert_eq!(client.read(&mut [0; 8]).unwrap(), 0);
}

async fn connection() -> (net::TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let mut listener = net::TcpListener::from_std(listener).unwrap();
    let client = TcpStream::connect(address).unwrap();
    (listener.accept().await.unwrap().0, client)
}

fn poll_once<F>(
    future: Pin<&mut F>,
    context: &mut Context<'_>,
) -> Poll<io::Result<usize>>
where
    F: Future<Output = io::Result<usize>>,
{
    future.poll(context)
}
