//! The memory, threads, file descriptors and CPU time of a server, read from
//! proc(5).

use std::fs;
use std::time::Duration;

use rustix::process::Pid;

/// The resources that a server uses, summed over its processes.
///
/// A server is a process group: it may be a script that starts other programs,
/// or have worker processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResourceUsage {
    /// Resident memory.
    pub memory_bytes: u64,
    /// The sum of each process's largest resident memory so far.
    pub memory_bytes_peak: u64,
    /// Number of threads.
    pub threads: u64,
    /// Number of open file descriptors.
    pub fds: u64,
    /// User and system CPU time, in steps of the clock tick (10 ms).
    pub cpu: Duration,
}

impl ResourceUsage {
    /// Returns the usage of the process group that `leader` leads.
    pub(crate) fn of_group(leader: Pid) -> ResourceUsage {
        let leader = leader.as_raw_nonzero().get().to_string();
        let mut sum = ResourceUsage::default();
        for pid in processes() {
            let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat"))
            else {
                continue;
            };
            // The command's name, in parentheses, may contain any character.
            // The state, parent and group follow it (fields 3, 4 and 5).
            let fields: Vec<&str> = stat
                .rsplit_once(')')
                .map_or("", |(_, rest)| rest)
                .split_whitespace()
                .collect();
            if fields.get(2) == Some(&leader.as_str()) {
                sum.add(&pid, &fields);
            }
        }
        sum
    }

    /// Adds the usage of one process, given its fields of `stat` from the
    /// third on.
    fn add(&mut self, pid: &str, stat: &[&str]) {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))
            .unwrap_or_default();
        let number = |key: &str| {
            status
                .lines()
                .find_map(|line| line.strip_prefix(key))
                .and_then(|rest| rest.split_whitespace().next())
                .and_then(|word| word.parse::<u64>().ok())
                .unwrap_or(0)
        };
        let ticks = |field: usize| {
            stat.get(field - 3).and_then(|word| word.parse().ok()).unwrap_or(0)
        };
        self.memory_bytes += number("VmRSS:") * 1024;
        self.memory_bytes_peak += number("VmHWM:") * 1024;
        self.threads += number("Threads:");
        self.fds += fs::read_dir(format!("/proc/{pid}/fd"))
            .map_or(0, |fds| fds.count() as u64);
        let ticks: u64 = ticks(14) + ticks(15);
        let per_second = rustix::param::clock_ticks_per_second();
        self.cpu += Duration::from_millis(ticks * 1000 / per_second);
    }
}

/// Returns `true` if a thread of the process group that `leader` leads runs, or
/// waits for a processor.
pub(crate) fn is_runnable(leader: Pid) -> bool {
    let group = leader.as_raw_nonzero().get().to_string();
    let states = processes().flat_map(|pid| {
        let threads = fs::read_dir(format!("/proc/{pid}/task"));
        threads.into_iter().flatten().flatten()
    });
    states.into_iter().any(|thread| {
        let stat = fs::read_to_string(thread.path().join("stat"));
        let stat = stat.unwrap_or_default();
        let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let mut fields = rest.split_whitespace();
        let state = fields.next();
        state == Some("R") && fields.nth(1) == Some(group.as_str())
    })
}

/// Returns how many bytes the kernel has queued for the clients of this port
/// that they have not received yet, for the client with the most.
pub(crate) fn send_queue_bytes(port: u16) -> u64 {
    let table = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    // The second field is the local address, and the fifth one has both queues,
    // in hexadecimal digits; see proc(5).
    let queues = table.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (_, local) = fields.get(1)?.rsplit_once(':')?;
        let (unsent, _) = fields.get(4)?.split_once(':')?;
        (u16::from_str_radix(local, 16).ok()? == port)
            .then(|| u64::from_str_radix(unsent, 16).ok())?
    });
    queues.max().unwrap_or(0)
}

/// Returns the child processes of `parent` that are alive.
pub(crate) fn children(parent: Pid) -> Vec<Pid> {
    let pid = parent.as_raw_nonzero();
    let tasks = fs::read_dir(format!("/proc/{pid}/task"));
    tasks
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|task| {
            fs::read_to_string(task.path().join("children")).ok()
        })
        .flat_map(|text| {
            let pids = text.split_whitespace().map(str::to_owned);
            pids.collect::<Vec<_>>()
        })
        .filter_map(|pid| Pid::from_raw(pid.parse().ok()?))
        .filter(|pid| stat(*pid, 3).is_some_and(|state| state != "Z"))
        .collect()
}

/// Returns the command line of a process; see proc_pid_cmdline(5).
pub(crate) fn command_line(process: Pid) -> Vec<u8> {
    let pid = process.as_raw_nonzero();
    fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default()
}

/// Returns a field of the process's `stat`, by its number in proc(5).
pub(crate) fn stat(process: Pid, field: usize) -> Option<String> {
    let pid = process.as_raw_nonzero();
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(field - 3).map(str::to_owned)
}

fn processes() -> impl Iterator<Item = String> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
}
