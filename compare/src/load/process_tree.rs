//! The CPU time, memory, threads and context switches of a process and its
//! descendants.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use rustix::process::Pid;

/// A process and all its descendants at one moment.
#[derive(Clone, Debug)]
pub(crate) struct ProcessTree {
    by_process: BTreeMap<i32, Stat>,
}

impl ProcessTree {
    /// Finds `root` and its descendants. This reads one file for each process
    /// of the machine, however many threads it has; the list of a thread's
    /// children would take one file for each thread.
    pub(crate) fn find(root: Pid) -> Result<ProcessTree, String> {
        let root = root.as_raw_nonzero().get();
        let mut by_process = BTreeMap::from([(root, Stat::read(root)?)]);
        let mut by_parent: BTreeMap<i32, Vec<(i32, Stat)>> = BTreeMap::new();
        for process in processes()? {
            // The process may have ended since it was listed.
            if let Ok(stat) = Stat::read(process) {
                let children = by_parent.entry(stat.parent).or_default();
                children.push((process, stat));
            }
        }
        let mut parents = vec![root];
        while let Some(parent) = parents.pop() {
            for (process, stat) in
                by_parent.remove(&parent).into_iter().flatten()
            {
                parents.push(process);
                by_process.insert(process, stat);
            }
        }
        Ok(ProcessTree { by_process })
    }

    /// Reads the CPU clocks of these processes, with one system call each, so
    /// that all are read at nearly the same moment.
    ///
    /// The clocks are those of clock_getcpuclockid(3): the scheduler's own
    /// nanosecond counters, which include threads that have ended.
    pub(crate) fn cpu_times(self) -> Result<CpuTimes, String> {
        let mut by_process_ns = BTreeMap::new();
        for &process in self.by_process.keys() {
            by_process_ns.insert(process, cpu_ns(process)?);
        }
        let read_at = clock_gettime(ClockId::CLOCK_BOOTTIME)
            .map_err(|error| format!("cannot read the boot clock: {error}"))?;
        let read_at_ns = nanoseconds(read_at);
        Ok(CpuTimes { tree: self, by_process_ns, read_at_ns })
    }

    /// Returns the number of threads at the moment when the tree was read.
    pub(crate) fn threads(&self) -> u64 {
        self.by_process.values().map(|stat| stat.threads).sum()
    }

    /// Lists the threads that these processes have now.
    pub(crate) fn thread_ids(&self) -> Result<BTreeSet<i32>, String> {
        let mut threads = BTreeSet::new();
        for &process in self.by_process.keys() {
            let names = tasks(process)?.filter_map(|task| {
                task.file_name()?.to_str()?.parse::<i32>().ok()
            });
            threads.extend(names);
        }
        Ok(threads)
    }

    /// Counts the context switches of all current threads, from
    /// `/proc/PID/task/TID/status`. The kernel has no sum of them, and with
    /// thousands of threads, this takes a good part of a second.
    pub(crate) fn switches(&self) -> Result<Switches, String> {
        let mut switches = Switches { voluntary: 0, involuntary: 0 };
        for &process in self.by_process.keys() {
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

    /// Returns the peak resident memory of each process, added up, from `VmHWM`
    /// in `/proc/PID/status`.
    pub(crate) fn rss_peak_bytes(&self) -> Result<u64, String> {
        self.sum_kib("status", "VmHWM:")
    }

    /// Returns the resident memory, from `/proc/PID/smaps_rollup`, which is
    /// exact, while `statm` may lag behind.
    pub(crate) fn rss_bytes(&self) -> Result<u64, String> {
        self.sum_kib("smaps_rollup", "Rss:")
    }

    fn sum_kib(&self, file: &str, key: &str) -> Result<u64, String> {
        let mut bytes = 0;
        for process in self.by_process.keys() {
            let path = format!("/proc/{process}/{file}");
            let kib = number(&read(&path)?, key)
                .ok_or_else(|| format!("no {key} in {path}"))?;
            bytes += kib * 1024;
        }
        Ok(bytes)
    }
}

/// The CPU time of each process of a tree at one moment.
#[derive(Clone, Debug)]
pub(crate) struct CpuTimes {
    tree: ProcessTree,
    by_process_ns: BTreeMap<i32, u64>,
    /// When the clocks were read, since boot.
    read_at_ns: u64,
}

impl CpuTimes {
    /// Reads the clocks of the same processes again.
    pub(crate) fn again(self) -> Result<CpuTimes, String> {
        self.tree.cpu_times()
    }

    /// Returns the CPU time that these processes have used since.
    pub(crate) fn used_since_ns(&self) -> Result<u64, String> {
        let mut used_ns = 0;
        for (&process, start_ns) in &self.by_process_ns {
            used_ns += cpu_ns(process)?.saturating_sub(*start_ns);
        }
        Ok(used_ns)
    }

    /// Returns the CPU time of the processes that started since, which are in
    /// the tree `now`.
    ///
    /// # Errors
    ///
    /// Returns an error if the CPU time of a process is unknown: if it started
    /// and ended since, or if it may have started after the tree was found and
    /// before its clocks were read. Of the processes that ended, only those
    /// that their parent waited for are noticed; a child whose parent ignores
    /// SIGCHLD, or left it to init, leaves no trace.
    pub(crate) fn used_by_new_ns(
        &self,
        now: &ProcessTree,
    ) -> Result<u64, String> {
        let mut used_ns = 0;
        for (&process, stat) in &now.by_process {
            let before = self.tree.by_process.get(&process);
            let faults_before = before.map_or(0, |stat| stat.reaped_faults);
            if stat.reaped_faults > faults_before {
                return Err(format!(
                    "process {process} of the server had children that ended \
                     in the window: their CPU time is unknown"
                ));
            }
            if before.is_some() {
                continue;
            }
            if stat.may_have_started_by(self.read_at_ns) {
                return Err(format!(
                    "process {process} of the server started shortly before \
                     the window: its CPU time in the window is unknown"
                ));
            }
            used_ns += cpu_ns(process)?;
        }
        Ok(used_ns)
    }
}

/// The context switches of the threads of a process tree.
#[derive(Clone, Debug)]
pub(crate) struct Switches {
    /// Switches because the thread waited for something.
    pub(crate) voluntary: u64,
    /// Switches because the scheduler ran another thread.
    pub(crate) involuntary: u64,
}

impl Switches {
    /// Returns the context switches since `start`. Those of threads that have
    /// ended in between are lost.
    pub(crate) fn since(&self, start: &Switches) -> Switches {
        Switches {
            voluntary: self.voluntary.saturating_sub(start.voluntary),
            involuntary: self.involuntary.saturating_sub(start.involuntary),
        }
    }
}

/// Returns the first child process of a process.
pub(crate) fn first_child(of: Pid) -> Result<Pid, String> {
    let parent = of.as_raw_nonzero().get();
    let is_child = |process: &i32| {
        Stat::read(*process).is_ok_and(|stat| stat.parent == parent)
    };
    let first = processes()?.into_iter().filter(is_child).min();
    first
        .and_then(Pid::from_raw)
        .ok_or_else(|| format!("process {parent} has no child process"))
}

/// The fields of `/proc/PID/stat` that this module needs.
#[derive(Clone, Debug)]
struct Stat {
    parent: i32,
    threads: u64,
    /// The page faults of children that have ended and were waited for. Every
    /// child has page faults, while many end within a tick of CPU time.
    reaped_faults: u64,
    /// When the process started, since boot.
    started_ticks: u64,
}

/// One tick in `/proc`: USER_HZ is 100 on every Linux.
const TICK_NS: u64 = 10_000_000;

impl Stat {
    fn read(process: i32) -> Result<Stat, String> {
        let path = format!("/proc/{process}/stat");
        Stat::parse(&read(&path)?).ok_or_else(|| {
            format!("{path} is not in the format of proc_pid_stat(5)")
        })
    }

    fn parse(text: &str) -> Option<Stat> {
        // The name may contain anything, including parentheses and spaces.
        let (_, rest) = text.rsplit_once(") ")?;
        // The first of these fields is field 3 of proc_pid_stat(5).
        let fields: Vec<&str> = rest.split_whitespace().collect();
        Some(Stat {
            parent: fields.get(4 - 3)?.parse().ok()?,
            threads: fields.get(20 - 3)?.parse().ok()?,
            reaped_faults: fields.get(11 - 3)?.parse().ok()?,
            started_ticks: fields.get(22 - 3)?.parse().ok()?,
        })
    }

    /// Returns `true` unless the process certainly started after that moment.
    /// The start time is only known to a tick.
    fn may_have_started_by(&self, since_boot_ns: u64) -> bool {
        self.started_ticks.saturating_mul(TICK_NS) <= since_boot_ns
    }
}

/// Returns all processes that are visible to this one.
fn processes() -> Result<Vec<i32>, String> {
    let entries = fs::read_dir("/proc")
        .map_err(|error| format!("cannot read /proc: {error}"))?;
    let names = entries.map_while(Result::ok).map(|entry| entry.file_name());
    Ok(names.filter_map(|name| name.to_str()?.parse().ok()).collect())
}

fn cpu_ns(process: i32) -> Result<u64, String> {
    let gone = |error| {
        format!("process {process} of the server has no CPU clock: {error}")
    };
    let clock = clock_getcpuclockid(nix::unistd::Pid::from_raw(process))
        .map_err(gone)?;
    let time = clock_gettime(clock).map_err(gone)?;
    Ok(nanoseconds(time))
}

fn nanoseconds(time: TimeSpec) -> u64 {
    time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64
}

/// Returns the folders in `/proc` of a process's threads.
fn tasks(process: i32) -> Result<impl Iterator<Item = PathBuf>, String> {
    let path = format!("/proc/{process}/task");
    let entries = fs::read_dir(&path)
        .map_err(|error| format!("cannot read {path}: {error}"))?;
    Ok(entries.map_while(Result::ok).map(|entry| entry.path()))
}

/// Returns the number after a key, as in `Rss:   1234 kB`.
fn number(text: &str, key: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(key))?;
    rest.split_whitespace().next()?.parse().ok()
}

fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(path)
        .map_err(|error| format!("cannot read {path}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hint::black_box;
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Command, Stdio};
    use std::time::Duration;

    /// Returns this process without its children, which are those of other
    /// tests.
    fn own() -> ProcessTree {
        let process = rustix::process::getpid();
        let mut own = ProcessTree::find(process).unwrap();
        own.by_process.retain(|&pid, _| pid == process.as_raw_nonzero().get());
        own
    }

    #[test]
    fn the_cpu_time_of_this_process_grows_with_its_work() {
        let start = own().cpu_times().unwrap();
        black_box(protocol::fib(black_box(20)));
        assert!(start.used_since_ns().unwrap() > 0);
    }

    #[test]
    fn a_child_belongs_to_the_tree_and_adds_to_its_memory() {
        let mut shell = Command::new("sh")
            .args(["-c", "sh -c 'echo; read line'; true"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(shell.stdout.take().unwrap());
        let mut lines = output.lines();
        let pid = Pid::from_child(&shell);
        lines.next().unwrap().unwrap();
        let tree = ProcessTree::find(pid).unwrap();
        let child = first_child(pid).unwrap();
        assert!(tree.by_process.contains_key(&child.as_raw_nonzero().get()));
        assert_eq!(tree.threads(), 2);
        let rss = tree.rss_bytes().unwrap();
        assert!(rss > ProcessTree::find(child).unwrap().rss_bytes().unwrap());
        assert!(tree.rss_peak_bytes().unwrap() >= rss / 2);
        assert!(own().threads() > 1);
        drop(shell.stdin.take());
        shell.wait().unwrap();
    }

    #[test]
    fn a_process_that_has_ended_has_a_reason_instead_of_a_time() {
        let mut child = Command::new("true").spawn().unwrap();
        let pid = Pid::from_child(&child);
        child.wait().unwrap();
        assert!(ProcessTree::find(pid).is_err());
    }

    #[test]
    fn the_cpu_time_is_unknown_if_children_started_and_ended() {
        // In another process: this one also has the children of other tests.
        let script = "read line; /bin/true; echo done; read line";
        let mut shell = Command::new("sh")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let pid = Pid::from_child(&shell);
        let tree = || ProcessTree::find(pid).unwrap();
        let start = tree().cpu_times().unwrap();
        assert_eq!(start.used_by_new_ns(&tree()), Ok(0));
        let (mut to, from) = (shell.stdin.take(), shell.stdout.take());
        to.as_mut().unwrap().write_all(b"\n").unwrap();
        let mut line = String::new();
        BufReader::new(from.unwrap()).read_line(&mut line).unwrap();
        let reason = start.used_by_new_ns(&tree()).unwrap_err();
        assert!(reason.contains("children that ended"), "{reason}");
        drop(to);
        shell.wait().unwrap();
    }

    #[test]
    fn a_new_child_counts_unless_it_started_before_the_clocks_were_read() {
        let mut shell = Command::new("sh")
            .args(["-c", "read line; cat; true"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let pid = Pid::from_child(&shell);
        let start = ProcessTree::find(pid).unwrap().cpu_times().unwrap();
        let (mut to, from) = (shell.stdin.take(), shell.stdout.take());
        // In another tick, so that it certainly started later.
        std::thread::sleep(Duration::from_nanos(TICK_NS));
        // The second line comes back from cat.
        to.as_mut().unwrap().write_all(b"\nhere\n").unwrap();
        let mut line = String::new();
        BufReader::new(from.unwrap()).read_line(&mut line).unwrap();
        let now = ProcessTree::find(pid).unwrap();
        assert_eq!(now.by_process.len(), 2);
        assert!(start.used_by_new_ns(&now).unwrap() > 0);
        let late = CpuTimes { read_at_ns: u64::MAX, ..start };
        let reason = late.used_by_new_ns(&now).unwrap_err();
        assert!(reason.contains("started shortly before"), "{reason}");
        drop(to);
        shell.wait().unwrap();
    }

    #[test]
    fn a_process_name_may_contain_parentheses() {
        let rest = "S 7 1 1 0 -1 64 100 55 0 0 1 2 3 4 20 0 12 0 99 0";
        let stat = Stat::parse(&format!("42 (a) (b c)) {rest}")).unwrap();
        assert_eq!(
            (stat.parent, stat.threads, stat.reaped_faults),
            (7, 12, 55)
        );
        assert!(Stat::parse("42 (short) S 7").is_none());
    }
}
