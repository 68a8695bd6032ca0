//! The queue through which other threads wake tasks, without a lost wake-up.

use std::mem;

#[cfg(loom)]
use loom::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};
#[cfg(not(loom))]
use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

/// A queue with many writers and one reader, which may sleep.
#[derive(Debug)]
pub(crate) struct Inbox<T, U> {
    items: Mutex<Vec<T>>,
    reader: U,
}

/// A reader that another thread can wake.
pub(crate) trait Unpark {
    /// Wakes the reader. If it is awake, its next sleep ends at once.
    fn unpark(&self);
}

impl<T, U: Unpark> Inbox<T, U> {
    pub(crate) fn new(reader: U) -> Inbox<T, U> {
        Inbox { items: Mutex::new(Vec::new()), reader }
    }

    /// Adds an item, and wakes the reader if the queue was empty. While there
    /// are other items, the reader has been woken for them, or is about to be.
    pub(crate) fn push(&self, item: T) {
        let mut items = self.items.lock().expect("no holder panics");
        items.push(item);
        let is_first = items.len() == 1;
        drop(items);
        if is_first {
            self.reader.unpark();
        }
    }

    /// Moves all items into `to`, which must be empty. The two vectors are
    /// swapped, so that nothing is allocated once both have grown.
    pub(crate) fn take(&self, to: &mut Vec<T>) {
        debug_assert!(to.is_empty());
        mem::swap(&mut *self.items.lock().expect("no holder panics"), to);
    }
}

/// Whether a task is in the queue of woken tasks. It is never there twice.
#[derive(Debug)]
pub(crate) struct Queued(AtomicBool);

impl Queued {
    pub(crate) fn new() -> Queued {
        Queued(AtomicBool::new(false))
    }

    /// Sets the flag. Returns `true` if the caller must queue the task, and
    /// `false` if the task is queued already.
    ///
    /// In both cases, everything that the caller did before happens before the
    /// task's next poll. That is why both this and `clear_then` swap, and not
    /// only load or store: each synchronises with the other.
    pub(crate) fn set(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }

    /// Clears the flag, then polls the task: in this order, so that a task that
    /// is woken while it is polled is polled again.
    pub(crate) fn clear_then<T>(&self, poll: impl FnOnce() -> T) -> T {
        self.0.swap(false, Ordering::AcqRel);
        poll()
    }
}

#[cfg(all(test, loom))]
mod model {
    use loom::sync::atomic::AtomicUsize;
    use loom::sync::{Arc, Notify};
    use loom::thread;

    use super::*;

    impl Unpark for Arc<Notify> {
        fn unpark(&self) {
            self.notify();
        }
    }

    /// Two threads finish a job each and wake the one task that waits for
    /// both. The model tries all orders in which this can happen.
    #[test]
    fn no_wake_up_is_lost() {
        let mut model = loom::model::Builder::new();
        // Without a bound this would take hours; few mistakes need more.
        model.preemption_bound = Some(3);
        model.check(|| {
            let parked = Arc::new(Notify::new());
            let inbox = Arc::new(Inbox::new(Arc::clone(&parked)));
            let queued = Arc::new(Queued::new());
            let done = Arc::new(AtomicUsize::new(0));
            for _ in 0..2 {
                let (inbox, queued) = (inbox.clone(), queued.clone());
                let done = done.clone();
                thread::spawn(move || {
                    done.fetch_add(1, Ordering::Relaxed);
                    if queued.set() {
                        inbox.push(());
                    }
                });
            }
            let mut seen = 0;
            let mut woken = Vec::new();
            while seen < 2 {
                parked.wait();
                inbox.take(&mut woken);
                assert!(woken.len() <= 1, "the task is in the queue twice");
                for () in woken.drain(..) {
                    seen = queued.clear_then(|| done.load(Ordering::Relaxed));
                }
            }
        });
    }
}
