//! What a child does between fork and exec. The only `unsafe` of this crate.

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

/// Makes `command` start in a process group of its own, on the launch's
/// processors, under its limits, and end when the thread that started it
/// ends.
pub(crate) fn prepare(command: &mut Command, launch: &Launch) {
    let parent = rustix::process::getpid();
    let limits = launch.limits.clone();
    let mut cpus = CpuSet::new();
    launch.cpus.iter().for_each(|&cpu| cpus.set(cpu));
    command.process_group(0);
    // SAFETY: between fork and exec only async-signal-safe calls are allowed
    // (fork(2)). The closure makes system calls, by rustix's linux_raw
    // backend, on data that was made before the fork; it neither allocates
    // nor locks.
    unsafe {
        command.pre_exec(move || enter(parent, &cpus, &limits));
    }
}

fn enter(
    parent: Pid,
    cpus: &CpuSet,
    limits: &[(Resource, u64)],
) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if getppid() != Some(parent) {
        // The parent ended before the line above: nobody would signal us.
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
