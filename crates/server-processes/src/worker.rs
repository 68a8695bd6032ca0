//! A worker process: computes the jobs that it reads from stdin.
//!
//! A job is one byte, its n. A reply is eight bytes, a number in this machine's
//! byte order. The worker ends at end-of-file.

use std::ffi::OsString;
use std::fs::{self, File};
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

/// The argument that makes this program a worker. The parent's process id
/// follows.
const WORKER: &str = "--worker-of";

/// A message that is not a Fibonacci number: the worker is ready for its first
/// job, or has begun a long job. A worker that dies before it has begun its
/// job was dying when it got the job: the pipe of a process that was killed
/// still accepts jobs.
pub(crate) const BEGUN: u64 = u64::MAX;

/// The program of this process.
const THIS_PROGRAM: &str = "/proc/self/exe";

/// Returns the command that starts a worker. It runs the program of this
/// process, and not the file that has the program's path now, because an
/// upgrade may have replaced the file. Where there is no /proc, only the path
/// is known.
pub(crate) fn command() -> Command {
    let name = env::args_os().next().unwrap_or_default();
    let mut command = match fs::read_link(THIS_PROGRAM) {
        Ok(_) => Command::new(THIS_PROGRAM),
        Err(_) => Command::new(&name),
    };
    command
        .arg0(name)
        .args([WORKER, &process::id().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

/// Returns `true` if this process was started as a worker.
pub(crate) fn is_worker() -> bool {
    env::args_os().nth(1).is_some_and(|argument| argument == WORKER)
}

/// Runs the worker until the server closes its stdin.
pub(crate) fn run() -> ExitCode {
    match prepare().and_then(|()| compute_all()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("worker: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Makes this process end with its parent, and only then. Ctrl-C signals the
/// worker too, but a stopping server still needs its reply. At the server's
/// end, a worker that reads gets end-of-file; one that computes needs the
/// parent-death signal.
fn prepare() -> io::Result<()> {
    // First of all: a worker that is suspended before this line outlives the
    // server for as long as it is suspended.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let parent = getppid().map(|pid| pid.as_raw_nonzero().to_string());
    if parent.map(OsString::from) != env::args_os().nth(2) {
        // The server ended before the line above, so no signal would arrive.
        return Err(io::Error::other("the server has ended"));
    }
    for signal in [SIGINT, SIGTERM] {
        let ignored = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(signal, ignored)?;
    }
    // Otherwise the name would be `exe`, after the link in `command`.
    thread::set_name(c"fib-worker")?;
    Ok(())
}

fn compute_all() -> io::Result<()> {
    let stdout = io::stdout().as_fd().try_clone_to_owned()?;
    // A file, because `Stdout` might write a number in two parts.
    let mut replies = File::from(stdout);
    let mut send = |number: u64| replies.write_all(&number.to_ne_bytes());
    send(BEGUN)?;
    for n in io::stdin().lock().bytes() {
        let request = Request::Fib(n?);
        if request.is_long() {
            send(BEGUN)?;
        }
        if let Reply::Value(value) = request.compute() {
            send(value)?;
        }
    }
    Ok(())
}
