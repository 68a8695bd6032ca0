//! What a process and all that it started have used: CPU time and memory.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use rustix::process::Pid;

/// The processes of a tree at one moment: one and all that descend from it.
#[derive(Clone, Debug)]
pub(crate) struct ProcessTree {
    by_process: BTreeMap<i32, Stat>,
}

impl ProcessTree {
    /// Looks for `root` and its descendants: one file for each process of the
    /// machine, however many threads they have. The list of a thread's
    /// children would be one for each thread.
    pub(crate) fn find(root: Pid) -> Result<ProcessTree, String> {
        let root = root.as_raw_nonzero().get();
        let mut by_process = BTreeMap::from([(root, Stat::read(root)?)]);
        let mut by_parent: BTreeMap<i32, Vec<(i32, Stat)>> = BTreeMap::new();
        for process in processes()? {
            // It may have ended since it was listed.
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

    /// Reads the clocks of these processes: one system call each, so that all
    /// are read at as good as one moment.
    ///
    /// The clocks are those of clock_getcpuclockid(3): the scheduler's own
    /// nanosecond counters, threads that have ended included.
    pub(crate) fn cpu_times(self) -> Result<CpuTimes, String> {
        let mut by_process_ns = BTreeMap::new();
        for &process in self.by_process.keys() {
            by_process_ns.insert(process, cpu_ns(process)?);
        }
        let read_at = clock_gettime(ClockId::CLOCK_BOOTTIME)
            .map_err(|error| format!("no time since boot: {error}"))?;
        let read_at_ns = nanoseconds(read_at);
        Ok(CpuTimes { tree: self, by_process_ns, read_at_ns })
    }

    /// How many threads they had when they were looked for.
    pub(crate) fn threads(&self) -> u64 {
        self.by_process.values().map(|stat| stat.threads).sum()
    }

    /// Counts the switches of all threads that there are now, by
    /// `/proc/PID/task/TID/status`: the kernel adds them up nowhere, and with
    /// thousands of threads this takes a good part of a second.
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

    /// The most resident memory that each process ever had, added up, by
    /// `VmHWM` in `/proc/PID/status`.
    pub(crate) fn rss_peak_bytes(&self) -> Result<u64, String> {
        self.sum_kib("status", "VmHWM:")
    }

    /// The resident memory, by `/proc/PID/smaps_rollup`: exact, where `statm`
    /// is allowed to lag.
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
    /// Since boot.
    read_at_ns: u64,
}

impl CpuTimes {
    /// How much CPU time the processes of then have used since.
    pub(crate) fn used_since_ns(&self) -> Result<u64, String> {
        let mut used_ns = 0;
        for (&process, start_ns) in &self.by_process_ns {
            used_ns += cpu_ns(process)?.saturating_sub(*start_ns);
        }
        Ok(used_ns)
    }

    /// How much those have used that came since, by the tree as it is `now`.
    ///
    /// # Errors
    ///
    /// When nobody knows what they used: those that have come and gone, and
    /// those that came after the tree was found and before its clocks were
    /// read. Of those that are gone, only a child that was waited for shows:
    /// one whose parent ignores SIGCHLD, or left it to init, leaves no trace.
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
                     in the window: what they used is not known"
                ));
            }
            if before.is_some() {
                continue;
            }
            if stat.started_before(self.read_at_ns) {
                return Err(format!(
                    "process {process} of the server started shortly before \
                     the window: what it used in it is not known"
                ));
            }
            used_ns += cpu_ns(process)?;
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
    let parent = of.as_raw_nonzero().get();
    let is_child = |process: &i32| {
        Stat::read(*process).is_ok_and(|stat| stat.parent == parent)
    };
    let first = processes()?.into_iter().filter(is_child).min();
    first
        .and_then(Pid::from_raw)
        .ok_or_else(|| "it has no child process".to_owned())
}

/// What `/proc/PID/stat` says of a process, and this needs.
#[derive(Clone, Debug)]
struct Stat {
    parent: i32,
    threads: u64,
    /// The page faults of children that have ended and were waited for. None
    /// ends without one, though many end within a tick of CPU time.
    reaped_faults: u64,
    /// Since boot.
    started_ticks: u64,
}

/// One tick in `/proc`: USER_HZ is 100 on every Linux.
const TICK_NS: u64 = 10_000_000;

impl Stat {
    fn read(process: i32) -> Result<Stat, String> {
        let path = format!("/proc/{process}/stat");
        Stat::parse(&read(&path)?)
            .ok_or_else(|| format!("{path} is not as proc_pid_stat(5) says"))
    }

    fn parse(text: &str) -> Option<Stat> {
        // The name may hold anything, parentheses and spaces included.
        let (_, rest) = text.rsplit_once(") ")?;
        // The first of them is field 3 of proc_pid_stat(5).
        let fields: Vec<&str> = rest.split_whitespace().collect();
        Some(Stat {
            parent: fields.get(4 - 3)?.parse().ok()?,
            threads: fields.get(20 - 3)?.parse().ok()?,
            reaped_faults: fields.get(11 - 3)?.parse().ok()?,
            started_ticks: fields.get(22 - 3)?.parse().ok()?,
        })
    }

    /// Whether that is certain: ticks are long.
    fn started_before(&self, since_boot_ns: u64) -> bool {
        self.started_ticks.saturating_add(1).saturating_mul(TICK_NS)
            <= since_boot_ns
    }
}

/// All processes of the machine that this one may see.
fn processes() -> Result<Vec<i32>, String> {
    let entries = fs::read_dir("/proc")
        .map_err(|error| format!("can't read /proc: {error}"))?;
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

fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(path)
        .map_err(|error| format!("can't read {path}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hint::black_box;
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Command, Stdio};

    fn own() -> ProcessTree {
        ProcessTree::find(rustix::process::getpid()).unwrap()
    }

    #[test]
    fn the_cpu_time_of_this_process_grows_with_its_work() {
        let start = own().cpu_times().unwrap();
        black_box(protocol::fib(black_box(20)));
        assert!(start.used_since_ns().unwrap() > 0);
    }

    #[test]
    fn a_child_belongs_to_the_tree_and_adds_to_its_memory() {
        let mut child =
            Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let pid = Pid::from_child(&child);
        let own = own();
        assert!(own.by_process.contains_key(&pid.as_raw_nonzero().get()));
        let rss = own.rss_bytes().unwrap();
        assert!(rss > 0);
        assert!(own.rss_peak_bytes().unwrap() >= rss / 2);
        let child_alone = ProcessTree::find(pid).unwrap();
        assert_eq!(child_alone.threads(), 1);
        assert!(own.threads() > 1);
        drop(child.stdin.take());
        child.wait().unwrap();
    }

    #[test]
    fn a_process_that_is_gone_has_a_reason_instead_of_a_time() {
        let mut child = Command::new("true").spawn().unwrap();
        let pid = Pid::from_child(&child);
        child.wait().unwrap();
        assert!(ProcessTree::find(pid).is_err());
    }

    #[test]
    fn children_that_came_and_went_are_no_part_of_a_time() {
        // A process of its own: those of other tests come and go here.
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
    fn a_child_is_counted_from_its_start_unless_that_was_before() {
        let mut shell = Command::new("sh")
            .args(["-c", "read line; cat; true"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let pid = Pid::from_child(&shell);
        let start = ProcessTree::find(pid).unwrap().cpu_times().unwrap();
        let (mut to, from) = (shell.stdin.take(), shell.stdout.take());
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
    fn a_name_with_parentheses_hides_no_field() {
        let rest = "S 7 1 1 0 -1 64 100 55 0 0 1 2 3 4 20 0 12 0 99 0";
        let stat = Stat::parse(&format!("42 (a) (b c)) {rest}")).unwrap();
        assert_eq!(
            (stat.parent, stat.threads, stat.reaped_faults),
            (7, 12, 55)
        );
        assert!(Stat::parse("42 (short) S 7").is_none());
    }
}
