//! Where a request is computed: in its task, or on one of two pools.

use std::io;
use std::sync::Arc;

use async_std::net::TcpStream;
use async_std::task;
use chassis::{Chassis, Client, Compute, Reply, Request};
use rayon::{ThreadPool, ThreadPoolBuilder};

/// Computes requests where `--compute` selects.
///
/// The default is a rayon pool and not `task::spawn_blocking`. Every server
/// with a thread pool uses rayon's, so that a comparison is between ways of
/// waiting, not between pools; and `task::spawn_blocking` grows to 500 threads,
/// however few cores there are.
#[derive(Clone)]
pub(crate) enum Computer {
    /// In the client's task. Meanwhile, its thread can't poll other tasks.
    Inline,
    /// On a rayon pool of `--workers` threads. The task suspends; its thread
    /// runs other tasks.
    Pool(Arc<ThreadPool>),
    /// On the runtime's pool for blocking calls: a thread for each job.
    Blocking,
}

impl Computer {
    pub(crate) fn new(chassis: &Chassis) -> io::Result<Computer> {
        Ok(match chassis.compute() {
            Compute::Inline => Computer::Inline,
            Compute::Pool => {
                let pool = ThreadPoolBuilder::new()
                    .num_threads(chassis.workers().get())
                    // A job that panics replies when it is dropped.
                    .panic_handler(|_| ())
                    .build()
                    .map_err(io::Error::other)?;
                Computer::Pool(Arc::new(pool))
            }
            Compute::Blocking => Computer::Blocking,
            Compute::Stall => unreachable!("not a mode of MODEL"),
        })
    }

    /// Computes the reply. A malformed request needs no computing.
    pub(crate) async fn compute(
        &self,
        client: &Client<TcpStream>,
        request: Request,
    ) -> Reply {
        let Request::Fib(_) = request else { return request.compute() };
        match self {
            Computer::Inline => request.compute(),
            Computer::Pool(pool) => {
                let (job, reply) = client.job(request).into_pending();
                pool.spawn(|| job.run());
                reply.await
            }
            Computer::Blocking => {
                let (job, reply) = client.job(request).into_pending();
                task::spawn_blocking(|| job.run());
                reply.await
            }
        }
    }
}
