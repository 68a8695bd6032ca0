//! A request on its way to a pool, and the future of its reply.

use std::pin::Pin;
use std::task::{Context, Poll};

use protocol::{Error, Reply, Request};

use crate::chassis::Chassis;
use crate::registry::ConnectionId;

/// A request to be computed by a pool, in whose queue it may wait for a long
/// time.
///
/// A job can move to any thread and outlive its client. It identifies the
/// connection by its entry in the registry, not by a descriptor's number,
/// which another connection may get.
#[derive(Debug)]
pub struct Job {
    chassis: &'static Chassis,
    connection: ConnectionId,
    request: Request,
}

/// A job whose reply a task awaits.
///
/// The task is always woken: if the job is dropped before it has run to its
/// end, for instance because of a panic, the reply is `error: worker-lost`.
#[derive(Debug)]
pub struct PendingJob {
    job: Job,
    number: u64,
    reply: Reply,
}

/// The future of a job's reply.
#[derive(Debug)]
pub struct ReplyFuture(ConnectionId);

impl Job {
    pub(crate) fn new(
        chassis: &'static Chassis,
        connection: ConnectionId,
        request: Request,
    ) -> Job {
        Job { chassis, connection, request }
    }

    /// Computes the reply as [`Request::compute`] does, except for a long
    /// request whose client is gone: its reply is arbitrary, because writing it
    /// will fail.
    pub fn compute(&self) -> Reply {
        if self.request.is_long() && self.client_is_gone() {
            Reply::Error(Error::WorkerLost)
        } else {
            self.request.compute()
        }
    }

    fn client_is_gone(&self) -> bool {
        self.chassis.registry.is_gone(&self.connection)
    }

    /// Splits the job into the work, which any thread can run, and the reply,
    /// which the client's task awaits.
    pub fn into_pending(self) -> (PendingJob, ReplyFuture) {
        let number = self.connection.activity.reply_slot.reserve();
        let reply_future = ReplyFuture(self.connection.clone());
        let reply = Reply::Error(Error::WorkerLost);
        (PendingJob { job: self, number, reply }, reply_future)
    }
}

impl PendingJob {
    /// Computes the reply as [`Job::compute`] does, and wakes the task that
    /// awaits it.
    pub fn run(mut self) {
        self.reply = self.job.compute();
    }
}

impl Drop for PendingJob {
    fn drop(&mut self) {
        let slot = &self.job.connection.activity.reply_slot;
        slot.fill(self.number, self.reply);
    }
}

impl Future for ReplyFuture {
    type Output = Reply;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Reply> {
        self.0.activity.reply_slot.poll(context)
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::panic;
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::task::{Wake, Waker};
    use std::time::Instant;

    use super::*;

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Counter(AtomicUsize);

    impl Wake for Counter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    #[test]
    fn a_job_that_never_runs_to_its_end_is_still_replied_to() {
        let chassis = Chassis::for_a_test();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let connection = chassis
            .registry
            .register(&listener, Instant::now(), false)
            .unwrap();
        let counter = Arc::new(Counter::default());
        let waker = Waker::from(Arc::clone(&counter));
        let mut context = Context::from_waker(&waker);
        let cases: [(fn(PendingJob), Reply); 3] = [
            (PendingJob::run, Reply::Value(55)),
            (drop, Reply::Error(Error::WorkerLost)),
            (
                |job| {
                    let panics = move || {
                        let _job = job;
                        panic!("a test's panic");
                    };
                    panic::catch_unwind(panics).unwrap_err();
                },
                Reply::Error(Error::WorkerLost),
            ),
        ];
        for (index, (end, expected)) in cases.into_iter().enumerate() {
            let job = Job::new(chassis, connection.clone(), Request::Fib(10));
            let (job, reply) = job.into_pending();
            let mut reply = pin!(reply);
            assert!(reply.as_mut().poll(&mut context).is_pending());
            end(job);
            assert_eq!(counter.0.load(Relaxed), index + 1);
            assert_eq!(reply.poll(&mut context), Poll::Ready(expected));
        }
    }
}
