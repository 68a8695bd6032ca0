//! The worker processes of the server that is given faults.

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

/// From this n on, a job is worth being stopped.
const N_SLOW: u64 = 20;

/// How often a client that waits for a worker is looked at.
const LOOK_PERIOD: Duration = Duration::from_millis(100);

/// A worker that lived for so long did not end at once.
const LIFE_MIN: Duration = Duration::from_secs(1);

/// What the program does as a worker: for each byte, its fib.
pub(crate) fn work(mut words: impl Iterator<Item = String>) -> ExitCode {
    if words.next().is_none_or(|fault| fault != format!("{OutlivesServer:?}")) {
        set_parent_process_death_signal(Some(Signal::KILL)).expect("a signal");
    }
    for n in io::stdin().lock().bytes() {
        let value = protocol_fib(n.expect("a pipe to read from").into());
        let mut stdout = io::stdout().lock();
        let answer = value.to_ne_bytes();
        if stdout.write_all(&answer).and_then(|()| stdout.flush()).is_err() {
            break;
        }
    }
    ExitCode::SUCCESS
}

/// Worker processes, each lent to one client at a time.
pub(crate) struct Workers {
    idle: Mutex<Vec<Worker>>,
    /// Notified when one is idle again.
    freed: Condvar,
    job_timeout: Option<Duration>,
    fault: Option<Fault>,
}

struct Worker {
    pid: Pid,
    jobs: ChildStdin,
    answers: ChildStdout,
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

    /// The reply, as its line says it.
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
                None if self.has(HidesLoss) => {
                    return Err(io::ErrorKind::BrokenPipe.into());
                }
                None => return Ok("error: worker-lost".to_owned()),
            }
        }
    }

    fn take(&self, client: &TcpStream) -> io::Result<Worker> {
        let mut idle = lock(&self.idle);
        loop {
            if is_reset(client) && !self.has(BeginsUnwanted) {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            match idle.pop() {
                Some(worker) => return Ok(worker),
                None => {
                    let waited = self.freed.wait_timeout(idle, LOOK_PERIOD);
                    idle = waited.expect("nobody panics with it").0;
                }
            }
        }
    }

    /// The answer, or the error that stands for it, or nothing if the worker
    /// has ended.
    fn lend(
        &self,
        worker: &mut Worker,
        n: u64,
        client: &TcpStream,
    ) -> io::Result<Option<Result<u64, &'static str>>> {
        // It fails for one that has ended, which shows when it is read from.
        let _ = worker.jobs.write_all(&[n as u8]);
        let deadline = self.job_timeout.map(|timeout| Instant::now() + timeout);
        let watches = match n < N_SLOW {
            true => self.has(StopsQuickJobs),
            false => !self.has(FinishesUnwanted) && !self.has(BeginsUnwanted),
        };
        loop {
            let left = deadline.map(|deadline| {
                deadline.saturating_duration_since(Instant::now())
            });
            let timeout = left.and_then(|left| Timespec::try_from(left).ok());
            let mut fds = [
                PollFd::new(&worker.answers, PollFlags::IN),
                PollFd::new(client, PollFlags::empty()),
            ];
            let watched = if watches { 2 } else { 1 };
            let _ = poll(&mut fds[..watched], timeout.as_ref());
            let [answer, client] = fds.map(|fd| fd.revents());
            if !answer.is_empty() {
                let mut bytes = [0; 8];
                let answer = worker.answers.read_exact(&mut bytes);
                return Ok(answer.ok().map(|()| Ok(u64::from_ne_bytes(bytes))));
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

    /// Keeps one worker alive.
    fn keep_one(&self) {
        const PAUSE: Duration = Duration::from_millis(250);
        let mut back_off = Duration::from_millis(50);
        loop {
            let birth = Instant::now();
            let mut child = self.spawn();
            let pid = Pid::from_child(&child);
            lock(&self.idle).push(Worker {
                pid,
                jobs: child.stdin.take().expect("it is piped"),
                answers: child.stdout.take().expect("it is piped"),
            });
            self.freed.notify_all();
            self.wait(&mut child, pid);
            lock(&self.idle).retain(|idle| idle.pid != pid);
            eprintln!("a worker has ended");
            match self.fault {
                Some(ReplacesNoWorker) => return,
                Some(ForkStorm) => continue,
                Some(SteadyBackOff) => thread::sleep(PAUSE),
                _ if birth.elapsed() < LIFE_MIN => {
                    thread::sleep(back_off);
                    back_off *= 2;
                }
                _ => back_off = Duration::from_millis(50),
            }
        }
    }

    fn spawn(&self) -> Child {
        let program = std::env::current_exe().expect("this test's own path");
        let fault = self.fault.map(|fault| format!("{fault:?}"));
        Command::new(program)
            .args(["work", &fault.unwrap_or_default()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a worker")
    }

    fn wait(&self, child: &mut Child, pid: Pid) {
        if self.has(LeavesZombies) {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            waitid(WaitId::Pid(pid), options).expect("a child");
        } else {
            child.wait().expect("a child");
        }
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }
}

fn kill(worker: &Worker) {
    // It fails only for one that has ended by itself.
    let _ = kill_process(worker.pid, Signal::KILL);
}

fn is_reset(client: &TcpStream) -> bool {
    let mut fds = [PollFd::new(client, PollFlags::empty())];
    matches!(poll(&mut fds, Some(&Timespec::default())), Ok(1))
}
