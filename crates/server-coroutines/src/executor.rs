//! The executor: keeps the tasks and polls those that were woken.
//!
//! A task that must wait leaves its waker with the event's source, and returns
//! `Pending`. Then:
//!
//! 1. *wake*: the reactor, or another thread, calls the waker.
//! 2. *queue*: the waker puts the task into the queue of woken tasks, unless
//!    it is there already: directly on the executor's thread, through the
//!    inbox on any other.
//! 3. *poll*: the loop takes the queue and polls each task, up to its next
//!    wait. While the queue is empty, the loop waits in epoll_wait(2).

use std::cell::{Cell, OnceCell, RefCell};
use std::future::{self, Future};
use std::io;
use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use slab::Slab;

use crate::inbox::{Inbox, Queued};
use crate::reactor::Reactor;

/// How many socket operations a task may do before other tasks are polled,
/// even if none of them would block. Without this limit, a task that accepts
/// clients would not suspend as long as any are waiting.
const BUDGET: u32 = 64;

thread_local! {
    /// This thread's executor.
    static CURRENT: OnceCell<Executor> = const { OnceCell::new() };
}

/// Keeps tasks, and polls those that were woken.
struct Executor {
    tasks: RefCell<Slab<Task>>,
    /// The queue of tasks that were woken on this thread.
    ready: RefCell<Vec<Arc<TaskWaker>>>,
    /// The queue of tasks that were woken on other threads.
    inbox: Arc<Inbox<Arc<TaskWaker>, mio::Waker>>,
    reactor: Reactor,
    /// How many socket operations the running task may still do.
    budget: Cell<u32>,
}

struct Task {
    /// `None` while the task is polled.
    future: Option<Pin<Box<dyn Future<Output = ()>>>>,
    waker: Arc<TaskWaker>,
}

/// The state behind a task's [`Waker`]. It may outlive the task.
struct TaskWaker {
    slot: usize,
    queued: Queued,
    inbox: Arc<Inbox<Arc<TaskWaker>, mio::Waker>>,
}

/// Runs `main` and all tasks that it spawns on this thread, until the last of
/// them has ended.
///
/// # Errors
///
/// Returns the error of `main`, or of epoll.
///
/// # Panics
///
/// Panics if it is called twice on the same thread.
pub fn run<F>(main: F) -> io::Result<()>
where
    F: Future<Output = io::Result<()>> + 'static,
{
    let (reactor, waker) = Reactor::new()?;
    let executor = Executor {
        tasks: RefCell::default(),
        ready: RefCell::default(),
        inbox: Arc::new(Inbox::new(waker)),
        reactor,
        budget: Cell::new(0),
    };
    CURRENT.with(|current| {
        let is_first = current.set(executor).is_ok();
        assert!(is_first, "a thread has one executor");
    });
    let _guard = DropTasksAtEnd;
    let result = Rc::new(Cell::new(Ok(())));
    let result_of_main = Rc::clone(&result);
    spawn(async move { result_of_main.set(main.await) });
    with_executor(Executor::run)?;
    result.replace(Ok(()))
}

/// Drops the remaining tasks when `run` fails or panics. Their sockets need the
/// executor to deregister, and can't access it any more while the thread's
/// local values are destroyed.
struct DropTasksAtEnd;

impl Drop for DropTasksAtEnd {
    fn drop(&mut self) {
        with_executor(Executor::drop_tasks);
    }
}

/// Spawns `future` as a task, which runs concurrently with the others.
pub fn spawn<F: Future<Output = ()> + 'static>(future: F) {
    with_executor(|executor| executor.spawn(Box::pin(future)));
}

/// Waits for `time` to pass.
pub async fn sleep(time: Duration) {
    let deadline = Instant::now() + time;
    future::poll_fn(|context| {
        if Instant::now() >= deadline {
            return Poll::Ready(());
        }
        with_reactor(|reactor| reactor.wake_at(deadline, context.waker()));
        Poll::Pending
    })
    .await;
}

/// Suspends the task until all tasks that are ready now have been polled.
pub async fn yield_now() {
    let mut has_yielded = false;
    future::poll_fn(|context| {
        if mem::replace(&mut has_yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Calls `f` with the reactor of this thread.
pub(crate) fn with_reactor<T>(f: impl FnOnce(&Reactor) -> T) -> T {
    with_executor(|executor| f(&executor.reactor))
}

/// Takes one operation from the running task's budget. If none is left, wakes
/// the task, which must suspend, so that it is polled after the others.
pub(crate) fn spend_budget(context: &Context<'_>) -> Poll<()> {
    with_executor(|executor| match executor.budget.get().checked_sub(1) {
        Some(left) => {
            executor.budget.set(left);
            Poll::Ready(())
        }
        None => {
            context.waker().wake_by_ref();
            Poll::Pending
        }
    })
}

/// Calls `f` with the executor of this thread.
fn with_executor<T>(f: impl FnOnce(&Executor) -> T) -> T {
    CURRENT.with(|current| {
        f(current.get().expect("this thread is within coroutines::run"))
    })
}

impl Executor {
    /// The talk's loop: wait for events, then poll the tasks that they woke.
    ///
    /// Each round polls only the tasks that were woken before it began. So a
    /// task that always wakes itself doesn't keep the loop from taking events.
    fn run(&self) -> io::Result<()> {
        let mut round = Vec::new();
        while !self.tasks.borrow().is_empty() {
            let is_idle = self.ready.borrow().is_empty();
            if self.reactor.wait(is_idle)? {
                self.inbox.take(&mut round);
                self.ready.borrow_mut().append(&mut round);
            }
            mem::swap(&mut *self.ready.borrow_mut(), &mut round);
            round.drain(..).for_each(|waker| self.poll(waker));
        }
        Ok(())
    }

    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()>>>) {
        let mut tasks = self.tasks.borrow_mut();
        let entry = tasks.vacant_entry();
        let waker = Arc::new(TaskWaker {
            slot: entry.key(),
            queued: Queued::new(),
            inbox: Arc::clone(&self.inbox),
        });
        entry.insert(Task { future: Some(future), waker: waker.clone() });
        waker.wake();
    }

    /// Drops all tasks, and the tasks that these spawn while being dropped.
    fn drop_tasks(&self) {
        while !self.tasks.borrow().is_empty() {
            let tasks = mem::take(&mut *self.tasks.borrow_mut());
            drop(tasks);
        }
    }

    /// Polls the task of `task_waker`, unless the task has ended: a late wake
    /// must not reach the next task in its slot.
    fn poll(&self, task_waker: Arc<TaskWaker>) {
        let mut tasks = self.tasks.borrow_mut();
        let task = tasks.get_mut(task_waker.slot);
        let task = task.filter(|task| Arc::ptr_eq(&task.waker, &task_waker));
        let Some(task) = task else { return };
        let mut future = task.future.take().expect("no poll is nested");
        drop(tasks);
        let slot = task_waker.slot;
        self.budget.set(BUDGET);
        let waker = Waker::from(Arc::clone(&task_waker));
        let mut context = Context::from_waker(&waker);
        let polled =
            task_waker.queued.clear_then(|| future.as_mut().poll(&mut context));
        let mut tasks = self.tasks.borrow_mut();
        if polled.is_pending() {
            tasks[slot].future = Some(future);
        } else {
            tasks.remove(slot);
        }
    }
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        if !self.queued.set() {
            return;
        }
        let mut remote = Some(self);
        // This fails while the thread ends: then its executor has ended too.
        let _ = CURRENT.try_with(|current| {
            let Some(executor) = current.get() else { return };
            let is_local = |waker: &mut Arc<TaskWaker>| {
                Arc::ptr_eq(&waker.inbox, &executor.inbox)
            };
            executor.ready.borrow_mut().extend(remote.take_if(is_local));
        });
        if let Some(waker) = remote {
            Arc::clone(&waker.inbox).push(waker);
        }
    }
}
