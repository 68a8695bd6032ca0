//! Worker processes, lent to one client's thread at a time.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::num::NonZeroUsize;
use std::os::fd::OwnedFd;
use std::process::{Child, ChildStdin, ChildStdout};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use chassis::{Error, RESET, Reply, Request};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tracing::{info, warn};

use crate::worker::{self, Answer, BEGUN, Job};

/// How long to wait before a worker that ended at once is replaced: at first,
/// and at most. It doubles in between.
const BACK_OFF_MIN: Duration = Duration::from_millis(50);
const BACK_OFF_MAX: Duration = Duration::from_secs(5);

/// A worker that lived for so long did not end at once.
const LIFE_MIN: Duration = Duration::from_secs(1);

/// How often a job is given to another worker because it was not begun.
const TRIES_MAX: usize = 5;

/// Worker processes, and who waits for one.
#[derive(Debug)]
pub(crate) struct Pool {
    state: Mutex<State>,
    job_timeout: Option<Duration>,
    next_id: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    idle: Vec<Worker>,
    /// First come, first served: a freed worker is handed to the first one,
    /// so that a greedy client can't take it again.
    waiting: VecDeque<mpsc::Sender<Worker>>,
}

/// A worker's pipes, and a handle by which to kill it.
#[derive(Debug)]
struct Worker {
    jobs: ChildStdin,
    answers: ChildStdout,
    process: Arc<OwnedFd>,
}

/// What came of a job.
enum Outcome {
    Answer(u64),
    /// The worker ended, and had not begun.
    NotBegun,
    Lost,
    TimedOut,
    ClientGone,
}

impl Pool {
    /// Starts the workers, and a thread that replaces those that end.
    pub(crate) fn new(
        workers: NonZeroUsize,
        job_timeout: Option<Duration>,
    ) -> io::Result<Arc<Pool>> {
        let pool = Arc::new(Pool {
            state: Mutex::default(),
            job_timeout,
            next_id: AtomicU64::new(0),
        });
        let (started, all_started) = mpsc::channel::<Infallible>();
        for number in 0..workers.get() {
            let (pool, started) = (Arc::clone(&pool), started.clone());
            thread::Builder::new()
                .name(format!("keeper {number}"))
                .spawn(move || pool.keep_one(started))?;
        }
        drop(started);
        // It fails when each keeper has dropped its end.
        let _ = all_started.recv();
        Ok(pool)
    }

    /// Computes the answer in a worker process.
    ///
    /// # Errors
    ///
    /// When `client` was reset: its job is not started, or is stopped.
    pub(crate) fn compute(
        &self,
        wanted: chassis::Job,
        client: &TcpStream,
    ) -> io::Result<Reply> {
        let Request::Fib(n) = wanted.request() else {
            return Ok(wanted.compute());
        };
        let job = Job { id: self.next_id.fetch_add(1, Relaxed), n };
        for _ in 0..TRIES_MAX {
            let mut worker = self.take();
            if wanted.is_unwanted() {
                self.put(worker);
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            match worker.run(job, client, self.job_timeout) {
                Outcome::Answer(value) => {
                    self.put(worker);
                    return Ok(Reply::Value(value));
                }
                Outcome::NotBegun => {}
                Outcome::Lost => break,
                Outcome::TimedOut => {
                    worker.kill();
                    return Ok(Reply::Error(Error::TimedOut));
                }
                Outcome::ClientGone => {
                    worker.kill();
                    return Err(io::ErrorKind::ConnectionReset.into());
                }
            }
        }
        Ok(Reply::Error(Error::WorkerLost))
    }

    fn take(&self) -> Worker {
        let mut state = self.state();
        if let Some(worker) = state.idle.pop() {
            return worker;
        }
        let (sender, worker) = mpsc::channel();
        state.waiting.push_back(sender);
        drop(state);
        worker.recv().expect("whoever waits is handed a worker")
    }

    fn put(&self, worker: Worker) {
        let mut state = self.state();
        match state.waiting.pop_front() {
            // Whoever waits does so until it is handed one.
            Some(first) => first.send(worker).expect("it waits"),
            None => state.idle.push(worker),
        }
    }

    /// Keeps one worker alive: starts it, reaps it when it ends, starts the
    /// next. The kernel ends the worker when this thread ends, which is when
    /// the server does, however that ends.
    ///
    /// `started` is dropped when the first one is ready, or has failed.
    fn keep_one(&self, started: mpsc::Sender<Infallible>) -> ! {
        let mut first = Some(started);
        let mut back_off = BACK_OFF_MIN;
        loop {
            let started_at = Instant::now();
            let started = self.start();
            match started {
                Ok((worker, child)) => {
                    let process = Arc::clone(&worker.process);
                    self.put(worker);
                    drop(first.take());
                    self.reap(child, &process);
                }
                Err(error) => warn!("cannot start a worker: {error}"),
            }
            drop(first.take());
            if started_at.elapsed() >= LIFE_MIN {
                back_off = BACK_OFF_MIN;
                continue;
            }
            warn!("that was soon; the next worker starts in {back_off:?}");
            thread::sleep(back_off);
            back_off = (back_off * 2).min(BACK_OFF_MAX);
        }
    }

    /// Starts a worker and waits until it is ready.
    fn start(&self) -> io::Result<(Worker, Child)> {
        let mut child = worker::command()?.spawn()?;
        let pid = Pid::from_child(&child);
        let mut worker = Worker {
            jobs: child.stdin.take().expect("stdin is piped"),
            answers: child.stdout.take().expect("stdout is piped"),
            process: Arc::new(pidfd_open(pid, PidfdFlags::empty())?),
        };
        if worker.answer(0) != Some(BEGUN) {
            let status = child.wait()?;
            let text = format!("it ended before it was ready ({status})");
            return Err(io::Error::other(text));
        }
        Ok((worker, child))
    }

    /// Waits until a worker has ended, and lends it no more.
    fn reap(&self, mut child: Child, process: &Arc<OwnedFd>) {
        match child.wait() {
            Ok(status) => info!("a worker has ended ({status})"),
            Err(error) => warn!("cannot wait for a worker: {error}"),
        }
        let is_other = |idle: &Worker| !Arc::ptr_eq(&idle.process, process);
        self.state().idle.retain(is_other);
    }

    /// The state, also after a thread has panicked with it in its hands:
    /// every change of it is complete in itself.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Worker {
    /// Has the job done, unless something comes in between. But after an
    /// answer, the worker must not be used again.
    fn run(
        &mut self,
        job: Job,
        client: &TcpStream,
        timeout: Option<Duration>,
    ) -> Outcome {
        if self.jobs.write_all(&job.to_bytes()).is_err() {
            return Outcome::NotBegun;
        }
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        let mut has_begun = false;
        loop {
            let left = deadline.map(|deadline| {
                deadline.saturating_duration_since(Instant::now())
            });
            let timeout = left.and_then(|left| Timespec::try_from(left).ok());
            let mut fds = [
                PollFd::new(&self.answers, PollFlags::IN),
                PollFd::new(client, PollFlags::empty()),
            ];
            // EINTR is as good as any other return: it all is looked at.
            let _ = poll(&mut fds, timeout.as_ref());
            let [answer, client] = fds.map(|fd| fd.revents());
            if !answer.is_empty() {
                match self.answer(job.id) {
                    Some(BEGUN) => has_begun = true,
                    Some(value) => return Outcome::Answer(value),
                    None if has_begun => return Outcome::Lost,
                    None => return Outcome::NotBegun,
                }
            } else if client.intersects(RESET) {
                return Outcome::ClientGone;
            } else if left.is_some_and(|left| left.is_zero()) {
                return Outcome::TimedOut;
            }
        }
    }

    /// What it says of the job, or `None` if it has ended instead.
    fn answer(&mut self, job: u64) -> Option<u64> {
        let mut bytes = [0; Answer::BYTES];
        self.answers.read_exact(&mut bytes).ok()?;
        let Answer { id, value } = Answer::from_bytes(bytes);
        (id == job).then_some(value)
    }

    fn kill(&self) {
        // It fails only for one that has ended by itself.
        let _ = pidfd_send_signal(&*self.process, Signal::KILL);
    }
}
