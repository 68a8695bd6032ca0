//! A worker process: computes what it reads from stdin, until end-of-file.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::{env, process};

use chassis::{Reply, Request};
use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use rustix::thread;
use signal_hook::consts::{SIGINT, SIGTERM};

/// The one argument that makes a worker of this program; the parent's process
/// id follows.
const WORKER: &str = "--worker-of";

/// A job on its way to a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) id: u64,
    pub(crate) n: u8,
}

/// Its answer on the way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) id: u64,
    pub(crate) value: u64,
}

impl Job {
    pub(crate) const BYTES: usize = 9;

    pub(crate) fn to_bytes(self) -> [u8; Job::BYTES] {
        let mut bytes = [self.n; Job::BYTES];
        bytes[..8].copy_from_slice(&self.id.to_ne_bytes());
        bytes
    }

    fn from_bytes([id @ .., n]: [u8; Job::BYTES]) -> Job {
        Job { id: u64::from_ne_bytes(id), n }
    }
}

/// Not a Fibonacci number: says that a worker is ready for its first job, or
/// that it has begun one that will take a while. One that dies with a job that
/// it has not begun was dying before: a process that is killed still takes
/// what lies in its pipe.
pub(crate) const BEGUN: u64 = u64::MAX;

impl Answer {
    pub(crate) const BYTES: usize = 16;

    fn to_bytes(self) -> [u8; Answer::BYTES] {
        let mut bytes = [0; Answer::BYTES];
        bytes[..8].copy_from_slice(&self.id.to_ne_bytes());
        bytes[8..].copy_from_slice(&self.value.to_ne_bytes());
        bytes
    }

    pub(crate) fn from_bytes(bytes: [u8; Answer::BYTES]) -> Answer {
        let number = |at: usize| {
            let part = bytes[at..at + 8].try_into();
            u64::from_ne_bytes(part.expect("eight bytes"))
        };
        Answer { id: number(0), value: number(8) }
    }
}

/// The command that starts a worker: the program that runs, not the one that
/// has its path by now. An upgrade may have put another one there.
pub(crate) fn command() -> Command {
    let mut command = Command::new("/proc/self/exe");
    command
        .arg0(env::args_os().next().unwrap_or_default())
        .args([WORKER, &process::id().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

/// Whether this process is to be a worker.
pub(crate) fn is_one() -> bool {
    env::args_os().nth(1).is_some_and(|argument| argument == WORKER)
}

/// Works until there is nobody to work for.
pub(crate) fn work() -> ExitCode {
    match prepare().and_then(|()| compute_all()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("worker: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Ties this process's life to its parent's alone. Ctrl-C reaches it too, but
/// the server will want its answer before it leaves. End-of-file says that
/// the server has gone, but only to one that reads: a worker in the middle of
/// a job needs the signal.
fn prepare() -> io::Result<()> {
    // First of all: one that is stopped before this line outlives the server,
    // as long as it is stopped.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let parent = getppid().map(|pid| pid.as_raw_nonzero().to_string());
    if parent.map(OsString::from) != env::args_os().nth(2) {
        // It ended before the line above: nobody would signal us.
        return Err(io::Error::other("the server has gone"));
    }
    for signal in [SIGINT, SIGTERM] {
        let ignored = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(signal, ignored)?;
    }
    // It would be called `exe`, after the link that it was started by.
    thread::set_name(c"fib-worker")?;
    Ok(())
}

fn compute_all() -> io::Result<()> {
    // Files, because the standard streams are buffered and locked.
    let mut jobs = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut answers = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let mut job = [0; Job::BYTES];
    answers.write_all(&Answer { id: 0, value: BEGUN }.to_bytes())?;
    loop {
        match jobs.read_exact(&mut job) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Ok(());
            }
            read => read?,
        }
        let Job { id, n } = Job::from_bytes(job);
        let request = Request::Fib(n);
        if request.is_slow() {
            answers.write_all(&Answer { id, value: BEGUN }.to_bytes())?;
        }
        if let Reply::Value(value) = request.compute() {
            answers.write_all(&Answer { id, value }.to_bytes())?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_and_its_answer_survive_the_pipe() {
        let job = Job { id: u64::MAX - 1, n: 93 };
        assert_eq!(Job::from_bytes(job.to_bytes()), job);
        let answer = Answer { id: 1, value: u64::MAX - 7 };
        assert_eq!(Answer::from_bytes(answer.to_bytes()), answer);
    }
}
