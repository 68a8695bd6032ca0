//! What a server holds and uses, as proc(5) shows it.

use std::fs;
use std::time::Duration;

use rustix::process::Pid;

/// The sums over all the processes of a server. A server is a process group:
/// it may be a script that starts others, or have worker processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vitals {
    /// Resident memory now.
    pub memory_bytes: u64,
    /// The most that was ever resident.
    pub memory_bytes_peak: u64,
    /// How many threads.
    pub threads: u64,
    /// How many descriptors are open.
    pub fds: u64,
    /// User and system time, to the 10 ms of the clock tick.
    pub cpu: Duration,
}

impl Vitals {
    /// The vitals of the process group that `leader` leads.
    pub(crate) fn of_group(leader: Pid) -> Vitals {
        let leader = leader.as_raw_nonzero().get().to_string();
        let mut sum = Vitals::default();
        for pid in processes() {
            let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat"))
            else {
                continue;
            };
            // The command's name, in brackets, may hold anything. After it
            // come the state, the parent, the group (fields 3, 4, 5).
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

fn processes() -> impl Iterator<Item = String> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
}
