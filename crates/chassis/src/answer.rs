//! The answer that a client's task awaits while a pool computes it.

use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use protocol::{Error, Reply};

use crate::job::Job;
use crate::registry::Seat;

/// A job whose answer somebody awaits.
///
/// Whatever becomes of it, the one who awaits is woken: if it is dropped
/// before it is finished, as by a panic, the answer is `error: worker-lost`.
#[derive(Debug)]
pub struct Awaited {
    job: Job,
    number: u64,
    reply: Reply,
}

/// The answer to a job: a future that is ready when the job is done.
#[derive(Debug)]
pub struct Answer(Seat);

/// Where the answer to a connection's request is left. One request is in work
/// at a time, so one place serves them all, where a oneshot channel would be
/// allocated for each.
#[derive(Debug, Default)]
pub(crate) struct Place(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The number of the job whose answer is expected.
    number: u64,
    reply: Option<Reply>,
    /// Whom to wake when it is there.
    waker: Option<Waker>,
}

impl Job {
    /// Parts the work, which may go to any thread, from the answer to it.
    pub fn awaited(self) -> (Awaited, Answer) {
        let number = self.seat.signs.answer.expect();
        let answer = Answer(self.seat.clone());
        let reply = Reply::Error(Error::WorkerLost);
        (Awaited { job: self, number, reply }, answer)
    }
}

impl Awaited {
    /// Computes the answer, as [`Job::compute`] does, and wakes who awaits it.
    pub fn finish(mut self) {
        self.reply = self.job.compute();
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.job.seat.signs.answer.leave(self.number, self.reply);
    }
}

impl Future for Answer {
    type Output = Reply;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Reply> {
        self.0.signs.answer.poll(context)
    }
}

impl Place {
    /// Expects the answer to a new job, and to no other. Returns its number.
    fn expect(&self) -> u64 {
        let mut state = self.state();
        let number = state.number + 1;
        *state = State { number, ..State::default() };
        number
    }

    /// Takes the answer to the job that is expected.
    fn leave(&self, number: u64, reply: Reply) {
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

    fn poll(&self, context: &mut Context<'_>) -> Poll<Reply> {
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
    use std::net::TcpListener;
    use std::panic;
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::sync::{Arc, mpsc};
    use std::task::Wake;
    use std::thread::{self, Thread};
    use std::time::{Duration, Instant};

    use protocol::Request;

    use super::*;
    use crate::Chassis;

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Counter(AtomicUsize);

    impl Wake for Counter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    impl Place {
        fn poll_by(&self, counter: &Arc<Counter>) -> Poll<Reply> {
            let waker = Waker::from(Arc::clone(counter));
            self.poll(&mut Context::from_waker(&waker))
        }
    }

    fn counters() -> (Arc<Counter>, Arc<Counter>) {
        Default::default()
    }

    const LIMIT: Duration = Duration::from_secs(10);
    const ONE: Reply = Reply::Value(1);
    const TWO: Reply = Reply::Value(2);

    #[test]
    fn an_answer_wakes_the_latest_waker_and_no_other() {
        let place = Place::default();
        let (first, latest) = counters();
        let number = place.expect();
        assert!(place.poll_by(&first).is_pending());
        assert!(place.poll_by(&latest).is_pending());
        place.leave(number, ONE);
        assert_eq!(first.0.load(Relaxed), 0);
        assert_eq!(latest.0.load(Relaxed), 1);
        assert_eq!(place.poll_by(&latest), Poll::Ready(ONE));
    }

    #[test]
    fn an_answer_that_is_there_before_it_is_awaited_is_found() {
        let place = Place::default();
        let number = place.expect();
        place.leave(number, ONE);
        assert_eq!(place.poll_by(&counters().0), Poll::Ready(ONE));
    }

    #[test]
    fn a_job_that_is_never_finished_is_answered_all_the_same() {
        let chassis = Chassis::for_a_test();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let seat = chassis.registry.enter(&listener, Instant::now()).unwrap();
        let job = || Job::new(chassis, seat.clone(), Request::Fib(10));
        let (counter, _) = counters();
        let cases: [(fn(Awaited), Reply); 3] = [
            (Awaited::finish, Reply::Value(55)),
            (drop, Reply::Error(Error::WorkerLost)),
            (
                |work| {
                    let panics = move || {
                        let _work = work;
                        panic!("a test's panic");
                    };
                    panic::catch_unwind(panics).unwrap_err();
                },
                Reply::Error(Error::WorkerLost),
            ),
        ];
        for (index, (end, expected)) in cases.into_iter().enumerate() {
            let (work, answer) = job().awaited();
            let mut answer = pin!(answer);
            let waker = Waker::from(Arc::clone(&counter));
            let mut context = Context::from_waker(&waker);
            assert!(answer.as_mut().poll(&mut context).is_pending());
            end(work);
            assert_eq!(counter.0.load(Relaxed), index + 1);
            assert_eq!(answer.poll(&mut context), Poll::Ready(expected));
        }
    }

    #[test]
    fn a_late_answer_is_not_taken_for_that_to_the_next_job() {
        let place = Place::default();
        let (counter, _) = counters();
        let late = place.expect();
        let next = place.expect();
        place.leave(late, ONE);
        assert!(place.poll_by(&counter).is_pending());
        place.leave(next, TWO);
        assert_eq!(place.poll_by(&counter), Poll::Ready(TWO));
    }

    /// Wakes a thread that is parked.
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    #[test]
    fn no_wake_up_is_lost_between_two_threads() {
        let place = Place::default();
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let (jobs, queue) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(|| {
                for number in queue {
                    place.leave(number, ONE);
                }
            });
            for _ in 0..10_000 {
                jobs.send(place.expect()).unwrap();
                let begin = Instant::now();
                while place.poll(&mut Context::from_waker(&waker))
                    == Poll::Pending
                {
                    thread::park_timeout(LIMIT);
                    assert!(begin.elapsed() < LIMIT, "a wake-up was lost");
                }
            }
            drop(jobs);
        });
    }
}
