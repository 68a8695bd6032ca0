//! What a process and all that it started have used: CPU time and memory.

use std::collections::BTreeMap;
use std::fs;
use std::io;

use nix::time::{clock_getcpuclockid, clock_gettime};
use rustix::process::Pid;

/// The CPU time of each process of a tree at one moment.
#[derive(Clone, Debug)]
pub(crate) struct CpuTimes {
    root: Pid,
    by_process_ns: BTreeMap<i32, u64>,
}

impl CpuTimes {
    /// Reads the clocks of `root` and its descendants.
    ///
    /// The clocks are those of clock_getcpuclockid(3): the scheduler's own
    /// nanosecond counters, threads that have ended included.
    pub(crate) fn read(root: Pid) -> Result<CpuTimes, String> {
        let mut by_process_ns = BTreeMap::new();
        for process in members(root)? {
            by_process_ns.insert(process, cpu_ns(process)?);
        }
        Ok(CpuTimes { root, by_process_ns })
    }

    /// How much CPU time the tree has used since these were read.
    pub(crate) fn used_since_ns(&self) -> Result<u64, String> {
        let mut used_ns = 0;
        // The known ones first: looking for new ones takes a moment.
        for (&process, start_ns) in &self.by_process_ns {
            used_ns += cpu_ns(process)?.saturating_sub(*start_ns);
        }
        for process in members(self.root)? {
            if !self.by_process_ns.contains_key(&process) {
                used_ns += cpu_ns(process)?;
            }
        }
        Ok(used_ns)
    }
}

/// The resident memory of a process and its descendants, by
/// `/proc/PID/smaps_rollup`: exact, where `statm` is allowed to lag.
pub(crate) fn rss_bytes(root: Pid) -> Result<u64, String> {
    let mut rss_bytes = 0;
    for process in members(root)? {
        let path = format!("/proc/{process}/smaps_rollup");
        let text = read(&path)?;
        let rss_kib: u64 = text
            .lines()
            .find_map(|line| line.strip_prefix("Rss:"))
            .and_then(|rest| rest.trim().strip_suffix(" kB"))
            .and_then(|number| number.parse().ok())
            .ok_or_else(|| format!("no Rss in {path}"))?;
        rss_bytes += rss_kib * 1024;
    }
    Ok(rss_bytes)
}

fn cpu_ns(process: i32) -> Result<u64, String> {
    let gone = |error| {
        format!("process {process} of the server has no CPU clock: {error}")
    };
    let clock = clock_getcpuclockid(nix::unistd::Pid::from_raw(process))
        .map_err(gone)?;
    let time = clock_gettime(clock).map_err(gone)?;
    Ok(time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64)
}

/// The process and its descendants.
fn members(root: Pid) -> Result<Vec<i32>, String> {
    let mut members = vec![root.as_raw_nonzero().get()];
    let mut next = 0;
    while let Some(&process) = members.get(next) {
        children_of(process, &mut members)?;
        next += 1;
    }
    Ok(members)
}

/// Adds the children of `process`, which belong to its single threads.
fn children_of(process: i32, to: &mut Vec<i32>) -> Result<(), String> {
    let tasks = format!("/proc/{process}/task");
    let entries = fs::read_dir(&tasks)
        .map_err(|error| format!("can't read {tasks}: {error}"))?;
    for entry in entries.map_while(Result::ok) {
        let path = entry.path().join("children");
        match fs::read_to_string(&path) {
            Ok(text) => to.extend(
                text.split_whitespace()
                    .filter_map(|word| word.parse::<i32>().ok()),
            ),
            // The thread has ended since its folder was listed.
            Err(_) if !entry.path().exists() => {}
            Err(error) if error.raw_os_error() == Some(ESRCH) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err("this kernel lists no child processes \
                     (CONFIG_PROC_CHILDREN)"
                    .to_owned());
            }
            Err(error) => {
                return Err(format!("can't read {}: {error}", path.display()));
            }
        }
    }
    Ok(())
}

/// "No such process", as reading a file in `/proc` of an ended one gives it.
const ESRCH: i32 = rustix::io::Errno::SRCH.raw_os_error();

fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(path)
        .map_err(|error| format!("can't read {path}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hint::black_box;
    use std::process::{Command, Stdio};

    #[test]
    fn the_cpu_time_of_this_process_grows_with_its_work() {
        let start = CpuTimes::read(rustix::process::getpid()).unwrap();
        black_box(protocol::fib(black_box(20)));
        assert!(start.used_since_ns().unwrap() > 0);
    }

    #[test]
    fn a_child_belongs_to_the_tree_and_adds_to_its_memory() {
        let mut child =
            Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let own = rustix::process::getpid();
        let pid = Pid::from_child(&child).as_raw_nonzero().get();
        assert!(members(own).unwrap().contains(&pid));
        assert!(rss_bytes(own).unwrap() > 0);
        drop(child.stdin.take());
        child.wait().unwrap();
    }

    #[test]
    fn a_process_that_is_gone_has_a_reason_instead_of_a_time() {
        let mut child = Command::new("true").spawn().unwrap();
        let pid = Pid::from_child(&child);
        child.wait().unwrap();
        assert!(CpuTimes::read(pid).is_err());
    }
}
