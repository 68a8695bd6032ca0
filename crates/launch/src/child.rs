//! What a child process does between fork and exec. The only `unsafe` code of
//! this crate.

#![allow(unsafe_code)]

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{
    Pid, Resource, Rlimit, Signal, getppid, set_parent_process_death_signal,
    setrlimit,
};
use rustix::thread::{CpuSet, sched_setaffinity};

use crate::Launch;

/// Configures `command` to run in its own process group, on the launch's
/// processors and under its limits, and to be killed when the thread that
/// starts it ends.
pub(crate) fn prepare(command: &mut Command, launch: &Launch) {
    let parent = rustix::process::getpid();
    let limits = launch.limits.clone();
    let mut cpus = CpuSet::new();
    launch.cpus.iter().for_each(|&cpu| cpus.set(cpu));
    command.process_group(0);
    // SAFETY: between fork and exec, only async-signal-safe calls are allowed
    // (fork(2)). The closure only makes system calls, through rustix's
    // linux_raw backend, with data from before the fork. It neither allocates
    // nor locks.
    unsafe {
        command.pre_exec(move || set_up(parent, &cpus, &limits));
    }
}

fn set_up(
    parent: Pid,
    cpus: &CpuSet,
    limits: &[(Resource, u64)],
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
    Ok(())
}
