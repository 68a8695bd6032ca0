//! What a child process does between fork and exec. The only `unsafe` code of
//! this crate.

#![allow(unsafe_code)]

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sys::signal::{SigHandler, SigSet, signal};
use rustix::process::{
    Pid, Resource, Rlimit, Signal, getppid, set_parent_process_death_signal,
    setrlimit,
};
use rustix::thread::{CpuSet, sched_setaffinity};

use crate::Launch;

/// Configures `command` to run in its own process group, on the launch's
/// processors and under its limits, and to be killed when the thread that
/// starts it ends. It inherits neither blocked nor ignored signals, unless the
/// launch asks for it.
pub(crate) fn prepare(command: &mut Command, launch: &Launch) {
    let parent = rustix::process::getpid();
    let limits = launch.limits.clone();
    let signals = Signals {
        blocked: launch.blocked.iter().copied().map(nix).collect(),
        ignored: launch.ignored.iter().copied().map(nix).collect(),
    };
    let mut cpus = CpuSet::new();
    launch.cpus.iter().for_each(|&cpu| cpus.set(cpu));
    command.process_group(0);
    // SAFETY: between fork and exec, only async-signal-safe calls are allowed
    // (fork(2)). The closure only makes system calls, through rustix's
    // linux_raw backend, and calls sigaction(2) and pthread_sigmask(3), with
    // data from before the fork. It neither allocates nor locks.
    unsafe {
        command.pre_exec(move || set_up(parent, &cpus, &limits, &signals));
    }
}

fn set_up(
    parent: Pid,
    cpus: &CpuSet,
    limits: &[(Resource, u64)],
    signals: &Signals,
) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if getppid() != Some(parent) {
        // The parent ended before the line above, so no signal would come.
        return Err(io::ErrorKind::NotFound.into());
    }
    if cpus.count() > 0 {
        sched_setaffinity(None, cpus)?;
    }
    for &(resource, limit) in limits {
        let limit = Rlimit { current: Some(limit), maximum: Some(limit) };
        setrlimit(resource, limit)?;
    }
    signals.set()
}

/// The signals that a child finds blocked and ignored.
struct Signals {
    blocked: SigSet,
    ignored: SigSet,
}

impl Signals {
    fn set(&self) -> io::Result<()> {
        for number in nix::sys::signal::Signal::iterator() {
            let handler = if self.ignored.contains(number) {
                SigHandler::SigIgn
            } else {
                SigHandler::SigDfl
            };
            // SAFETY: no handler is installed, so no code can run in one.
            // It fails for SIGKILL and SIGSTOP, which can't be ignored.
            let _ = unsafe { signal(number, handler) };
        }
        Ok(self.blocked.thread_set_mask()?)
    }
}

/// Returns a signal as nix names it.
fn nix(signal: Signal) -> nix::sys::signal::Signal {
    let number = signal.as_raw();
    number.try_into().expect("a named signal has the same number in nix")
}
