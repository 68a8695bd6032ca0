//! The processes of a server and their threads, as proc(5) shows them.

use std::collections::HashMap;
use std::fs;
use std::iter;
use std::path::{Path, PathBuf};

use conformance::TestServer;

/// The folders in `/proc` of those that have not ended. A server is a process
/// group: it may be a script that starts others, or have worker processes.
pub(crate) fn processes(server: &TestServer<'_>) -> Vec<PathBuf> {
    let leader = server.pid().as_raw_nonzero().get();
    let is_one = |process: &Path| {
        Stat::of(process).is_some_and(|s| s.group == leader && !s.is_dead())
    };
    entries(Path::new("/proc")).filter(|process| is_one(process)).collect()
}

/// The server, its children, and theirs, by their ids, but for the dead. They
/// may have left its group.
pub(crate) fn family(server: &TestServer<'_>) -> HashMap<i32, Stat> {
    let all: HashMap<i32, Stat> = entries(Path::new("/proc"))
        .filter_map(|process| {
            let pid = process.file_name()?.to_str()?.parse().ok()?;
            Some((pid, Stat::of(&process)?))
        })
        .collect();
    let top = server.pid().as_raw_nonzero().get();
    let descends = |pid: &i32| {
        iter::successors(Some(*pid), |pid| all.get(pid).map(|p| p.parent))
            .any(|pid| pid == top)
    };
    let living = all.iter().filter(|(_, process)| !process.is_dead());
    living
        .filter(|(pid, _)| descends(pid))
        .map(|(&pid, process)| (pid, process.clone()))
        .collect()
}

/// The folder of a process in `/proc`.
pub(crate) fn folder(pid: i32) -> PathBuf {
    Path::new("/proc").join(pid.to_string())
}

/// Whether a process has not ended.
pub(crate) fn is_alive(pid: i32) -> bool {
    Stat::of(&folder(pid)).is_some_and(|process| !process.is_dead())
}

/// The folders in `/proc` of the threads of the group.
pub(crate) fn threads(server: &TestServer<'_>) -> Vec<PathBuf> {
    let tasks = processes(server).into_iter().map(|p| p.join("task"));
    tasks.flat_map(|tasks| entries(&tasks)).collect()
}

/// How often the threads of a server have gone to sleep.
pub(crate) fn switches(server: &TestServer<'_>) -> u64 {
    threads(server).iter().map(|thread| switches_of(thread)).sum()
}

/// How often a thread has.
pub(crate) fn switches_of(thread: &Path) -> u64 {
    let count = status(thread, "voluntary_ctxt_switches:");
    count.and_then(|count| count.parse().ok()).unwrap_or(0)
}

/// What the `status` of a process or a thread says behind this key.
pub(crate) fn status(folder: &Path, key: &str) -> Option<String> {
    let status = fs::read_to_string(folder.join("status")).ok()?;
    let value = status.lines().find_map(|line| line.strip_prefix(key))?;
    Some(value.trim().to_owned())
}

/// What the `stat` of a process says, or that of a thread.
#[derive(Clone)]
pub(crate) struct Stat {
    state: String,
    parent: i32,
    group: i32,
    /// Its CPU time.
    pub(crate) ticks: u64,
}

impl Stat {
    /// That of a folder in `/proc`, unless it has gone.
    pub(crate) fn of(folder: &Path) -> Option<Stat> {
        let fields = stat(folder);
        let field = |number: usize| fields.get(number - 3);
        let ticks = |number| field(number)?.parse::<u64>().ok();
        Some(Stat {
            state: field(3)?.clone(),
            parent: field(4)?.parse().ok()?,
            group: field(5)?.parse().ok()?,
            ticks: ticks(14)? + ticks(15)?,
        })
    }

    /// Whether it has ended, and is only there to be looked at.
    pub(crate) fn is_dead(&self) -> bool {
        matches!(self.state.as_str(), "Z" | "X")
    }
}

/// The fields of a process or a thread in its `stat`, from the state on, which
/// is field 3. What stands before that, its name, may hold anything.
fn stat(folder: &Path) -> Vec<String> {
    let stat = fs::read_to_string(folder.join("stat")).unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    fields.split_whitespace().map(str::to_owned).collect()
}

/// What is in a folder that may be gone by now.
pub(crate) fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path())
}
