//! How other threads say what is ready, without a wake-up being lost.

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

/// A queue with many writers and one reader, which may be asleep.
#[derive(Debug)]
pub(crate) struct Inbox<T, U> {
    items: Mutex<Vec<T>>,
    reader: U,
}

/// Somebody who sleeps until there is something to do.
pub(crate) trait Unpark {
    /// Wakes it; if it is awake, its next sleep ends at once.
    fn unpark(&self);
}

impl<T, U: Unpark> Inbox<T, U> {
    pub(crate) fn new(reader: U) -> Inbox<T, U> {
        Inbox { items: Mutex::new(Vec::new()), reader }
    }

    /// Leaves an item and wakes the reader. While there are items that it has
    /// not taken, it has been woken for them, or is about to be.
    pub(crate) fn push(&self, item: T) {
        let mut items = self.items.lock().expect("no holder panics");
        items.push(item);
        let is_first = items.len() == 1;
        drop(items);
        if is_first {
            self.reader.unpark();
        }
    }

    /// Takes all items into `to`, which must be empty. The two vectors change
    /// places, so that nothing is allocated once both have grown.
    pub(crate) fn take(&self, to: &mut Vec<T>) {
        debug_assert!(to.is_empty());
        mem::swap(&mut *self.items.lock().expect("no holder panics"), to);
    }
}

/// Whether a task stands in a queue already. It never stands there twice.
#[derive(Debug)]
pub(crate) struct Queued(AtomicBool);

impl Queued {
    pub(crate) fn new() -> Queued {
        Queued(AtomicBool::new(false))
    }

    /// Claims a place in the queue; `false` if the task has one.
    ///
    /// Even then, what its waker has done before is seen by the task when it
    /// is polled: hence a swap on both sides, each of which reads what the
    /// other wrote.
    pub(crate) fn claim(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }

    /// Gives the place up, and polls the task: in this order, so that one
    /// that is woken while it is polled is polled again.
    pub(crate) fn give_up_and<T>(&self, poll: impl FnOnce() -> T) -> T {
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
    /// both, whatever the order in which everything happens.
    #[test]
    fn no_wake_up_is_lost() {
        let mut model = loom::model::Builder::new();
        // Without a bound it would take hours; few mistakes need more.
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
                    if queued.claim() {
                        inbox.push(());
                    }
                });
            }
            let mut seen = 0;
            let mut woken = Vec::new();
            while seen < 2 {
                parked.wait();
                inbox.take(&mut woken);
                assert!(woken.len() <= 1, "it stands in the queue twice");
                for () in woken.drain(..) {
                    seen = queued.give_up_and(|| done.load(Ordering::Relaxed));
                }
            }
        });
    }
}
