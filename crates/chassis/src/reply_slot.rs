//! The slot through which a pool hands a reply to the task that awaits it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use protocol::Reply;

/// Holds the reply to a connection's request until the client's task takes it.
/// A connection has one request in progress at a time, so one slot serves all
/// of them, where a oneshot channel would be allocated for each.
#[derive(Debug, Default)]
pub(crate) struct ReplySlot(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The number of the job whose reply is expected.
    number: u64,
    reply: Option<Reply>,
    /// Wakes the task that awaits the reply.
    waker: Option<Waker>,
}

impl ReplySlot {
    /// Empties the slot and reserves it for a new job. Returns the job's
    /// number, without which the slot can't be filled.
    pub(crate) fn reserve(&self) -> u64 {
        let mut state = self.state();
        let number = state.number + 1;
        *state = State { number, ..State::default() };
        number
    }

    /// Fills the slot and wakes the task, unless the slot is reserved for
    /// another job by now.
    pub(crate) fn fill(&self, number: u64, reply: Reply) {
        let mut state = self.state();
        if state.number != number {
            return;
        }
        state.reply = Some(reply);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Takes the reply, or leaves the task's waker if there is none yet.
    pub(crate) fn poll(&self, context: &mut Context<'_>) -> Poll<Reply> {
        let mut state = self.state();
        match state.reply.take() {
            Some(reply) => Poll::Ready(reply),
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::sync::{Arc, mpsc};
    use std::task::Wake;
    use std::thread::{self, Thread};
    use std::time::{Duration, Instant};

    use super::*;

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Counter(AtomicUsize);

    impl Wake for Counter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    impl ReplySlot {
        fn poll_by(&self, counter: &Arc<Counter>) -> Poll<Reply> {
            let waker = Waker::from(Arc::clone(counter));
            self.poll(&mut Context::from_waker(&waker))
        }
    }

    fn counters() -> (Arc<Counter>, Arc<Counter>) {
        Default::default()
    }

    const TIMEOUT: Duration = Duration::from_secs(10);
    const ONE: Reply = Reply::Value(1);
    const TWO: Reply = Reply::Value(2);

    #[test]
    fn a_reply_wakes_the_latest_waker_only() {
        let slot = ReplySlot::default();
        let (first, latest) = counters();
        let number = slot.reserve();
        assert!(slot.poll_by(&first).is_pending());
        assert!(slot.poll_by(&latest).is_pending());
        slot.fill(number, ONE);
        assert_eq!(first.0.load(Relaxed), 0);
        assert_eq!(latest.0.load(Relaxed), 1);
        assert_eq!(slot.poll_by(&latest), Poll::Ready(ONE));
    }

    #[test]
    fn a_reply_that_is_ready_before_the_first_poll_is_found() {
        let slot = ReplySlot::default();
        let number = slot.reserve();
        slot.fill(number, ONE);
        assert_eq!(slot.poll_by(&counters().0), Poll::Ready(ONE));
    }

    #[test]
    fn a_late_reply_is_not_taken_for_the_reply_to_the_next_job() {
        let slot = ReplySlot::default();
        let (counter, _) = counters();
        let late = slot.reserve();
        let next = slot.reserve();
        slot.fill(late, ONE);
        assert!(slot.poll_by(&counter).is_pending());
        slot.fill(next, TWO);
        assert_eq!(slot.poll_by(&counter), Poll::Ready(TWO));
    }

    /// Unparks a thread.
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    #[test]
    fn no_wake_up_is_lost_between_two_threads() {
        let slot = ReplySlot::default();
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let (jobs, queue) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(|| {
                for number in queue {
                    slot.fill(number, ONE);
                }
            });
            for _ in 0..10_000 {
                jobs.send(slot.reserve()).unwrap();
                let begin = Instant::now();
                while slot.poll(&mut Context::from_waker(&waker))
                    == Poll::Pending
                {
                    thread::park_timeout(TIMEOUT);
                    assert!(begin.elapsed() < TIMEOUT, "a wake-up was lost");
                }
            }
            drop(jobs);
        });
    }
}
