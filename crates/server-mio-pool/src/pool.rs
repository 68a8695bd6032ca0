//! A pool whose finished jobs look like a readable socket.

use std::io;
use std::mem;
use std::num::NonZeroUsize;
use std::panic;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chassis::{Error, Job, Reply};
use mio::{Registry, Token, Waker};
use rayon::{ThreadPool, ThreadPoolBuilder};

/// Workers, and the answers that they have found.
pub(crate) struct Pool {
    workers: ThreadPool,
    answers: Arc<Answers>,
    /// Empty but while they are given out. It changes places with
    /// [`Answers::found`], so that nothing is allocated once both have grown.
    taken: Vec<(usize, Reply)>,
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
        let answers = Arc::new(Answers { found: Mutex::default(), waker });
        Ok(Pool { workers, answers, taken: Vec::new() })
    }

    /// Computes the answer for the client in `slot`, who must stay there
    /// until it is taken.
    pub(crate) fn compute(&self, job: Job, slot: usize) {
        let answers = Arc::clone(&self.answers);
        self.workers.spawn(move || {
            answers.put(slot, unless_it_panics(|| job.compute()));
        });
    }

    /// Gives all answers that are there to `take`. One event may stand for
    /// many of them.
    pub(crate) fn take_answers(&mut self, mut take: impl FnMut(usize, Reply)) {
        mem::swap(&mut *self.answers.found(), &mut self.taken);
        self.taken.drain(..).for_each(|(slot, reply)| take(slot, reply));
    }
}

impl Answers {
    /// Wakes the loop for the first of them only: it takes all there are.
    fn put(&self, slot: usize, reply: Reply) {
        let mut found = self.found();
        found.push((slot, reply));
        let is_first = found.len() == 1;
        drop(found);
        if is_first {
            // The one failure is a counter that is full, which wakes as well.
            let _ = self.waker.wake();
        }
    }

    fn found(&self) -> MutexGuard<'_, Vec<(usize, Reply)>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
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
