//! A pool of worker processes, each used by one client's thread at a time.
//!
//! This module is long because a process, unlike a thread of a pool, can die,
//! hang or be killed at any point, and none of these may cost more than the
//! one job.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::num::NonZeroUsize;
use std::os::fd::OwnedFd;
use std::process::{Child, ChildStdin, ChildStdout, Command};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use chassis::{Error, RESET, Reply, Request, is_reset};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use signal_hook::consts::SIGCHLD;
use signal_hook::flag;
use tracing::{debug, info, warn};

use crate::worker::{self, BEGUN};

/// The server's descriptors for a worker: while it starts, both ends of two
/// pipes; afterwards, one end of each and the pidfd with which to kill it.
pub(crate) const FDS_PER_WORKER: u64 = 4;

/// How long a worker may take to be ready. A worker that takes longer is
/// assumed to be suspended by a signal.
const START_TIME_MAX: Duration = Duration::from_secs(5);

/// How long to wait before replacing a worker that ended early by itself. The
/// time doubles from the minimum to the maximum.
const BACK_OFF_MIN: Duration = Duration::from_millis(50);
const BACK_OFF_MAX: Duration = Duration::from_secs(5);

/// A worker that ends before this time has ended early.
const LIFE_MIN: Duration = Duration::from_secs(1);

/// How many workers are tried for a job if each ends before it begins the job.
const TRIES_MAX: usize = 5;

/// How long clients wait for a worker while none lives.
const NONE_MAX: Duration = Duration::from_secs(10);

/// How often to check whether a client that waits for a worker was reset.
const RESET_CHECK_PERIOD: Duration = Duration::from_secs(1);

/// The idle workers, and the clients' threads that wait for one.
#[derive(Debug)]
pub(crate) struct Pool {
    state: Mutex<State>,
    job_timeout: Option<Duration>,
}

#[derive(Debug, Default)]
struct State {
    idle: Vec<Worker>,
    /// How many workers live, idle or not.
    living: usize,
    /// Since when no worker lives, if there was one before.
    none_since: Option<Instant>,
    /// First come, first served. Otherwise, a greedy client could at once take
    /// back the worker that it has just returned.
    waiting: VecDeque<Thread>,
}

/// A worker, as used by the thread that has a job for it.
#[derive(Debug)]
struct Worker {
    jobs: ChildStdin,
    replies: ChildStdout,
    process: Arc<Process>,
}

/// The process of a worker, shared by the thread that may kill it and the one
/// that replaces it.
#[derive(Debug)]
struct Process {
    pidfd: OwnedFd,
    /// Whether the server killed the worker in order to stop its job.
    was_killed: AtomicBool,
}

/// How a job ended.
enum Outcome {
    Value(u64),
    /// The worker died before it had begun the job.
    NotBegun,
    /// The worker died with the job.
    WorkerLost,
    TimedOut,
    ClientReset,
}

impl Pool {
    /// Starts the workers, each with a thread that replaces it when it ends.
    /// Waits until each is ready or has failed.
    ///
    /// # Errors
    ///
    /// Returns an error if no worker is ready.
    pub(crate) fn new(
        workers: NonZeroUsize,
        job_timeout: Option<Duration>,
    ) -> io::Result<Arc<Pool>> {
        // If the process that started this one ignores SIGCHLD, so does this
        // one, and wait(2) fails, unless there is a handler.
        flag::register(SIGCHLD, Arc::new(AtomicBool::new(false)))?;
        let pool = Arc::new(Pool { state: Mutex::default(), job_timeout });
        let (started, all_started) = mpsc::channel();
        for number in 0..workers.get() {
            let (pool, started) = (Arc::clone(&pool), started.clone());
            thread::Builder::new()
                .name(format!("keeper {number}"))
                .spawn(move || pool.keep_one(started))?;
        }
        drop(started);
        let firsts: Vec<io::Result<()>> = all_started.iter().collect();
        let has_worker = firsts.iter().any(Result::is_ok);
        for error in firsts.into_iter().filter_map(Result::err) {
            if !has_worker {
                return Err(error);
            }
            warn!("{error}");
        }
        Ok(pool)
    }

    /// Computes the reply in a worker process.
    ///
    /// # Errors
    ///
    /// Returns an error if `client` was reset. Then its job is not started, or
    /// is stopped.
    pub(crate) fn compute(
        &self,
        request: Request,
        client: &TcpStream,
    ) -> io::Result<Reply> {
        let Request::Fib(n) = request else {
            return Ok(request.compute());
        };
        for _ in 0..TRIES_MAX {
            let Some(mut worker) = self.take(client)? else { break };
            match worker.run(n, client, self.job_timeout) {
                Outcome::Value(value) => {
                    self.put(worker);
                    return Ok(Reply::Value(value));
                }
                Outcome::NotBegun => {}
                Outcome::WorkerLost => break,
                Outcome::TimedOut => {
                    worker.process.kill();
                    return Ok(Reply::Error(Error::TimedOut));
                }
                Outcome::ClientReset => {
                    worker.process.kill();
                    return Err(io::ErrorKind::ConnectionReset.into());
                }
            }
        }
        Ok(Reply::Error(Error::WorkerLost))
    }

    /// Takes an idle worker. Waits while there is none, or while clients that
    /// came earlier wait. Returns `None` if no worker has lived for a while.
    ///
    /// # Errors
    ///
    /// Returns an error if the client is reset while it waits. So a client that
    /// was reset doesn't occupy a thread and a descriptor until its turn.
    fn take(&self, client: &TcpStream) -> io::Result<Option<Worker>> {
        let mut state = self.state();
        // The common case, in which the client isn't checked.
        if state.waiting.is_empty()
            && let Some(worker) = state.idle.pop()
        {
            return Ok(Some(worker));
        }
        let me = thread::current();
        let is_me = |other: &Thread| other.id() == me.id();
        state.waiting.push_back(me.clone());
        loop {
            drop(state);
            thread::park_timeout(RESET_CHECK_PERIOD);
            let was_reset = is_reset(client);
            state = self.state();
            let is_hopeless =
                state.none_since.is_some_and(|at| at.elapsed() >= NONE_MAX);
            if was_reset || is_hopeless {
                state.waiting.retain(|other| !is_me(other));
                wake_first(state);
                return match was_reset {
                    true => Err(io::ErrorKind::ConnectionReset.into()),
                    false => Ok(None),
                };
            }
            if state.waiting.front().is_some_and(is_me)
                && let Some(worker) = state.idle.pop()
            {
                state.waiting.pop_front();
                wake_first(state);
                return Ok(Some(worker));
            }
        }
    }

    /// Returns a worker to the pool.
    fn put(&self, worker: Worker) {
        let mut state = self.state();
        state.idle.push(worker);
        wake_first(state);
    }

    /// Keeps one worker running: starts it, reaps it when it ends, starts the
    /// next one. The kernel kills the worker when this thread ends, which it
    /// does only when the server ends.
    ///
    /// `first_started` gets the result of the first start.
    fn keep_one(&self, first_started: mpsc::Sender<io::Result<()>>) -> ! {
        let mut first_started = Some(first_started);
        let mut back_off = BACK_OFF_MIN;
        loop {
            let start_time = Instant::now();
            let started = start(worker::command(), START_TIME_MAX);
            let started = started.map(|(worker, child)| {
                let process = Arc::clone(&worker.process);
                self.note_started();
                self.put(worker);
                (process, child)
            });
            let first = first_started.take();
            let mut is_reported = false;
            let was_killed = match started {
                Ok((process, child)) => {
                    // The first one is waited for.
                    first.into_iter().for_each(|f| _ = f.send(Ok(())));
                    self.reap(child, &process);
                    process.was_killed()
                }
                Err(error) => {
                    let text = format!("cannot start a worker: {error}");
                    match first {
                        Some(first) => {
                            is_reported = true;
                            _ = first.send(Err(io::Error::other(text)));
                        }
                        None => warn!("{text}"),
                    }
                    false
                }
            };
            // A worker that was killed to stop its job is not a fault, and is
            // replaced at once: a client that sends long requests and leaves
            // must not slow down the others.
            if was_killed || start_time.elapsed() >= LIFE_MIN {
                back_off = BACK_OFF_MIN;
                continue;
            }
            if !is_reported {
                warn!(
                    "worker failed early; starting the next one in \
                     {back_off:?}"
                );
            }
            thread::sleep(back_off);
            back_off = next_back_off(back_off);
        }
    }

    /// Waits until a worker has ended, and removes it from the pool.
    fn reap(&self, mut child: Child, process: &Arc<Process>) {
        match child.wait() {
            Ok(status) if process.was_killed() => {
                debug!("killed a worker to stop its job ({status})");
            }
            Ok(status) => info!("worker ended ({status})"),
            Err(error) => warn!("cannot wait for a worker: {error}"),
        }
        let is_other = |idle: &Worker| !Arc::ptr_eq(&idle.process, process);
        let mut state = self.state();
        state.idle.retain(is_other);
        state.living -= 1;
        if state.living == 0 {
            state.none_since = Some(Instant::now());
        }
    }

    fn note_started(&self) {
        let mut state = self.state();
        state.living += 1;
        state.none_since = None;
    }

    /// Locks the state, even if a thread has panicked while it held the lock:
    /// no operation leaves the state inconsistent.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes the thread that has waited longest, if there is a worker. The lock is
/// released first, because the woken thread takes it.
fn wake_first(state: MutexGuard<'_, State>) {
    let first = state.waiting.front().filter(|_| !state.idle.is_empty());
    let first = first.cloned();
    drop(state);
    if let Some(first) = first {
        first.unpark();
    }
}

fn next_back_off(back_off: Duration) -> Duration {
    (back_off * 2).min(BACK_OFF_MAX)
}

/// Starts a worker and waits until it is ready. If it isn't ready in time, the
/// worker is killed and reaped.
fn start(
    mut command: Command,
    time_max: Duration,
) -> io::Result<(Worker, Child)> {
    let mut child = command.spawn()?;
    match Worker::new(&mut child, time_max) {
        Ok(worker) => Ok((worker, child)),
        Err(error) => {
            // Whatever the worker does, `wait` must return.
            child.kill()?;
            let status = child.wait()?;
            Err(io::Error::other(format!("{error} ({status})")))
        }
    }
}

impl Worker {
    /// Waits until the child is ready, and returns it as a worker.
    fn new(child: &mut Child, time_max: Duration) -> io::Result<Worker> {
        let pid = Pid::from_child(child);
        let mut worker = Worker {
            process: Arc::new(Process {
                pidfd: pidfd_open(pid, PidfdFlags::empty())?,
                was_killed: AtomicBool::new(false),
            }),
            jobs: child.stdin.take().expect("stdin is piped"),
            replies: child.stdout.take().expect("stdout is piped"),
        };
        let time_max = Timespec::try_from(time_max).ok();
        let mut fds = [PollFd::new(&worker.replies, PollFlags::IN)];
        if retry_on_intr(|| poll(&mut fds, time_max.as_ref()))? == 0 {
            return Err(io::Error::other("not ready in time"));
        }
        match worker.message() {
            Some(BEGUN) => Ok(worker),
            _ => Err(io::Error::other("did not report that it is ready")),
        }
    }

    /// Runs a job until it ends in any way. If the outcome isn't a value, the
    /// worker must not be used again.
    ///
    /// The client is watched only during a long job: waiting for a short one
    /// costs less than replacing a worker.
    fn run(
        &mut self,
        n: u8,
        client: &TcpStream,
        timeout: Option<Duration>,
    ) -> Outcome {
        if self.jobs.write_all(&[n]).is_err() {
            return Outcome::NotBegun;
        }
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        let watched = if Request::Fib(n).is_long() { 2 } else { 1 };
        let mut has_begun = false;
        loop {
            let left = deadline.map(|deadline| {
                deadline.saturating_duration_since(Instant::now())
            });
            let timeout = left.and_then(|left| Timespec::try_from(left).ok());
            let mut fds = [
                PollFd::new(&self.replies, PollFlags::IN),
                PollFd::new(client, PollFlags::empty()),
            ];
            // After EINTR, too, everything is checked.
            let _ = poll(&mut fds[..watched], timeout.as_ref());
            let [reply, client] = fds.map(|fd| fd.revents());
            if !reply.is_empty() {
                match self.message() {
                    Some(BEGUN) => has_begun = true,
                    Some(value) => return Outcome::Value(value),
                    None if has_begun => return Outcome::WorkerLost,
                    None => return Outcome::NotBegun,
                }
            } else if client.intersects(RESET) {
                return Outcome::ClientReset;
            } else if left.is_some_and(|left| left.is_zero()) {
                return Outcome::TimedOut;
            }
        }
    }

    /// Reads a message of the worker. Returns `None` if the worker has ended.
    fn message(&mut self) -> Option<u64> {
        let mut number = [0; 8];
        self.replies.read_exact(&mut number).ok()?;
        Some(u64::from_ne_bytes(number))
    }
}

impl Process {
    fn kill(&self) {
        self.was_killed.store(true, Release);
        // This fails only if the process has ended by itself.
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
    }

    fn was_killed(&self) -> bool {
        self.was_killed.load(Acquire)
    }
}

#[cfg(test)]
mod tests {
    use std::iter;
    use std::net::TcpListener;
    use std::process::Stdio;

    use rustix::net::sockopt;

    use super::*;

    /// Reports that the worker is ready, and then nothing more.
    const READY: &str = r"printf '\377\377\377\377\377\377\377\377'; \
        exec cat >/dev/null";

    #[test]
    fn back_off_doubles_up_to_a_limit() {
        let first = Some(BACK_OFF_MIN);
        let series = iter::successors(first, |&last| Some(next_back_off(last)));
        let millis = series.map(|back_off| back_off.as_millis());
        assert_eq!(
            millis.take(9).collect::<Vec<_>>(),
            [50, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]
        );
    }

    #[test]
    fn a_worker_that_is_never_ready_is_killed_and_reaped() {
        const HOUR: Duration = Duration::from_secs(3_600);
        const MOMENT: Duration = Duration::from_millis(100);
        for (script, time_max, error) in [
            (
                "exit 7",
                HOUR,
                "did not report that it is ready (exit status: 7)",
            ),
            (
                "printf 'so what?'; exec sleep 1000",
                HOUR,
                "did not report that it is ready (signal: 9 (SIGKILL))",
            ),
            (
                "kill -STOP $$",
                MOMENT,
                "not ready in time (signal: 9 (SIGKILL))",
            ),
        ] {
            let started = start(shell(script), time_max);
            // The exit status shows that the process was reaped.
            assert_eq!(started.unwrap_err().to_string(), error, "{script}");
        }
    }

    #[test]
    fn the_client_that_waited_longest_gets_the_first_worker() {
        let pool = empty_pool();
        let [(one, mut first), (other, mut second)] = [worker(), worker()];
        let (client, _peer) = connection();
        thread::scope(|scope| {
            let early = scope.spawn(|| pool.take(&client));
            until(|| pool.state().waiting.len() == 1);
            let late = scope.spawn(|| pool.take(&client));
            until(|| pool.state().waiting.len() == 2);
            pool.put(one);
            until(|| early.is_finished() || late.is_finished());
            let was_late_first = late.is_finished();
            pool.put(other);
            assert!(early.join().unwrap().is_ok());
            assert!(late.join().unwrap().is_ok());
            assert!(!was_late_first);
        });
        first.wait().unwrap();
        second.wait().unwrap();
    }

    #[test]
    fn a_client_that_is_reset_in_the_queue_is_skipped() {
        let pool = empty_pool();
        let (worker, mut child) = worker();
        let (reset, peer) = connection();
        let at_once = Some(Duration::ZERO);
        sockopt::set_socket_linger(&peer, at_once).unwrap();
        drop(peer);
        until(|| is_reset(&reset));
        let (client, _peer) = connection();
        thread::scope(|scope| {
            let early = scope.spawn(|| pool.take(&reset));
            until(|| pool.state().waiting.len() == 1 || early.is_finished());
            let late = scope.spawn(|| pool.take(&client));
            pool.put(worker);
            let error = early.join().unwrap().unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
            assert!(late.join().unwrap().is_ok());
        });
        assert!(pool.state().waiting.is_empty());
        child.wait().unwrap();
    }

    fn empty_pool() -> Pool {
        Pool { state: Mutex::default(), job_timeout: None }
    }

    /// Returns a worker that ends when it is dropped.
    fn worker() -> (Worker, Child) {
        start(shell(READY), START_TIME_MAX).unwrap()
    }

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command
    }

    /// Returns both ends of a connection: the server's and the client's.
    fn connection() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let client = TcpStream::connect(address).unwrap();
        (listener.accept().unwrap().0, client)
    }

    /// Waits until a condition holds.
    fn until(condition: impl Fn() -> bool) {
        while !condition() {
            thread::yield_now();
        }
    }
}
