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

/// How often a task may use sockets before others have their turn, even if it
/// need not wait for any of them. One that accepts clients, say, has no other
/// reason to stop while there are some.
const BUDGET: u32 = 64;

thread_local! {
    /// This thread's executor.
    static CURRENT: OnceCell<Executor> = const { OnceCell::new() };
}

/// Keeps tasks, and polls each that was woken.
struct Executor {
    tasks: RefCell<Slab<Task>>,
    /// Those that were woken on this thread, in that order.
    ready: RefCell<Vec<Arc<TaskWaker>>>,
    /// Those that were woken on others.
    inbox: Arc<Inbox<Arc<TaskWaker>, mio::Waker>>,
    reactor: Reactor,
    /// What is left of the running task's.
    budget: Cell<u32>,
}

struct Task {
    /// `None` while it is polled.
    future: Option<Pin<Box<dyn Future<Output = ()>>>>,
    wakes: Arc<TaskWaker>,
}

/// What a task's waker is made of. It may outlive the task.
struct TaskWaker {
    slot: usize,
    queued: Queued,
    inbox: Arc<Inbox<Arc<TaskWaker>, mio::Waker>>,
}

/// Runs `main` and all that it spawns on this thread, until the last of them
/// has ended. To be called once a thread.
///
/// # Errors
///
/// When `main` fails or epoll does.
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
    let _guard = TasksEndWithRun;
    let result = Rc::new(Cell::new(Ok(())));
    let result_of_main = Rc::clone(&result);
    spawn(async move { result_of_main.set(main.await) });
    current(Executor::run)?;
    result.replace(Ok(()))
}

/// Ends the tasks that are left when `run` fails or panics: their sockets need
/// the executor, which is gone for them when the thread's own values are.
struct TasksEndWithRun;

impl Drop for TasksEndWithRun {
    fn drop(&mut self) {
        current(Executor::end_tasks);
    }
}

/// Makes a task of `future`, which runs beside the others.
pub fn spawn<F: Future<Output = ()> + 'static>(future: F) {
    current(|executor| executor.spawn(Box::pin(future)));
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

/// Lets all others who are ready have their turn.
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

/// Hands the reactor of this thread to `use_it`.
pub(crate) fn with_reactor<T>(use_it: impl FnOnce(&Reactor) -> T) -> T {
    current(|executor| use_it(&executor.reactor))
}

/// Takes one from the running task's budget. When there is none left, the
/// task is to wait for its next turn, for which it is woken already.
pub(crate) fn spend_budget(context: &Context<'_>) -> Poll<()> {
    current(|executor| match executor.budget.get().checked_sub(1) {
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

fn current<T>(use_it: impl FnOnce(&Executor) -> T) -> T {
    CURRENT.with(|current| {
        use_it(current.get().expect("this thread is within coroutines::run"))
    })
}

impl Executor {
    /// The talk's loop: run who is ready, then ask who else is.
    ///
    /// Each round polls only those who were ready at its start. So a task
    /// that wakes itself for ever keeps nobody from being asked.
    fn run(&self) -> io::Result<()> {
        let mut round = Vec::new();
        while !self.tasks.borrow().is_empty() {
            let is_idle = self.ready.borrow().is_empty();
            if self.reactor.wait(is_idle)? {
                self.inbox.take(&mut round);
                self.ready.borrow_mut().append(&mut round);
            }
            mem::swap(&mut *self.ready.borrow_mut(), &mut round);
            round.drain(..).for_each(|wakes| self.poll(wakes));
        }
        Ok(())
    }

    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()>>>) {
        let mut tasks = self.tasks.borrow_mut();
        let entry = tasks.vacant_entry();
        let wakes = Arc::new(TaskWaker {
            slot: entry.key(),
            queued: Queued::new(),
            inbox: Arc::clone(&self.inbox),
        });
        entry.insert(Task { future: Some(future), wakes: wakes.clone() });
        wakes.wake();
    }

    /// Drops all tasks, and those that they spawn while they are dropped.
    fn end_tasks(&self) {
        while !self.tasks.borrow().is_empty() {
            let tasks = mem::take(&mut *self.tasks.borrow_mut());
            drop(tasks);
        }
    }

    /// Polls the task that `wakes` is for, if that has not ended: a late wake
    /// must not reach another one in its slot.
    fn poll(&self, wakes: Arc<TaskWaker>) {
        let mut tasks = self.tasks.borrow_mut();
        let task = tasks.get_mut(wakes.slot);
        let task = task.filter(|task| Arc::ptr_eq(&task.wakes, &wakes));
        let Some(task) = task else { return };
        let mut future = task.future.take().expect("polled by us only");
        drop(tasks);
        let slot = wakes.slot;
        self.budget.set(BUDGET);
        let waker = Waker::from(Arc::clone(&wakes));
        let mut context = Context::from_waker(&waker);
        let polled =
            wakes.queued.give_up_and(|| future.as_mut().poll(&mut context));
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
        if !self.queued.claim() {
            return;
        }
        let mut abroad = Some(self);
        // It fails while this thread ends: then its executor has ended too.
        let _ = CURRENT.try_with(|current| {
            let Some(home) = current.get() else { return };
            let is_home = |wakes: &mut Arc<TaskWaker>| {
                Arc::ptr_eq(&wakes.inbox, &home.inbox)
            };
            home.ready.borrow_mut().extend(abroad.take_if(is_home));
        });
        if let Some(wakes) = abroad {
            Arc::clone(&wakes.inbox).push(wakes);
        }
    }
}
