//! Worker processes, lent to one client's thread at a time.
//!
//! It is long because a process, unlike a thread of a pool, can die, hang or
//! be killed at any point, and each must cost no more than the one job.

use std::collections::VecDeque;
use std::convert::Infallible;
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
use tracing::{debug, info, warn};

use crate::worker::{self, BEGUN};

/// Both ends of two pipes while a worker is started; afterwards our ends, and
/// the handle by which to kill it.
pub(crate) const FDS_PER_WORKER: u64 = 4;

/// How long a worker may take to be ready. One that takes longer was stopped.
const START_TIME_MAX: Duration = Duration::from_secs(10);

/// How long to wait before a worker that ended at once, unasked, is replaced:
/// at first, and at most. It doubles in between.
const BACK_OFF_MIN: Duration = Duration::from_millis(50);
const BACK_OFF_MAX: Duration = Duration::from_secs(5);

/// A worker that lived for so long did not end at once.
const LIFE_MIN: Duration = Duration::from_secs(1);

/// How many workers a job is given to in all, because it was not begun.
const TRIES_MAX: usize = 5;

/// How often a client that waits for a worker is looked at.
const LOOK_PERIOD: Duration = Duration::from_secs(1);

/// Worker processes, and who waits for one.
#[derive(Debug)]
pub(crate) struct Pool {
    state: Mutex<State>,
    job_timeout: Option<Duration>,
}

#[derive(Debug, Default)]
struct State {
    idle: Vec<Worker>,
    /// First come, first served: else a greedy client could take again the
    /// worker that it has just put back.
    waiting: VecDeque<Thread>,
}

/// A worker, as whoever has a job for it sees it.
#[derive(Debug)]
struct Worker {
    jobs: ChildStdin,
    answers: ChildStdout,
    process: Arc<Process>,
}

/// A worker, as whoever wants it dead or alive sees it.
#[derive(Debug)]
struct Process {
    handle: OwnedFd,
    /// It was killed by the server, with a job that nobody waits for.
    is_unwanted: AtomicBool,
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
        let pool = Arc::new(Pool { state: Mutex::default(), job_timeout });
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
        request: Request,
        client: &TcpStream,
    ) -> io::Result<Reply> {
        let Request::Fib(n) = request else {
            return Ok(request.compute());
        };
        for _ in 0..TRIES_MAX {
            let mut worker = self.take(client)?;
            match worker.run(n, client, self.job_timeout) {
                Outcome::Answer(value) => {
                    self.put(worker);
                    return Ok(Reply::Value(value));
                }
                Outcome::NotBegun => {}
                Outcome::Lost => break,
                Outcome::TimedOut => {
                    worker.process.kill();
                    return Ok(Reply::Error(Error::TimedOut));
                }
                Outcome::ClientGone => {
                    worker.process.kill();
                    return Err(io::ErrorKind::ConnectionReset.into());
                }
            }
        }
        Ok(Reply::Error(Error::WorkerLost))
    }

    /// A worker, at once or when it is the client's turn, unless the client is
    /// reset while it waits: it is not to keep its thread, its descriptor and
    /// its place among `--max-connections` for so long.
    fn take(&self, client: &TcpStream) -> io::Result<Worker> {
        let mut state = self.state();
        // For most: looking at the client is for those who wait.
        if state.waiting.is_empty()
            && let Some(worker) = state.idle.pop()
        {
            return Ok(worker);
        }
        let me = thread::current();
        let is_me = |other: &Thread| other.id() == me.id();
        state.waiting.push_back(me.clone());
        loop {
            drop(state);
            thread::park_timeout(LOOK_PERIOD);
            let is_gone = is_reset(client);
            state = self.state();
            if is_gone {
                state.waiting.retain(|other| !is_me(other));
                call_first(state);
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            if state.waiting.front().is_some_and(is_me)
                && let Some(worker) = state.idle.pop()
            {
                state.waiting.pop_front();
                call_first(state);
                return Ok(worker);
            }
        }
    }

    fn put(&self, worker: Worker) {
        let mut state = self.state();
        state.idle.push(worker);
        call_first(state);
    }

    /// Keeps one worker alive: starts it, reaps it when it ends, starts the
    /// next. The kernel ends the worker when this thread ends, which is when
    /// the server does, however that ends.
    ///
    /// `first_started` is dropped when the first one is ready, or has failed.
    fn keep_one(&self, first_started: mpsc::Sender<Infallible>) -> ! {
        let mut first_started = Some(first_started);
        let mut back_off = BACK_OFF_MIN;
        loop {
            let birth = Instant::now();
            let started = start(worker::command(), START_TIME_MAX);
            let started = started.map(|(worker, child)| {
                let process = Arc::clone(&worker.process);
                self.put(worker);
                (process, child)
            });
            drop(first_started.take());
            let was_unwanted = match started {
                Ok((process, child)) => {
                    self.reap(child, &process);
                    process.is_unwanted()
                }
                Err(error) => {
                    warn!("cannot start a worker: {error}");
                    false
                }
            };
            // One that was killed for its job's sake is no sign of trouble. A
            // client that asks for much and leaves must not stop the others.
            if was_unwanted || birth.elapsed() >= LIFE_MIN {
                back_off = BACK_OFF_MIN;
                continue;
            }
            warn!("that was soon; the next worker starts in {back_off:?}");
            thread::sleep(back_off);
            back_off = next_back_off(back_off);
        }
    }

    /// Waits until a worker has ended, and lends it no more.
    fn reap(&self, mut child: Child, process: &Arc<Process>) {
        match child.wait() {
            Ok(status) if process.is_unwanted() => {
                debug!("a worker was stopped ({status})");
            }
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

/// Wakes whoever waits first, if there is a worker: outside the lock, which
/// is what one who is woken takes first.
fn call_first(state: MutexGuard<'_, State>) {
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

/// Starts a worker and waits until it is ready. If it is not in time, nothing
/// is left of it.
fn start(
    mut command: Command,
    time_max: Duration,
) -> io::Result<(Worker, Child)> {
    let mut child = command.spawn()?;
    match Worker::begin(&mut child, time_max) {
        Ok(worker) => Ok((worker, child)),
        Err(error) => {
            // Whatever it waits for or does: the wait for it must end.
            child.kill()?;
            let status = child.wait()?;
            Err(io::Error::other(format!("{error} ({status})")))
        }
    }
}

impl Worker {
    /// The worker that the child is, as soon as it is ready.
    fn begin(child: &mut Child, time_max: Duration) -> io::Result<Worker> {
        let pid = Pid::from_child(child);
        let mut worker = Worker {
            process: Arc::new(Process {
                handle: pidfd_open(pid, PidfdFlags::empty())?,
                is_unwanted: AtomicBool::new(false),
            }),
            jobs: child.stdin.take().expect("stdin is piped"),
            answers: child.stdout.take().expect("stdout is piped"),
        };
        let time_max = Timespec::try_from(time_max).ok();
        let mut fds = [PollFd::new(&worker.answers, PollFlags::IN)];
        if retry_on_intr(|| poll(&mut fds, time_max.as_ref()))? == 0 {
            return Err(io::Error::other("it was not ready in time"));
        }
        match worker.answer() {
            Some(BEGUN) => Ok(worker),
            _ => Err(io::Error::other("it did not say that it was ready")),
        }
    }

    /// Has the job done, unless something comes in between. If it gave no
    /// answer, the worker must not be used again.
    ///
    /// The client is looked at only during a slow job: to wait for a quick one
    /// costs less than to replace a worker.
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
                PollFd::new(&self.answers, PollFlags::IN),
                PollFd::new(client, PollFlags::empty()),
            ];
            // EINTR is as good as any other return: it all is looked at.
            let _ = poll(&mut fds[..watched], timeout.as_ref());
            let [answer, client] = fds.map(|fd| fd.revents());
            if !answer.is_empty() {
                match self.answer() {
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

    /// What it says, or `None` if it has ended instead.
    fn answer(&mut self) -> Option<u64> {
        let mut number = [0; 8];
        self.answers.read_exact(&mut number).ok()?;
        Some(u64::from_ne_bytes(number))
    }
}

impl Process {
    fn kill(&self) {
        self.is_unwanted.store(true, Release);
        // It fails only for one that has ended by itself.
        let _ = pidfd_send_signal(&self.handle, Signal::KILL);
    }

    fn is_unwanted(&self) -> bool {
        self.is_unwanted.load(Acquire)
    }
}

#[cfg(test)]
mod tests {
    use std::iter;
    use std::net::TcpListener;
    use std::process::Stdio;

    use rustix::net::sockopt;

    use super::*;

    /// What a worker says first, and then nothing more.
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
    fn nothing_is_left_of_a_worker_that_is_never_ready() {
        const HOUR: Duration = Duration::from_secs(3_600);
        const MOMENT: Duration = Duration::from_millis(100);
        for (script, time_max, error) in [
            (
                "exit 7",
                HOUR,
                "it did not say that it was ready (exit status: 7)",
            ),
            (
                "printf 'so what?'; exec sleep 1000",
                HOUR,
                "it did not say that it was ready (signal: 9 (SIGKILL))",
            ),
            (
                "kill -STOP $$",
                MOMENT,
                "it was not ready in time (signal: 9 (SIGKILL))",
            ),
        ] {
            let started = start(shell(script), time_max);
            // The status, which shows that it has been reaped.
            assert_eq!(started.unwrap_err().to_string(), error, "{script}");
        }
    }

    #[test]
    fn who_waited_first_has_the_first_worker() {
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
    fn a_client_that_is_reset_in_the_queue_is_passed_over() {
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

    /// A worker, which ends when it is dropped.
    fn worker() -> (Worker, Child) {
        start(shell(READY), START_TIME_MAX).unwrap()
    }

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command
    }

    /// The server's end of a connection, and its client's.
    fn connection() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let client = TcpStream::connect(address).unwrap();
        (listener.accept().unwrap().0, client)
    }

    /// Looks until it is so.
    fn until(is_so: impl Fn() -> bool) {
        while !is_so() {
            thread::yield_now();
        }
    }
}
