//! The worker processes of the server with faults.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process,
    set_parent_process_death_signal, waitid,
};

use crate::server::Fault::{self, *};
use crate::server::{lock, protocol_fib};

/// From this n on, a job takes long enough to be stopped when its client
/// leaves.
const N_SLOW: u64 = 20;

/// How often to check whether a client that waits for a worker has left.
const CHECK_PERIOD: Duration = Duration::from_millis(100);

/// A worker that lived this long did not die at start.
const LIFE_MIN: Duration = Duration::from_secs(1);

/// Runs this program as a worker: reads each n as a byte from stdin, and writes
/// F(n) to stdout.
pub(crate) fn work(mut arguments: impl Iterator<Item = String>) -> ExitCode {
    if arguments
        .next()
        .is_none_or(|fault| fault != format!("{WorkersOutliveServer:?}"))
    {
        set_parent_process_death_signal(Some(Signal::KILL))
            .expect("the signal can be set");
    }
    for n in io::stdin().lock().bytes() {
        let value = protocol_fib(n.expect("stdin can be read").into());
        let mut stdout = io::stdout().lock();
        let bytes = value.to_ne_bytes();
        if stdout.write_all(&bytes).and_then(|()| stdout.flush()).is_err() {
            break;
        }
    }
    ExitCode::SUCCESS
}

/// Worker processes, each lent to one client at a time.
pub(crate) struct Workers {
    idle: Mutex<Vec<Worker>>,
    /// Notified when a worker is idle again.
    freed: Condvar,
    job_timeout: Option<Duration>,
    fault: Option<Fault>,
}

struct Worker {
    pid: Pid,
    jobs: ChildStdin,
    results: ChildStdout,
}

impl Workers {
    pub(crate) fn start(
        count: usize,
        job_timeout: Option<Duration>,
        fault: Option<Fault>,
    ) -> Arc<Workers> {
        let workers = Arc::new(Workers {
            idle: Mutex::default(),
            freed: Condvar::new(),
            job_timeout,
            fault,
        });
        for _ in 0..count {
            let workers = Arc::clone(&workers);
            thread::spawn(move || workers.keep_one());
        }
        workers
    }

    /// Returns the reply to n, without its LF.
    pub(crate) fn compute(
        &self,
        n: u64,
        client: &TcpStream,
    ) -> io::Result<String> {
        loop {
            let mut worker = self.take(client)?;
            let done = self.lend(&mut worker, n, client)?;
            match done {
                Some(Ok(value)) => {
                    lock(&self.idle).push(worker);
                    self.freed.notify_all();
                    return Ok(value.to_string());
                }
                Some(Err(token)) => return Ok(format!("error: {token}")),
                None if n < N_SLOW => {}
                None if self.has(HidesWorkerLoss) => {
                    return Err(io::ErrorKind::BrokenPipe.into());
                }
                None => return Ok("error: worker-lost".to_owned()),
            }
        }
    }

    fn take(&self, client: &TcpStream) -> io::Result<Worker> {
        let mut idle = lock(&self.idle);
        loop {
            if is_reset(client) && !self.has(StartsAbandonedJobs) {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            match idle.pop() {
                Some(worker) => return Ok(worker),
                None => {
                    let waited = self.freed.wait_timeout(idle, CHECK_PERIOD);
                    idle = waited
                        .expect("no thread panics while it has the lock")
                        .0;
                }
            }
        }
    }

    /// Has the worker compute F(n). Returns the value, or the token of an
    /// error, or `None` if the worker has ended.
    fn lend(
        &self,
        worker: &mut Worker,
        n: u64,
        client: &TcpStream,
    ) -> io::Result<Option<Result<u64, &'static str>>> {
        // Fails if the worker has ended, which the read below notices.
        let _ = worker.jobs.write_all(&[n as u8]);
        let deadline = self.job_timeout.map(|timeout| Instant::now() + timeout);
        let watches_client = if n < N_SLOW {
            self.has(StopsQuickJobs)
        } else {
            !self.has(FinishesAbandonedJobs) && !self.has(StartsAbandonedJobs)
        };
        loop {
            let left = deadline.map(|deadline| {
                deadline.saturating_duration_since(Instant::now())
            });
            let timeout = left.and_then(|left| Timespec::try_from(left).ok());
            let mut fds = [
                PollFd::new(&worker.results, PollFlags::IN),
                PollFd::new(client, PollFlags::empty()),
            ];
            let watched = if watches_client { 2 } else { 1 };
            let _ = poll(&mut fds[..watched], timeout.as_ref());
            let [result, client] = fds.map(|fd| fd.revents());
            if !result.is_empty() {
                let mut bytes = [0; 8];
                let read = worker.results.read_exact(&mut bytes);
                return Ok(read.ok().map(|()| Ok(u64::from_ne_bytes(bytes))));
            }
            if !client.is_empty() {
                kill(worker);
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            if left.is_some_and(|left| left.is_zero()) {
                kill(worker);
                return Ok(Some(Err("timed-out")));
            }
        }
    }

    /// Starts one worker, and replaces it whenever it ends.
    fn keep_one(&self) {
        const PAUSE: Duration = Duration::from_millis(250);
        const BACK_OFF_MAX: Duration = Duration::from_secs(1);
        let mut back_off = Duration::from_millis(50);
        loop {
            let start = Instant::now();
            match self.spawn() {
                Ok(child) => self.employ(child),
                Err(error) => eprintln!("cannot start a worker: {error}"),
            }
            match self.fault {
                Some(ReplacesNoWorker) => return,
                Some(ForkStorm) => continue,
                Some(ConstantBackOff) => thread::sleep(PAUSE),
                _ if start.elapsed() < LIFE_MIN => {
                    thread::sleep(back_off);
                    back_off = BACK_OFF_MAX.min(2 * back_off);
                }
                _ => back_off = Duration::from_millis(50),
            }
        }
    }

    /// Lends a worker to clients until it ends.
    fn employ(&self, mut child: Child) {
        let pid = Pid::from_child(&child);
        lock(&self.idle).push(Worker {
            pid,
            jobs: child.stdin.take().expect("stdin is piped"),
            results: child.stdout.take().expect("stdout is piped"),
        });
        self.freed.notify_all();
        self.wait(&mut child, pid);
        lock(&self.idle).retain(|idle| idle.pid != pid);
        eprintln!("a worker has ended");
    }

    fn spawn(&self) -> io::Result<Child> {
        let program = match std::env::current_exe() {
            Err(_) if !self.has(NeedsProc) => {
                std::env::args_os().next().expect("this program's name").into()
            }
            program => program.expect("the path of this program"),
        };
        let fault = self.fault.map(|fault| format!("{fault:?}"));
        Command::new(program)
            .args(["work", &fault.unwrap_or_default()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
    }

    fn wait(&self, child: &mut Child, pid: Pid) {
        if self.has(LeavesZombies) {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            waitid(WaitId::Pid(pid), options).expect("the worker is a child");
        } else {
            child.wait().expect("the worker is a child");
        }
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }
}

fn kill(worker: &Worker) {
    // Fails only if the worker has already ended.
    let _ = kill_process(worker.pid, Signal::KILL);
}

fn is_reset(client: &TcpStream) -> bool {
    let mut fds = [PollFd::new(client, PollFlags::empty())];
    matches!(poll(&mut fds, Some(&Timespec::default())), Ok(1))
}
