//! A pool whose finished jobs look like a readable socket.

use std::io;
use std::mem;
use std::num::NonZeroUsize;
use std::panic;
use std::sync::{Arc, Mutex, PoisonError};

use chassis::{Error, Reply, Request};
use mio::{Registry, Token, Waker};
use rayon::{ThreadPool, ThreadPoolBuilder};

/// Workers, and the answers that they have found.
pub(crate) struct Pool {
    workers: ThreadPool,
    answers: Arc<Answers>,
}

/// Answers that the loop has not taken yet, each with its client's slot.
struct Answers {
    found: Mutex<Vec<(usize, Reply)>>,
    /// Makes an event with the pool's token.
    waker: Waker,
}

impl Pool {
    /// A pool that wakes the poll of `registry` with an event of `token`.
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
        let found = Mutex::default();
        Ok(Pool { workers, answers: Arc::new(Answers { found, waker }) })
    }

    /// Computes the answer for the client in `slot`, who must stay there
    /// until it is taken.
    pub(crate) fn compute(&self, request: Request, slot: usize) {
        let answers = Arc::clone(&self.answers);
        self.workers.spawn(move || {
            answers.put(slot, unless_it_panics(|| request.compute()));
        });
    }

    /// Gives all answers that are there to `take`. One event may stand for
    /// many of them.
    pub(crate) fn take_answers(&self, mut take: impl FnMut(usize, Reply)) {
        for (slot, reply) in self.answers.take() {
            take(slot, reply);
        }
    }
}

impl Answers {
    /// Wakes the loop for the first of them only: it takes all there are.
    fn put(&self, slot: usize, reply: Reply) {
        let mut found =
            self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.push((slot, reply));
        let is_first = found.len() == 1;
        drop(found);
        if is_first {
            // The one failure is a counter that is full, which wakes as well.
            let _ = self.waker.wake();
        }
    }

    fn take(&self) -> Vec<(usize, Reply)> {
        mem::take(
            &mut *self.found.lock().unwrap_or_else(PoisonError::into_inner),
        )
    }
}

/// A job that panics costs its client an error line, and nobody else
/// anything.
fn unless_it_panics(job: impl FnOnce() -> Reply + panic::UnwindSafe) -> Reply {
    panic::catch_unwind(job).unwrap_or(Reply::Error(Error::WorkerLost))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_panics_costs_one_error() {
        let reply = unless_it_panics(|| panic!("a test's panic"));
        assert_eq!(reply, Reply::Error(Error::WorkerLost));
        let reply = unless_it_panics(|| Reply::Value(1));
        assert_eq!(reply, Reply::Value(1));
    }
}
