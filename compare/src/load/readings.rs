//! What is read at both ends of a window: the clocks of the server, of this
//! side and of the machine.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::Pid;
use rustix::time::{ClockId, clock_gettime};

use super::report::{MachineTimes, Report};
use crate::known::Known;
use crate::process_tree::{self, CpuTimes, Switches};

/// One tick of `/proc/stat`: USER_HZ is 100 on every Linux.
const TICK_NS: u64 = 10_000_000;

/// What was read at the start of the window.
pub(super) struct Start {
    pub(super) at: Instant,
    generator_cpu_ns: u64,
    server_cpu: Result<CpuTimes, String>,
    server_switches: Result<Switches, String>,
    machine: Result<MachineTimes, String>,
}

impl Start {
    /// Reads the clocks; the moment last, so that nothing that belongs to the
    /// window is left out.
    pub(super) fn read(server: Option<Pid>) -> Start {
        let machine = machine_times();
        let server_switches = known(server).and_then(Switches::read);
        let server_cpu = known(server).and_then(CpuTimes::read);
        let generator_cpu_ns = own_cpu_ns();
        let at = Instant::now();
        Start { at, generator_cpu_ns, server_cpu, server_switches, machine }
    }

    /// Reads them again, in the opposite order, at the end of a window that
    /// was over at `end`.
    pub(super) fn until(self, end: Instant, server: Option<Pid>) -> Report {
        let generator_cpu_ns = own_cpu_ns() - self.generator_cpu_ns;
        let server_cpu_ns =
            self.server_cpu.and_then(|start| start.used_since_ns());
        let switches = self.server_switches.and_then(|start| {
            Ok(Switches::read(known(server)?)?.since(&start))
        });
        let machine =
            self.machine.and_then(|start| Ok(machine_times()?.since(&start)));
        let of_server = |what: fn(Pid) -> Result<u64, String>| {
            Known::from(known(server).and_then(what))
        };
        let window: Duration = end.duration_since(self.at);
        Report {
            window_ns: window.as_nanos() as u64,
            generator_cpu_ns,
            generator_threads: 1,
            server_cpu_ns: Known::from(server_cpu_ns),
            server_rss_bytes: of_server(process_tree::rss_bytes),
            server_rss_peak_bytes: of_server(process_tree::rss_peak_bytes),
            server_threads: of_server(process_tree::threads),
            server_switches_voluntary: Known::from(
                switches.clone().map(|switches| switches.voluntary),
            ),
            server_switches_involuntary: Known::from(
                switches.map(|switches| switches.involuntary),
            ),
            machine: Known::from(machine),
            groups: Vec::new(),
        }
    }
}

impl MachineTimes {
    fn since(&self, start: &MachineTimes) -> MachineTimes {
        MachineTimes {
            busy_ns: self.busy_ns.saturating_sub(start.busy_ns),
            stolen_ns: self.stolen_ns.saturating_sub(start.stolen_ns),
            all_ns: self.all_ns.saturating_sub(start.all_ns),
        }
    }
}

fn known(server: Option<Pid>) -> Result<Pid, String> {
    server.ok_or_else(|| "the server's process is not known".to_owned())
}

fn own_cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

fn machine_times() -> Result<MachineTimes, String> {
    let path = "/proc/stat";
    let text = fs::read_to_string(path)
        .map_err(|error| format!("can't read {path}: {error}"))?;
    read_stat(&text).ok_or_else(|| format!("{path} has no line `cpu`"))
}

/// The first line of proc_stat(5): `cpu user nice system idle iowait irq
/// softirq steal guest guest_nice`; guests are in user already.
fn read_stat(text: &str) -> Option<MachineTimes> {
    let line = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<u64> =
        line.split_whitespace().map_while(|word| word.parse().ok()).collect();
    let [user, nice, system, idle, io_wait, irq, soft_irq, steal] =
        ticks.get(..8)?.try_into().ok()?;
    let busy = user + nice + system + irq + soft_irq;
    Some(MachineTimes {
        busy_ns: busy * TICK_NS,
        stolen_ns: steal * TICK_NS,
        all_ns: (busy + steal + idle + io_wait) * TICK_NS,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_s_times_are_read() {
        let text = "cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 0 0 0 0 0 0 0 0 0 0\n";
        let expected = MachineTimes {
            busy_ns: 19 * TICK_NS,
            stolen_ns: 8 * TICK_NS,
            all_ns: 36 * TICK_NS,
        };
        assert_eq!(read_stat(text), Some(expected));
        assert_eq!(read_stat("cpu  1 2 3\n"), None);
        assert!(machine_times().is_ok());
    }
}
