//! What a server has started and does not take along when it ends.
//!
//! A process that left its server's process group, as setsid(2) and every
//! daemon does, is not killed with it. Its parent is: so it is an orphan, and
//! comes to the nearest ancestor that adopts orphans (`PR_SET_CHILD_SUBREAPER`
//! in prctl(2)), however far it went. Whoever kills its children until it has
//! none has killed all that descends from it.

use std::fs;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{
    Pid, Signal, WaitOptions, getpgrp, getpid, kill_process,
    set_child_subreaper, waitpid,
};

/// Whose orphans come to this process.
#[derive(Debug)]
struct Household {
    /// Orphans come here, and not to init.
    adopts: bool,
    /// How many processes of ours there are that may have made them.
    processes: usize,
}

static HOUSEHOLD: Mutex<Household> =
    Mutex::new(Household { adopts: false, processes: 0 });

/// Makes this process adopt the orphans of all that it starts. From then on,
/// they are killed and reaped when the last [`Process`](crate::Process) is
/// dropped: all children then that are of another process group. So a child
/// that this crate did not start must stay in the group of its parent.
///
/// # Errors
///
/// When the system knows no such thing.
pub fn adopt_orphans() -> io::Result<()> {
    set_child_subreaper(Some(getpid()))?;
    household().adopts = true;
    Ok(())
}

/// Kills and reaps all children, and the orphans that come of that, until
/// there are none; but for those that may not be killed.
pub fn end_children() {
    end_those(|_| true);
}

fn end_those(is_meant: impl Fn(&Child) -> bool) {
    loop {
        let killed: Vec<Pid> = children()
            .into_iter()
            .filter(&is_meant)
            .map(|child| child.id)
            .filter(|&id| kill_process(id, Signal::KILL).is_ok())
            .collect();
        if killed.is_empty() {
            return;
        }
        for child in killed {
            // It fails only for one that somebody else has reaped.
            let _ = waitpid(Some(child), WaitOptions::empty());
        }
    }
}

/// Held by each process that may leave orphans.
#[derive(Debug)]
pub(crate) struct Member(());

impl Member {
    /// To be had before the process is started.
    pub(crate) fn new() -> Member {
        household().processes += 1;
        Member(())
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut household = household();
        household.processes -= 1;
        if household.adopts && household.processes == 0 {
            // Under the lock: nobody starts a process meanwhile.
            let own = getpgrp();
            end_those(|child| child.group != Some(own));
        }
    }
}

fn household() -> MutexGuard<'static, Household> {
    HOUSEHOLD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A child of this process.
struct Child {
    id: Pid,
    group: Option<Pid>,
}

/// The children of this process. The lists in `/proc/PID/task` would be
/// quicker, but not every kernel has them.
fn children() -> Vec<Child> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let children = processes.filter_map(|entry| {
        let id = entry.file_name().to_str()?.parse().ok()?;
        let (parent, group) = parent_and_group_of(id)?;
        let child = Child { id: Pid::from_raw(id)?, group };
        (parent == getpid()).then_some(child)
    });
    children.collect()
}

/// By proc_pid_stat(5); `None` if there is no such process any more, or if its
/// parent is beyond what may be seen. The group may be so, too.
fn parent_and_group_of(process: i32) -> Option<(Pid, Option<Pid>)> {
    let text = fs::read(format!("/proc/{process}/stat")).ok()?;
    let text = String::from_utf8_lossy(&text);
    // The name, in parentheses, may hold anything.
    let (_, rest) = text.rsplit_once(") ")?;
    let mut ids = rest.split_whitespace().skip(1).map(str::parse);
    let parent = Pid::from_raw(ids.next()?.ok()?)?;
    let group = Pid::from_raw(ids.next()?.ok()?);
    Some((parent, group))
}
