//! What a process and all that it started have used: CPU time and memory.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;

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

/// How often the threads of a process tree gave up their processor.
#[derive(Clone, Debug)]
pub(crate) struct Switches {
    /// To wait for something.
    pub(crate) voluntary: u64,
    /// Because others were to run.
    pub(crate) involuntary: u64,
}

impl Switches {
    /// Counts those of all threads that there are now, by
    /// `/proc/PID/task/TID/status`.
    pub(crate) fn read(root: Pid) -> Result<Switches, String> {
        let mut switches = Switches { voluntary: 0, involuntary: 0 };
        for process in members(root)? {
            for task in tasks(process)? {
                // A thread may have ended since it was listed.
                let Ok(text) = fs::read_to_string(task.join("status")) else {
                    continue;
                };
                let count = |key| number(&text, key).unwrap_or(0);
                switches.voluntary += count("voluntary_ctxt_switches:");
                switches.involuntary += count("nonvoluntary_ctxt_switches:");
            }
        }
        Ok(switches)
    }

    /// How many there were since `start`. Those of a thread that has ended in
    /// between are lost.
    pub(crate) fn since(&self, start: &Switches) -> Switches {
        Switches {
            voluntary: self.voluntary.saturating_sub(start.voluntary),
            involuntary: self.involuntary.saturating_sub(start.involuntary),
        }
    }
}

/// The first process that a process has started.
pub(crate) fn first_child(of: Pid) -> Result<Pid, String> {
    let mut children = Vec::new();
    children_of(of.as_raw_nonzero().get(), &mut children)?;
    let first = children.first().copied().and_then(Pid::from_raw);
    first.ok_or_else(|| "it has no child process".to_owned())
}

/// How many threads a process and its descendants have.
pub(crate) fn threads(root: Pid) -> Result<u64, String> {
    let mut count = 0;
    for process in members(root)? {
        count += tasks(process)?.count() as u64;
    }
    Ok(count)
}

/// The most resident memory that each process of a tree ever had, added up,
/// by `VmHWM` in `/proc/PID/status`.
pub(crate) fn rss_peak_bytes(root: Pid) -> Result<u64, String> {
    let mut bytes = 0;
    for process in members(root)? {
        let path = format!("/proc/{process}/status");
        let kib = number(&read(&path)?, "VmHWM:")
            .ok_or_else(|| format!("no VmHWM in {path}"))?;
        bytes += kib * 1024;
    }
    Ok(bytes)
}

/// The resident memory of a process and its descendants, by
/// `/proc/PID/smaps_rollup`: exact, where `statm` is allowed to lag.
pub(crate) fn rss_bytes(root: Pid) -> Result<u64, String> {
    let mut rss_bytes = 0;
    for process in members(root)? {
        let path = format!("/proc/{process}/smaps_rollup");
        let text = read(&path)?;
        let rss_kib =
            number(&text, "Rss:").ok_or_else(|| format!("no Rss in {path}"))?;
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
    for task in tasks(process)? {
        let path = task.join("children");
        match fs::read_to_string(&path) {
            Ok(text) => to.extend(
                text.split_whitespace()
                    .filter_map(|word| word.parse::<i32>().ok()),
            ),
            // The thread has ended since its folder was listed.
            Err(_) if !task.exists() => {}
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

/// The folders of a process's threads.
fn tasks(process: i32) -> Result<impl Iterator<Item = PathBuf>, String> {
    let path = format!("/proc/{process}/task");
    let entries = fs::read_dir(&path)
        .map_err(|error| format!("can't read {path}: {error}"))?;
    Ok(entries.map_while(Result::ok).map(|entry| entry.path()))
}

/// The number after a key, as in `Rss:   1234 kB`.
fn number(text: &str, key: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(key))?;
    rest.split_whitespace().next()?.parse().ok()
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
        let rss = rss_bytes(own).unwrap();
        assert!(rss > 0);
        assert!(rss_peak_bytes(own).unwrap() >= rss / 2);
        assert!(
            threads(own).unwrap() > threads(Pid::from_child(&child)).unwrap()
        );
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
