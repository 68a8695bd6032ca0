//! Kills the processes that a server has started and that outlive it.
//!
//! A process that has left its server's process group, as daemons do by
//! setsid(2), is not killed with the group. When its parent is killed, it
//! becomes an orphan, and its new parent is the nearest ancestor that adopts
//! orphans (`PR_SET_CHILD_SUBREAPER` in prctl(2)). So a process that adopts
//! orphans, and kills its children until it has none, has killed all of its
//! descendants.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{
    Pid, Signal, WaitOptions, getpgrp, getpid, kill_process,
    set_child_subreaper, waitpid,
};

/// Whether and when this process has to kill orphans.
#[derive(Debug)]
struct State {
    /// Whether this process adopts orphans. If not, init does.
    adopts: bool,
    /// How many [`Process`](crate::Process)es exist: any may leave orphans.
    running: usize,
}

static STATE: Mutex<State> = Mutex::new(State { adopts: false, running: 0 });

/// Makes this process adopt the orphans of all processes that it starts.
///
/// From then on, dropping the last [`Process`](crate::Process) kills and reaps
/// all children of this process that are in another process group. A child that
/// this crate did not start must therefore stay in the group of its parent.
///
/// # Errors
///
/// Returns an error if the kernel doesn't support this.
pub fn adopt_orphans() -> io::Result<()> {
    set_child_subreaper(Some(getpid())).map_err(|error| {
        let error = io::Error::from(error);
        io::Error::new(error.kind(), format!("cannot adopt orphans: {error}"))
    })?;
    state().adopts = true;
    Ok(())
}

/// Kills and reaps all children of this process, and the orphans that result,
/// until none is left that this process may kill.
pub fn end_children() {
    kill_children(|_| true);
}

/// Like [`end_children`], but only for children that `is_selected` selects.
fn kill_children(is_selected: impl Fn(&Process) -> bool) {
    loop {
        let killed: Vec<Pid> = children()
            .filter(&is_selected)
            .map(|child| child.id)
            .filter(|&id| kill_process(id, Signal::KILL).is_ok())
            .collect();
        if killed.is_empty() {
            return;
        }
        for child in killed {
            // Fails only if another thread has reaped the child.
            let _ = waitpid(Some(child), WaitOptions::empty());
        }
    }
}

/// Suspends all descendants of this process.
pub(crate) fn suspend_descendants() {
    let mut suspended = HashSet::new();
    loop {
        let mut found = descendants();
        found.retain(|id| !suspended.contains(id));
        if found.is_empty() {
            return;
        }
        // One may have started another before it was suspended.
        for id in found {
            let _ = kill_process(id, Signal::STOP);
            suspended.insert(id);
        }
    }
}

/// Continues all descendants of this process: each after those that it has
/// started.
pub(crate) fn continue_descendants() {
    for id in descendants().into_iter().rev() {
        let _ = kill_process(id, Signal::CONT);
    }
}

/// Returns the descendants of this process, each after its parent.
fn descendants() -> Vec<Pid> {
    let mut children_of: HashMap<Pid, Vec<Pid>> = HashMap::new();
    for Process { id, parent, .. } in processes() {
        children_of.entry(parent).or_default().push(id);
    }
    let mut found = vec![getpid()];
    let mut next = 0;
    while let Some(id) = found.get(next) {
        found.extend(children_of.remove(id).unwrap_or_default());
        next += 1;
    }
    found.split_off(1)
}

/// Counts a process that may leave orphans, for as long as this value exists.
#[derive(Debug)]
pub(crate) struct RunningProcess(());

impl RunningProcess {
    /// Counts a process. Must be called before the process is started.
    pub(crate) fn new() -> RunningProcess {
        state().running += 1;
        RunningProcess(())
    }
}

impl Drop for RunningProcess {
    fn drop(&mut self) {
        let mut state = state();
        state.running -= 1;
        if state.adopts && state.running == 0 {
            // The lock keeps other threads from starting a process meanwhile.
            let own = getpgrp();
            kill_children(|child| child.group != Some(own));
        }
    }
}

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A process of this machine.
struct Process {
    id: Pid,
    parent: Pid,
    group: Option<Pid>,
}

/// Returns the children of this process. Reading `/proc/PID/task/TID/children`
/// would be faster, but not every kernel has that file.
fn children() -> impl Iterator<Item = Process> {
    processes().filter(|process| process.parent == getpid())
}

fn processes() -> impl Iterator<Item = Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let id = entry.file_name().to_str()?.parse().ok()?;
        let (parent, group) = parent_and_group_of(id)?;
        Some(Process { id: Pid::from_raw(id)?, parent, group })
    })
}

/// Returns the parent and the process group of a process, according to
/// proc_pid_stat(5). Returns `None` if the process no longer exists, or if its
/// parent is in another PID namespace. The group is `None` if it is in another
/// namespace.
fn parent_and_group_of(process: i32) -> Option<(Pid, Option<Pid>)> {
    let text = fs::read(format!("/proc/{process}/stat")).ok()?;
    let text = String::from_utf8_lossy(&text);
    // The name, in parentheses, may contain any character.
    let (_, rest) = text.rsplit_once(") ")?;
    let mut ids = rest.split_whitespace().skip(1).map(str::parse);
    let parent = Pid::from_raw(ids.next()?.ok()?)?;
    let group = Pid::from_raw(ids.next()?.ok()?);
    Some((parent, group))
}
