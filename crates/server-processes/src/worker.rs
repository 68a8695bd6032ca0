//! A worker process: computes what it reads from stdin, until end-of-file.
//!
//! A job is a byte, its n. An answer is eight, a number as this machine has it.

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

/// An answer that is no Fibonacci number: says that a worker is ready for its
/// first job, or that it has begun one that will take a while. One that dies
/// with a job that it has not begun was dying before: a process that is killed
/// still takes what lies in its pipe.
pub(crate) const BEGUN: u64 = u64::MAX;

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
pub(crate) fn is_worker() -> bool {
    env::args_os().nth(1).is_some_and(|argument| argument == WORKER)
}

/// Works until there is nobody to work for.
pub(crate) fn run() -> ExitCode {
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
    let stdout = io::stdout().as_fd().try_clone_to_owned()?;
    // A file, because stdout might send a number in two parts.
    let mut answers = File::from(stdout);
    let mut answer = |number: u64| answers.write_all(&number.to_ne_bytes());
    answer(BEGUN)?;
    for n in io::stdin().lock().bytes() {
        let request = Request::Fib(n?);
        if request.is_long() {
            answer(BEGUN)?;
        }
        if let Reply::Value(value) = request.compute() {
            answer(value)?;
        }
    }
    Ok(())
}
