//! The entry point of the load generator: connects the clients, distributes
//! them among threads, and adds up the reports of the threads.

use std::io;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, anyhow, bail};
use rustix::thread::{CpuSet, sched_setaffinity};

use crate::base::interrupt::Interrupt;
use crate::load::tally::Tally;
use crate::load::worker::Worker;
use crate::model::load_plan::LoadPlan;
use crate::model::load_report::LoadReport;

/// How long the threads may take to start.
const START: Duration = Duration::from_millis(1);

/// How long before an agreed start the clients connect. The time is shorter
/// than the idle timeout of any server.
pub(crate) const CONNECT_AHEAD: Duration = Duration::from_secs(5);

/// The longest sleep between two checks for Ctrl-C and for a change of the
/// system clock.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// The line that the load generator prints when all clients are connected, if
/// it is to run turns.
pub(crate) const CONNECTED: &str = "connected";

/// The result of a load.
pub(crate) struct LoadResult {
    pub(crate) report: LoadReport,
    /// When the window began, by this machine's clock.
    pub(crate) began: SystemTime,
    /// How much later than agreed the clients began to send requests.
    pub(crate) late: Duration,
}

/// Runs the plan's clients until the window is over.
///
/// # Errors
///
/// The same as for [`run_at`].
#[cfg(test)]
pub(crate) fn run(plan: &LoadPlan) -> anyhow::Result<LoadReport> {
    let loaded = run_at(plan, None, &Interrupt::ignored())?;
    loaded.map(|loaded| loaded.report).context("an unexpected interrupt")
}

/// Runs the plan's clients until the window is over. All clients connect before
/// the moment `at`, if there is one, and none of them sends a request before
/// it. Returns `None` if the load was interrupted before the window.
///
/// # Errors
///
/// Returns an error if the load generator itself fails. Faults of the server
/// are part of the report.
pub(crate) fn run_at(
    plan: &LoadPlan,
    at: Option<SystemTime>,
    interrupt: &Interrupt,
) -> anyhow::Result<Option<LoadResult>> {
    let threads = plan.processors.len().clamp(1, plan.connections().max(1));
    let mut workers = (0..threads)
        .map(|index| Worker::new(plan, interrupt, index, threads))
        .collect::<anyhow::Result<Vec<_>>>()?;
    wait_until(at, CONNECT_AHEAD, interrupt);
    connect(plan, &mut workers, interrupt);
    // The first worker also measures the server. Its clients are connected, and
    // wait until it has found the server's processes.
    workers[0].survey(plan.server);
    wait_until(at, START, interrupt);
    if interrupt.is_requested() {
        return Ok(None);
    }
    let start = Instant::now() + START;
    let began = SystemTime::now() + START;
    let late = at.and_then(|at| began.duration_since(at).ok());
    let report = run_threads(plan, &mut workers, start, Worker::run)?;
    let Some(report) = report else { return Ok(None) };
    Ok(Some(LoadResult {
        report,
        began: began + plan.warm_up,
        late: late.unwrap_or_default(),
    }))
}

/// Connects the plan's clients, calls `connected`, and obeys the lines of
/// `commands`: `turn` runs one turn; `first` runs a shorter one, which comes
/// before the others and should not count; `count` runs one in which the
/// processors count for the server, and nothing should be timed; and `end` lets
/// the clients leave after the last one. Calls `report` with the report of each
/// turn and, at the end, with the faults since the last turn.
///
/// Between turns, all clients are silent and this process sleeps.
///
/// # Errors
///
/// Returns an error if the load generator itself fails, or if a command is
/// unknown.
pub(crate) fn run_turns(
    plan: &LoadPlan,
    commands: impl Iterator<Item = io::Result<String>>,
    interrupt: &Interrupt,
    connected: impl FnOnce() -> anyhow::Result<()>,
    mut report: impl FnMut(&LoadReport) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let threads = plan.processors.len().clamp(1, plan.connections().max(1));
    let mut workers = (0..threads)
        .map(|index| Worker::new(plan, interrupt, index, threads))
        .collect::<anyhow::Result<Vec<_>>>()?;
    connect(plan, &mut workers, interrupt);
    connected()?;
    for command in commands {
        let command = command.context("cannot read a command from stdin")?;
        let work = match command.as_str() {
            "first" => Worker::first_turn,
            "turn" => {
                workers[0].survey(plan.server);
                Worker::turn
            }
            "count" => {
                workers[0].count(plan.server);
                Worker::turn
            }
            "end" => Worker::end,
            other => bail!(
                "`{other}` is not a command: use `first`, `turn`, `count` or `end`"
            ),
        };
        let start = Instant::now() + START;
        let Some(found) = run_threads(plan, &mut workers, start, work)? else {
            break;
        };
        report(&found)?;
        if command == "end" {
            break;
        }
    }
    Ok(())
}

/// Sleeps until the time `before` the moment `at`, if there is one.
fn wait_until(at: Option<SystemTime>, before: Duration, interrupt: &Interrupt) {
    let Some(until) = at.and_then(|at| at.checked_sub(before)) else { return };
    while !interrupt.is_requested()
        && let Ok(rest) = until.duration_since(SystemTime::now())
        && !rest.is_zero()
    {
        thread::sleep(rest.min(POLL_INTERVAL));
    }
}

/// Opens all connections, group by group, so that a server which accepts
/// clients in the order of their arrival gets them in the plan's order.
fn connect(plan: &LoadPlan, workers: &mut [Worker<'_>], interrupt: &Interrupt) {
    let mut count = 0;
    for (index, group) in plan.groups.iter().enumerate() {
        for _ in 0..group.connections {
            if interrupt.is_requested() {
                return;
            }
            let worker = count % workers.len();
            workers[worker].add_client(index, count);
            count += 1;
        }
    }
}

/// What a worker does from a given moment on, and what it reports.
type Work<'a> =
    fn(&mut Worker<'a>, Instant) -> anyhow::Result<Option<Measured>>;

/// What a worker measured: the resources, and the tally of each group.
type Measured = (LoadReport, Vec<Tally>);

/// Lets all workers `work` at once, the first one on this thread. Returns the
/// sum of their reports, or `None` if they were interrupted.
fn run_threads<'a>(
    plan: &LoadPlan,
    workers: &mut [Worker<'a>],
    start: Instant,
    work: Work<'a>,
) -> anyhow::Result<Option<LoadReport>> {
    let threads = workers.len();
    let sum = thread::scope(|scope| {
        let (first, others) =
            workers.split_first_mut().context("the load has no thread")?;
        let others: Vec<_> = others
            .iter_mut()
            .enumerate()
            .map(|(index, worker)| {
                thread::Builder::new().spawn_scoped(scope, move || {
                    pin(plan, index + 1)?;
                    work(worker, start)
                })
            })
            .collect::<io::Result<_>>()
            .context("cannot start a thread of the load generator")?;
        if !plan.processors.is_empty() {
            pin(plan, 0)?;
        }
        let mut sum = work(first, start)?;
        for other in others {
            let other = other
                .join()
                .map_err(|_| anyhow!("a load generator thread panicked"))??;
            // A thread that was interrupted before its window has nothing to
            // add.
            sum = sum.zip(other).map(|(sum, other)| add(sum, &other));
        }
        anyhow::Ok(sum)
    })?;
    Ok(sum.map(|(mut report, tallies)| {
        report.generator_threads = threads;
        let groups = plan.groups.iter().zip(tallies);
        report.groups =
            groups.map(|(group, tally)| tally.into_report(group)).collect();
        report
    }))
}

/// Adds what another thread measured.
fn add((mut report, mut tallies): Measured, other: &Measured) -> Measured {
    let (its, more) = other;
    report.generator_busiest_ns =
        report.generator_busiest_ns.max(its.generator_busiest_ns);
    for (tally, more) in tallies.iter_mut().zip(more) {
        tally.add(more);
    }
    (report, tallies)
}

/// Pins this thread to the processor of the `index`-th worker.
fn pin(plan: &LoadPlan, index: usize) -> anyhow::Result<()> {
    let mut set = CpuSet::new();
    set.set(plan.processors[index]);
    sched_setaffinity(None, &set).with_context(|| {
        format!("cannot run on processor {}", plan.processors[index])
    })
}
