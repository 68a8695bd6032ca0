//! A thread pool that reports its replies to the event loop as an event.

use std::io;
use std::mem;
use std::num::NonZeroUsize;
use std::panic;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chassis::{Error, Job, Reply};
use mio::{Registry, Token, Waker};
use rayon::{ThreadPool, ThreadPoolBuilder};

/// The workers, and the replies that they have computed.
pub(crate) struct Pool {
    workers: ThreadPool,
    inbox: Arc<Inbox>,
    /// Empty, except in `take_replies`. It is swapped with
    /// [`Inbox::replies`], so that nothing is allocated once both have grown.
    taken: Vec<(usize, Reply)>,
}

/// The replies that the loop has not taken yet, each with its client's slot.
struct Inbox {
    replies: Mutex<Vec<(usize, Reply)>>,
    /// Causes an event with the pool's token.
    waker: Waker,
}

impl Pool {
    /// Starts a pool that wakes the poll of `registry` with an event of
    /// `token`.
    pub(crate) fn new(
        workers: NonZeroUsize,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Pool> {
        let workers = ThreadPoolBuilder::new()
            .num_threads(workers.get())
            .build()
            .map_err(io::Error::other)?;
        let waker = Waker::new(registry, token)?;
        let inbox = Arc::new(Inbox { replies: Mutex::default(), waker });
        Ok(Pool { workers, inbox, taken: Vec::new() })
    }

    /// Computes the reply for the client in `slot`, which must keep the slot
    /// until the reply is taken.
    pub(crate) fn compute(&self, job: Job, slot: usize) {
        let inbox = Arc::clone(&self.inbox);
        self.workers.spawn(move || {
            inbox.push(slot, catch_panic(|| job.compute()));
        });
    }

    /// Calls `take` for each reply in the inbox: one event may report many.
    pub(crate) fn take_replies(&mut self, mut take: impl FnMut(usize, Reply)) {
        mem::swap(&mut *self.inbox.replies(), &mut self.taken);
        self.taken.drain(..).for_each(|(slot, reply)| take(slot, reply));
    }
}

impl Inbox {
    /// Adds a reply, and wakes the loop if it is the first one: the loop takes
    /// all replies at once.
    fn push(&self, slot: usize, reply: Reply) {
        let mut replies = self.replies();
        replies.push((slot, reply));
        let is_first = replies.len() == 1;
        drop(replies);
        if is_first {
            // This fails only if the eventfd's counter is full, which wakes the
            // loop, too.
            let _ = self.waker.wake();
        }
    }

    fn replies(&self) -> MutexGuard<'_, Vec<(usize, Reply)>> {
        self.replies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs a job. If it panics, its client gets `error: worker-lost`, and no other
/// client is affected.
fn catch_panic(job: impl FnOnce() -> Reply + panic::UnwindSafe) -> Reply {
    panic::catch_unwind(job).unwrap_or(Reply::Error(Error::WorkerLost))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_panics_costs_one_error_reply() {
        let reply = catch_panic(|| panic!("a test's panic"));
        assert_eq!(reply, Reply::Error(Error::WorkerLost));
        let reply = catch_panic(|| Reply::Value(1));
        assert_eq!(reply, Reply::Value(1));
    }
}
