//! The processors' own counters of a server: instructions and cache misses, by
//! perf_event_open(2).

use std::fs;
use std::io;
use std::thread;
use std::time::Duration;

use perf_event::events::{Event, Hardware};
use perf_event::{Builder, Counter};
use rustix::io::Errno;
use rustix::process::getpid;

use crate::load::process_tree::ProcessTree;
use crate::model::load_report::Counts;
use crate::model::reading::Reading;

/// The most threads that are counted. Each takes a file descriptor for each
/// event, and reading it takes about a microsecond.
const THREADS_MAX: usize = 512;

/// How often the threads are listed until no new one has started meanwhile.
const ATTEMPTS: u32 = 5;

/// The pause before the threads are listed again.
const PAUSE: Duration = Duration::from_millis(5);

/// The file that limits what unprivileged users may count.
const PARANOID: &str = "/proc/sys/kernel/perf_event_paranoid";

/// The reason if a thread ran, but its counter did not.
const NO_TURN: &str = "not counted: other programs use the hardware counters";

/// The counters of a server, or the reasons why there are none: of its
/// instructions, and of its cache misses.
pub(crate) struct HardwareCounters([Result<EventCounters, String>; 2]);

impl HardwareCounters {
    /// Opens the counters for a server, which count from now on.
    pub(crate) fn open(tree: &Result<ProcessTree, String>) -> HardwareCounters {
        let events = [Hardware::INSTRUCTIONS, Hardware::CACHE_MISSES];
        HardwareCounters::of(tree, events)
    }

    fn of(
        tree: &Result<ProcessTree, String>,
        events: [impl Event + Clone; 2],
    ) -> HardwareCounters {
        HardwareCounters(events.map(|event| {
            let tree = tree.as_ref().map_err(String::clone)?;
            EventCounters::open(tree, event)
        }))
    }

    /// Marks the start of what is counted.
    pub(crate) fn mark(&mut self) {
        for counters in &mut self.0 {
            if let Ok(open) = counters
                && let Err(reason) = open.mark()
            {
                *counters = Err(reason);
            }
        }
    }

    /// Returns the counts since the mark, and closes the counters.
    pub(crate) fn since_mark(self) -> Counts {
        let [instructions, cache_misses] = self.0.map(|counters| {
            Reading::from(counters.and_then(|mut open| open.since_mark()))
        });
        Counts { replies: Vec::new(), instructions, cache_misses }
    }
}

/// Finds out whether the processors count on this machine.
///
/// # Errors
///
/// Returns the reason if they don't.
pub(crate) fn available() -> Result<(), String> {
    let own = getpid().as_raw_nonzero().get();
    counter(own, Hardware::INSTRUCTIONS).map(|_| ())
}

/// The counters of one event, one for each thread that a server had when they
/// were opened. Each also counts the threads and processes that its thread
/// starts, and those that they start in turn.
struct EventCounters {
    by_thread: Vec<Counter>,
    /// The counts at the mark, in the same order.
    at_mark: Vec<Count>,
}

impl EventCounters {
    /// Opens the counters for all threads of a server.
    ///
    /// # Errors
    ///
    /// Returns the reason if the event can't be counted on this machine.
    fn open(
        tree: &ProcessTree,
        event: impl Event + Clone,
    ) -> Result<EventCounters, String> {
        for _ in 0..ATTEMPTS {
            let threads = tree.thread_ids()?;
            if threads.len() > THREADS_MAX {
                return Err(format!(
                    "not counted: the server has more than {THREADS_MAX} \
                     threads"
                ));
            }
            let mut by_thread = Vec::new();
            for &thread in &threads {
                by_thread.extend(counter(thread, event.clone())?);
            }
            // A thread that started meanwhile may be counted as part of the
            // thread that started it, or not at all.
            if tree.thread_ids()?.is_subset(&threads) {
                let at_mark = vec![Count::default(); by_thread.len()];
                return Ok(EventCounters { by_thread, at_mark });
            }
            thread::sleep(PAUSE);
        }
        Err("not counted: the server keeps starting threads".to_owned())
    }

    fn mark(&mut self) -> Result<(), String> {
        self.at_mark = self.read()?;
        Ok(())
    }

    fn since_mark(&mut self) -> Result<u64, String> {
        let now = self.read()?;
        let pairs = now.iter().zip(&self.at_mark);
        let counts = pairs.map(|(now, start)| now.since(start));
        Ok(counts.sum::<Option<f64>>().ok_or(NO_TURN)?.round() as u64)
    }

    fn read(&mut self) -> Result<Vec<Count>, String> {
        let counts = self.by_thread.iter_mut().map(|counter| {
            let data = counter.read_full()?;
            let ns = |time: Option<Duration>| {
                time.unwrap_or_default().as_nanos() as u64
            };
            Ok(Count {
                count: data.count(),
                enabled_ns: ns(data.time_enabled()),
                running_ns: ns(data.time_running()),
            })
        });
        let counts: io::Result<_> = counts.collect();
        counts.map_err(|error| format!("cannot read a counter: {error}"))
    }
}

/// A reading of one counter.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    count: u64,
    /// How long its thread ran.
    enabled_ns: u64,
    /// How long it counted of that. Where more is to be counted than the
    /// processor has counters for, they take turns.
    running_ns: u64,
}

impl Count {
    /// Returns the count since `start`, scaled to the time in which the thread
    /// ran. Returns `None` if the counter did not count in that time.
    fn since(&self, start: &Count) -> Option<f64> {
        let count = self.count.saturating_sub(start.count) as f64;
        let enabled_ns = self.enabled_ns.saturating_sub(start.enabled_ns);
        let running_ns = self.running_ns.saturating_sub(start.running_ns);
        match (enabled_ns, running_ns) {
            (0, _) => Some(count),
            (_, 0) => None,
            _ => Some(count * enabled_ns as f64 / running_ns as f64),
        }
    }
}

/// Opens the counter of a thread, in user and kernel mode; none, if the thread
/// has ended.
fn counter(thread: i32, event: impl Event) -> Result<Option<Counter>, String> {
    let mut builder = Builder::new(event);
    builder.observe_pid(thread).inherit(true).include_kernel().enabled(true);
    match builder.build() {
        Ok(counter) => Ok(Some(counter)),
        Err(error) if errno(&error) == Some(Errno::SRCH) => Ok(None),
        Err(error) => Err(why_not(&error, fs::read_to_string(PARANOID).ok())),
    }
}

/// Returns the reason why a counter can't be opened, with what would help, for
/// a value of `perf_event_paranoid`.
fn why_not(error: &io::Error, paranoid: Option<String>) -> String {
    match errno(error) {
        Some(Errno::NOENT | Errno::OPNOTSUPP | Errno::NODEV) => {
            "this machine has no hardware counters (a virtual machine often \
             hides them)"
                .to_owned()
        }
        Some(Errno::ACCESS | Errno::PERM) => {
            let level = paranoid.and_then(|text| text.trim().parse().ok());
            match level {
                Some(2_i32..) => format!(
                    "not permitted: {PARANOID} is {}; 1 or less is needed, or \
                     the capability CAP_PERFMON",
                    level.unwrap_or_default()
                ),
                _ => "not permitted: a container may forbid \
                      perf_event_open(2), or the server runs as another user"
                    .to_owned(),
            }
        }
        Some(Errno::NOSYS) => {
            "this kernel has no perf_event_open(2)".to_owned()
        }
        _ => format!("cannot open a counter: {error}"),
    }
}

fn errno(error: &io::Error) -> Option<Errno> {
    Errno::from_io_error(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hint::black_box;
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
    use std::sync::Barrier;

    use perf_event::events::Software;
    use rustix::process::Pid;

    /// How many threads the child starts before it is counted, and how many
    /// afterwards.
    const THREADS: usize = 2;

    /// A process of this program that runs `child_with_threads`.
    struct Busy {
        child: Child,
        to: ChildStdin,
        from: BufReader<ChildStdout>,
    }

    impl Busy {
        fn start() -> Busy {
            let mut child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "load::counters::tests::child_with_threads"])
                .args(["--ignored", "--nocapture"])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let to = child.stdin.take().unwrap();
            let from = BufReader::new(child.stdout.take().unwrap());
            let mut busy = Busy { child, to, from };
            busy.wait_for("ready");
            busy
        }

        fn tree(&self) -> ProcessTree {
            ProcessTree::find(Pid::from_child(&self.child)).unwrap()
        }

        fn work(&mut self) {
            self.to.write_all(b"work\n").unwrap();
            self.wait_for("done");
        }

        fn wait_for(&mut self, word: &str) {
            let mut line = String::new();
            while line.trim() != word {
                line.clear();
                assert!(self.from.read_line(&mut line).unwrap() > 0, "{word}");
            }
        }

        fn end(self) {
            let Busy { mut child, to, .. } = self;
            drop(to);
            child.wait().unwrap();
        }
    }

    /// The child: some threads are there from the start, others, and one of
    /// another thread's, only when there is work.
    #[test]
    #[ignore = "not a test, but a process that another test counts"]
    fn child_with_threads() {
        let work = || {
            for _ in 0..20 {
                black_box(protocol::fib(black_box(27)));
                thread::sleep(Duration::from_micros(100));
            }
        };
        let (start, end) =
            (Barrier::new(THREADS + 1), Barrier::new(2 * THREADS + 1));
        let left = Barrier::new(2 * THREADS + 1);
        let stay = || {
            work();
            end.wait();
            left.wait();
        };
        let mut lines = io::stdin().lines();
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    start.wait();
                    scope.spawn(stay);
                    stay();
                });
            }
            println!("\nready");
            lines.next().unwrap().unwrap();
            start.wait();
            end.wait();
            println!("\ndone");
            assert!(lines.next().is_none());
            left.wait();
        });
    }

    /// Opens counters of a software event, which every machine has. Where they
    /// aren't permitted, prints why and returns nothing.
    fn open(tree: &ProcessTree, event: Software) -> Option<EventCounters> {
        match EventCounters::open(tree, event) {
            Ok(counters) => Some(counters),
            Err(reason) => {
                assert!(reason.starts_with("not permitted"), "{reason}");
                eprintln!("skipped: {reason}");
                None
            }
        }
    }

    #[test]
    fn counters_include_threads_that_start_after_they_were_opened() {
        let mut busy = Busy::start();
        let tree = busy.tree();
        let Some(mut times) = open(&tree, Software::TASK_CLOCK) else {
            return busy.end();
        };
        let mut switches = open(&tree, Software::CONTEXT_SWITCHES).unwrap();
        // What comes before the mark does not count.
        times.mark().unwrap();
        switches.mark().unwrap();
        let before = tree.switches().unwrap();
        let clocks = tree.clone().cpu_times().unwrap();
        busy.work();
        let used_ns = clocks.used_since_ns().unwrap();
        let counted_ns = times.since_mark().unwrap();
        let switched = tree.switches().unwrap().since(&before);
        let counted = switches.since_mark().unwrap();
        busy.end();
        let known = switched.voluntary + switched.involuntary;
        println!("CPU time: {counted_ns} of {used_ns} ns");
        println!("switches: {counted} of {known}");
        for (counted, known) in [(counted_ns, used_ns), (counted, known)] {
            let share = counted as f64 / known as f64;
            assert!((0.95..1.05).contains(&share), "{counted} of {known}");
        }
        // Each thread sleeps 20 times.
        assert!(known >= 2 * THREADS as u64 * 20, "{known}");
    }

    #[test]
    fn a_count_is_scaled_to_the_time_in_which_its_thread_ran() {
        let count = |count, enabled_ns, running_ns| Count {
            count,
            enabled_ns,
            running_ns,
        };
        let start = count(100, 1_000, 500);
        let cases = [
            (count(700, 2_000, 1_500), Some(600.0)),
            (count(700, 3_000, 1_500), Some(1_200.0)),
            // Its thread waited.
            (start, Some(0.0)),
            // Its thread ran, but it had no hardware counter.
            (count(100, 2_000, 500), None),
        ];
        for (now, expected) in cases {
            assert_eq!(now.since(&start), expected, "{now:?}");
        }
    }

    #[test]
    fn the_reason_names_what_is_needed() {
        let cases = [
            (Errno::NOENT, Some("2"), "no hardware counters"),
            (Errno::OPNOTSUPP, None, "no hardware counters"),
            (Errno::ACCESS, Some("2\n"), "is 2; 1 or less is needed"),
            (Errno::PERM, Some("4\n"), "is 4; 1 or less is needed"),
            (Errno::PERM, Some("1\n"), "a container may forbid"),
            (Errno::PERM, None, "a container may forbid"),
            (Errno::NOSYS, None, "this kernel has no"),
            (Errno::MFILE, None, "cannot open a counter: Too many open files"),
        ];
        for (errno, paranoid, expected) in cases {
            let error = io::Error::from(errno);
            let reason = why_not(&error, paranoid.map(str::to_owned));
            assert!(reason.contains(expected), "{reason}");
        }
    }

    #[test]
    fn hardware_events_are_counted_or_have_a_reason() {
        let mut busy = Busy::start();
        let mut counters = HardwareCounters::open(&Ok(busy.tree()));
        let software = [Software::TASK_CLOCK, Software::PAGE_FAULTS];
        let mut others = HardwareCounters::of(&Ok(busy.tree()), software);
        counters.mark();
        others.mark();
        busy.work();
        let [counts, others] = [counters, others].map(|c| c.since_mark());
        busy.end();
        println!("{counts:?}");
        for counted in [&counts.instructions, &counts.cache_misses] {
            assert_ne!(counted.value, Some(0));
            assert_ne!(counted.value.is_some(), counted.reason.is_some());
        }
        assert_eq!(counts.instructions.value.is_some(), available().is_ok());
        // Of another two events, the first is in the first place, too.
        if let Some(used_ns) = others.instructions.value {
            assert!(used_ns > 1_000_000, "{used_ns}");
        }
        let unknown = Err("the server's process is unknown".to_owned());
        let counts = HardwareCounters::open(&unknown).since_mark();
        assert_eq!(counts, Counts::missing("the server's process is unknown"));
    }
}
