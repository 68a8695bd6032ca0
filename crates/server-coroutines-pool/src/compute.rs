//! Where a request is computed: on a pool, in the right way or the wrong one.

use std::io;

use chassis::{Chassis, Client, Compute, Reply, Request};
use coroutines::net::TcpStream;
use rayon::{ThreadPool, ThreadPoolBuilder};

/// Computes requests on a pool.
pub(crate) struct Computer {
    pool: ThreadPool,
    /// Whether to wait for the pool as blocking code does, so that the thread
    /// serves no other client: the mistake of the talk's version 5.
    stalls: bool,
}

impl Computer {
    pub(crate) fn new(chassis: &Chassis) -> io::Result<Computer> {
        let pool = ThreadPoolBuilder::new()
            .num_threads(chassis.workers().get())
            // A job that panics replies when it is dropped.
            .panic_handler(|_| ())
            .build()
            .map_err(io::Error::other)?;
        let stalls = chassis.compute() == Compute::Stall;
        Ok(Computer { pool, stalls })
    }

    /// Computes the reply. A malformed request needs no computing.
    pub(crate) async fn compute(
        &self,
        client: &Client<TcpStream>,
        request: Request,
    ) -> Reply {
        let Request::Fib(_) = request else { return request.compute() };
        if self.stalls {
            return self.pool.install(|| request.compute());
        }
        let (job, reply) = client.job(request).into_pending();
        self.pool.spawn(|| job.run());
        reply.await
    }
}
