//! The measurements at both ends of a window: the CPU clocks of the server, of
//! the load generator and of the machine. Reading them takes microseconds for
//! each process of the server, during which replies pile up. What takes longer
//! is read before the window, in a [`Survey`], and after it.

use std::time::{Duration, Instant};

use rustix::process::Pid;
use rustix::time::{ClockId, clock_gettime};

use crate::load::counters::HardwareCounters;
use crate::load::machine_clocks::MachineClocks;
use crate::load::process_tree::{CpuTimes, ProcessTree, Switches};
use crate::model::load_report::{Counts, LoadReport, MachineTimes};
use crate::model::reading::Reading;

/// A server that uses less than this share of one processor is idle. Timers
/// alone use less, and a computation uses all of it.
const IDLE_SHARE: f64 = 0.1;

/// How long before the window the last survey is made, in multiples of its
/// duration: the replies that piled up meanwhile must be processed before the
/// window begins.
const SURVEYS_AHEAD: u32 = 4;

/// The server's processes, and the context switches of its threads. Reading
/// them takes longer, the more processes and threads there are.
pub(crate) struct Survey {
    server: Option<Pid>,
    tree: Result<ProcessTree, String>,
    /// How long it took to find the processes.
    found_in: Duration,
    switches: Result<Switches, String>,
    /// The open counters, in a turn in which nothing is timed.
    counters: Option<HardwareCounters>,
    /// When the survey was complete.
    at: Instant,
    /// How long the survey took.
    took: Duration,
}

impl Survey {
    /// Makes a survey of the server, if its process is known.
    pub(crate) fn read(server: Option<Pid>) -> Survey {
        let began = Instant::now();
        let tree = find(server);
        let found_in = began.elapsed();
        let switches = tree.clone().and_then(|tree| tree.switches());
        let at = Instant::now();
        let took = at - began;
        let counters = None;
        Survey { server, tree, found_in, switches, counters, at, took }
    }

    /// Makes a survey of the server, and opens the counters of its threads.
    pub(crate) fn counting(server: Option<Pid>) -> Survey {
        let survey = Survey::read(server);
        let counters = Some(HardwareCounters::open(&survey.tree));
        Survey { counters, ..survey }
    }

    /// Returns when to make the next survey between `now` and `edge`, the end
    /// of the warm-up: a complete one or, if that takes too long, one of the
    /// server's processes only. All CPU time of a process that starts after the
    /// last survey counts as used in the window, so the last survey is close to
    /// it.
    pub(crate) fn next(&self, now: Instant, edge: Instant) -> Option<Instant> {
        self.server?;
        let before = |took: Duration| {
            let at = edge.checked_sub(took.saturating_mul(SURVEYS_AHEAD))?;
            (at > now).then_some(at)
        };
        before(self.took).or_else(|| before(self.found_in))
    }

    /// Makes another survey, as much of it as is possible before the `edge`.
    pub(crate) fn again(self, edge: Instant) -> Survey {
        let left = edge.saturating_duration_since(Instant::now());
        // One less than planned, because the timer fires late.
        if left >= self.took.saturating_mul(SURVEYS_AHEAD - 1) {
            let counters = self.counters;
            return Survey { counters, ..Survey::read(self.server) };
        }
        let began = Instant::now();
        let tree = find(self.server);
        Survey { tree, found_in: began.elapsed(), ..self }
    }
}

/// The readings at the start of the window.
pub(crate) struct WindowStart {
    pub(crate) at: Instant,
    server: Option<Pid>,
    generator_cpu_ns: u64,
    thread_cpu_ns: u64,
    server_cpu: Result<CpuTimes, String>,
    surveyed_at: Instant,
    switches: Result<Switches, String>,
    counters: Option<HardwareCounters>,
    machine: Result<MachineClocks, String>,
}

impl WindowStart {
    /// Reads the clocks, one after the other. The window's start is read last,
    /// so that the readings cover the whole window.
    ///
    /// The machine is read only where the window is the whole measurement.
    pub(crate) fn read(survey: Survey, reads_machine: bool) -> WindowStart {
        let Survey {
            server,
            tree,
            switches,
            mut counters,
            at: surveyed_at,
            ..
        } = survey;
        let machine = if reads_machine {
            MachineClocks::read()
        } else {
            Err("the machine was not watched in this window".to_owned())
        };
        if let Some(counters) = &mut counters {
            counters.mark();
        }
        let server_cpu = tree.and_then(ProcessTree::cpu_times);
        WindowStart {
            server,
            surveyed_at,
            switches,
            counters,
            machine,
            server_cpu,
            generator_cpu_ns: clock_ns(ClockId::ProcessCPUTime),
            thread_cpu_ns: clock_ns(ClockId::ThreadCPUTime),
            at: Instant::now(),
        }
    }

    /// Reads the clocks again, in reverse order, after a window that was over
    /// at `end`. This takes microseconds, so that the last replies hardly wait.
    pub(crate) fn stop(self, end: Instant) -> WindowEnd {
        let counts = self.counters.map(HardwareCounters::since_mark);
        let thread_cpu_ns =
            clock_ns(ClockId::ThreadCPUTime) - self.thread_cpu_ns;
        let generator_cpu_ns =
            clock_ns(ClockId::ProcessCPUTime) - self.generator_cpu_ns;
        let used_ns = match &self.server_cpu {
            Ok(start) => start.used_since_ns(),
            Err(reason) => Err(reason.clone()),
        };
        let machine = self
            .machine
            .and_then(|start| Ok(MachineClocks::read()?.since(&start)));
        WindowEnd {
            window: end.duration_since(self.at),
            server: self.server,
            server_cpu: self.server_cpu,
            surveyed_at: self.surveyed_at,
            switches: self.switches,
            counts,
            thread_cpu_ns,
            generator_cpu_ns,
            used_ns,
            machine,
        }
    }
}

/// The readings at the end of the window.
pub(crate) struct WindowEnd {
    window: Duration,
    server: Option<Pid>,
    server_cpu: Result<CpuTimes, String>,
    surveyed_at: Instant,
    switches: Result<Switches, String>,
    counts: Option<Counts>,
    thread_cpu_ns: u64,
    generator_cpu_ns: u64,
    used_ns: Result<u64, String>,
    machine: Result<MachineTimes, String>,
}

impl WindowEnd {
    /// Returns the report, after reading what takes longer: the server's new
    /// processes, its threads and its memory. Its last replies don't change
    /// them.
    ///
    /// The switches since the last survey are scaled to the window by the
    /// `share` of replies that came in it, or if there is none, by its length.
    pub(crate) fn report(self, share: Option<f64>) -> LoadReport {
        let tree = find(self.server);
        let of_server = |what: fn(&ProcessTree) -> Result<u64, String>| {
            Reading::from(tree.as_ref().map_err(String::clone).and_then(what))
        };
        let cpu_ns = || {
            let used_by_new_ns = self
                .server_cpu?
                .used_by_new_ns(tree.as_ref().map_err(String::clone)?)?;
            Ok(self.used_ns? + used_by_new_ns)
        };
        let server_cpu_ns = Reading::from(cpu_ns());
        let switches = self.switches.and_then(|start| {
            let tree = tree.as_ref().map_err(String::clone)?;
            Ok(tree.switches()?.since(&start))
        });
        let window = self.window;
        let share = share.unwrap_or_else(|| {
            window.as_secs_f64()
                / self.surveyed_at.elapsed().max(window).as_secs_f64()
        });
        let in_window = |count: u64| (count as f64 * share).round() as u64;
        LoadReport {
            window_ns: window.as_nanos() as u64,
            generator_cpu_ns: self.generator_cpu_ns,
            generator_busiest_ns: Some(self.thread_cpu_ns),
            generator_threads: 1,
            server_cpu_ns,
            server_rss_bytes: of_server(ProcessTree::rss_bytes),
            server_rss_peak_bytes: of_server(ProcessTree::rss_peak_bytes),
            server_threads: of_server(|tree| Ok(tree.threads())),
            server_switches_voluntary: Reading::from(
                switches.clone().map(|all| in_window(all.voluntary)),
            ),
            server_switches_involuntary: Reading::from(
                switches.map(|all| in_window(all.involuntary)),
            ),
            counts: self.counts,
            machine: Reading::from(self.machine),
            groups: Vec::new(),
        }
    }
}

/// Watches whether servers use CPU time.
pub(crate) struct Activity {
    servers: Vec<Pid>,
    /// The CPU time of each server at the last call; none before the first one,
    /// or if it couldn't be read.
    last: Option<Vec<CpuTimes>>,
    read_at: Instant,
}

impl Activity {
    /// Returns the activity of these servers. Finding their processes takes a
    /// while, which is left to the first call of [`Activity::is_idle`].
    pub(crate) fn of(servers: Vec<Pid>) -> Activity {
        Activity { servers, last: None, read_at: Instant::now() }
    }

    /// Returns `true` if the servers have used next to no CPU time since the
    /// last call, and `false` at the first call or if one of their processes
    /// has ended. Returns `None` if no server is known, or if they have ended.
    pub(crate) fn is_idle(&mut self) -> Option<bool> {
        let busy_ns = self.read_at.elapsed().as_nanos() as f64 * IDLE_SHARE;
        let (used_ns, again) = self.last.take().and_then(read_again).unzip();
        self.last = again.or_else(|| read_first(&self.servers));
        self.read_at = Instant::now();
        let is_known = self.last.is_some();
        is_known.then(|| used_ns.is_some_and(|ns: u64| (ns as f64) < busy_ns))
    }
}

/// Finds the processes of these servers and reads their CPU times. Returns
/// `None` if there is no server, or if one of them has ended.
fn read_first(servers: &[Pid]) -> Option<Vec<CpuTimes>> {
    let read = |server: &Pid| {
        ProcessTree::find(*server).and_then(ProcessTree::cpu_times).ok()
    };
    let times: Vec<CpuTimes> =
        servers.iter().map(read).collect::<Option<_>>()?;
    (!times.is_empty()).then_some(times)
}

/// Reads the CPU times of the same processes again. Returns also how much they
/// have used since, or `None` if one of them has ended.
fn read_again(last: Vec<CpuTimes>) -> Option<(u64, Vec<CpuTimes>)> {
    let mut used_ns = 0;
    let again = last.into_iter().map(|times| {
        used_ns += times.used_since_ns().ok()?;
        times.again().ok()
    });
    let again = again.collect::<Option<Vec<_>>>()?;
    Some((used_ns, again))
}

fn find(server: Option<Pid>) -> Result<ProcessTree, String> {
    let unknown = || "the server's process is unknown".to_owned();
    server.ok_or_else(unknown).and_then(ProcessTree::find)
}

fn clock_ns(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Child, Command, Stdio};
    use std::thread::sleep;

    use super::*;

    /// Starts a shell that runs a script, whose stdin and stdout are pipes.
    fn shell(script: &str) -> (Child, Pid) {
        let child = Command::new("sh")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let pid = Pid::from_child(&child);
        (child, pid)
    }

    /// Waits for one line of a shell.
    fn wait_for_line(shell: &mut Child) {
        let mut line = String::new();
        let output = shell.stdout.as_mut().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
    }

    #[test]
    fn a_server_is_watched_after_one_of_its_processes_has_ended() {
        let script = "exec 2>/dev/null; sleep 60 & first=$!; read line; \
                      kill $first; wait $first; echo; read line";
        let (mut shell, pid) = shell(script);
        let mut activity = Activity::of(vec![pid]);
        let polls = |activity: &mut Activity| {
            let poll = |_| {
                sleep(Duration::from_millis(20));
                activity.is_idle()
            };
            (0..3).map(poll).collect::<Vec<_>>()
        };
        let idle = [Some(false), Some(true), Some(true)];
        assert_eq!(polls(&mut activity), idle);
        shell.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
        wait_for_line(&mut shell);
        assert_eq!(polls(&mut activity), idle);
        shell.kill().unwrap();
        shell.wait().unwrap();
        assert_eq!(polls(&mut activity), [None; 3]);
        assert_eq!(Activity::of(Vec::new()).is_idle(), None);
    }

    #[test]
    fn the_cpu_time_is_unknown_if_a_process_starts_in_the_lead_in() {
        // A turn has one survey, before the lead-in.
        let script = "read line; sh -c 'echo; read line'; true";
        let (mut shell, pid) = shell(script);
        let survey = Survey::read(Some(pid));
        shell.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
        wait_for_line(&mut shell);
        let report =
            WindowStart::read(survey, true).stop(Instant::now()).report(None);
        let reason = report.server_cpu_ns.reason.unwrap();
        assert!(reason.contains("started shortly before"), "{reason}");
        drop(shell.stdin.take());
        shell.wait().unwrap();
    }
}
