//! Reads the processes and threads of a server from `/proc`; see proc(5).

use std::collections::HashMap;
use std::fs;
use std::iter;
use std::path::{Path, PathBuf};

use conformance::TestServer;

/// Returns the `/proc` folders of the server's processes that have not ended.
/// They are a process group: a server may be a script that starts others, or
/// have worker processes.
pub(crate) fn processes(server: &TestServer<'_>) -> Vec<PathBuf> {
    let leader = server.pid().as_raw_nonzero().get();
    let is_member = |process: &Path| {
        Stat::of(process).is_some_and(|s| s.group == leader && !s.is_dead())
    };
    entries(Path::new("/proc")).filter(|process| is_member(process)).collect()
}

/// Returns the server and all its descendants by their ids, except those that
/// have ended. A descendant may have left the server's process group.
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

/// Returns the `/proc` folder of a process.
pub(crate) fn folder(pid: i32) -> PathBuf {
    Path::new("/proc").join(pid.to_string())
}

/// Returns `true` if a process exists and has not ended.
pub(crate) fn is_alive(pid: i32) -> bool {
    Stat::of(&folder(pid)).is_some_and(|process| !process.is_dead())
}

/// Returns the `/proc` folders of all threads of the server's processes.
pub(crate) fn threads(server: &TestServer<'_>) -> Vec<PathBuf> {
    let tasks = processes(server).into_iter().map(|p| p.join("task"));
    tasks.flat_map(|tasks| entries(&tasks)).collect()
}

/// Returns how often the server's threads have blocked: the sum of their
/// voluntary context switches.
pub(crate) fn switches(server: &TestServer<'_>) -> u64 {
    threads(server).iter().map(|thread| switches_of(thread)).sum()
}

/// Returns the voluntary context switches of one thread.
pub(crate) fn switches_of(thread: &Path) -> u64 {
    let count = status(thread, "voluntary_ctxt_switches:");
    count.and_then(|count| count.parse().ok()).unwrap_or(0)
}

/// Returns the value of a key, such as `State:`, in the `status` file of a
/// process or a thread.
pub(crate) fn status(folder: &Path, key: &str) -> Option<String> {
    let status = fs::read_to_string(folder.join("status")).ok()?;
    let value = status.lines().find_map(|line| line.strip_prefix(key))?;
    Some(value.trim().to_owned())
}

/// The `stat` file of a process or a thread.
#[derive(Clone)]
pub(crate) struct Stat {
    state: String,
    parent: i32,
    group: i32,
    /// The CPU time used, in clock ticks.
    pub(crate) ticks: u64,
}

impl Stat {
    /// Reads the file from a folder in `/proc`. Returns `None` if the process
    /// no longer exists.
    pub(crate) fn of(folder: &Path) -> Option<Stat> {
        let fields = stat_fields(folder);
        let field = |number: usize| fields.get(number - 3);
        let ticks = |number| field(number)?.parse::<u64>().ok();
        Some(Stat {
            state: field(3)?.clone(),
            parent: field(4)?.parse().ok()?,
            group: field(5)?.parse().ok()?,
            ticks: ticks(14)? + ticks(15)?,
        })
    }

    /// Returns `true` if the process has ended, and only awaits its parent's
    /// wait(2).
    pub(crate) fn is_dead(&self) -> bool {
        matches!(self.state.as_str(), "Z" | "X")
    }
}

/// Returns the fields of a `stat` file from the state on, which is field 3.
/// Field 2, the name, may contain spaces and parentheses.
fn stat_fields(folder: &Path) -> Vec<String> {
    let stat = fs::read_to_string(folder.join("stat")).unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    fields.split_whitespace().map(str::to_owned).collect()
}

/// Returns the entries of a folder, or none if it no longer exists.
pub(crate) fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path())
}
