//! The load generator itself: its connections, shared out among threads.

use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, anyhow};
use rustix::thread::{CpuSet, sched_setaffinity};

use super::plan::Plan;
use super::report::Report;
use super::tally::Tally;
use super::worker::Worker;

/// How long the threads may take to get going.
const START: Duration = Duration::from_millis(1);

/// Plays the plan's clients until its window is over.
///
/// # Errors
///
/// Only what this side can't do at all. What the server does wrong is in the
/// report.
pub(crate) fn run(plan: &Plan) -> anyhow::Result<Report> {
    run_timed(plan).map(|(report, _)| report)
}

/// The same, and when the window began, by this machine's clock.
///
/// # Errors
///
/// As those of [`run`].
pub(crate) fn run_timed(plan: &Plan) -> anyhow::Result<(Report, SystemTime)> {
    let threads = plan.processors.len().clamp(1, plan.connections().max(1));
    let mut workers = (0..threads)
        .map(|index| Worker::new(plan, index, threads))
        .collect::<anyhow::Result<Vec<_>>>()?;
    connect(plan, &mut workers);
    // The first one is measured as well as measuring. Its clients are there,
    // and wait until it has seen whom they wait for.
    workers[0].survey(plan.server);
    let began = SystemTime::now() + START + plan.warm_up;
    let (mut report, tallies) = play(plan, workers)?;
    report.generator_threads = threads;
    let groups = plan.groups.iter().zip(tallies);
    report.groups =
        groups.map(|(group, tally)| tally.into_report(group)).collect();
    Ok((report, began))
}

/// Opens all connections, group by group: a server that serves its clients in
/// the order of their arrival gets them in the plan's order.
fn connect(plan: &Plan, workers: &mut [Worker<'_>]) {
    let mut count = 0;
    for (index, group) in plan.groups.iter().enumerate() {
        for _ in 0..group.connections {
            let worker = count % workers.len();
            workers[worker].add_client(index, count);
            count += 1;
        }
    }
}

/// Lets all workers load at once, the first one here.
fn play(
    plan: &Plan,
    workers: Vec<Worker<'_>>,
) -> anyhow::Result<(Report, Vec<Tally>)> {
    let start = Instant::now() + START;
    thread::scope(|scope| {
        let mut workers = workers.into_iter().enumerate();
        let (_, first) = workers.next().context("no thread to load from")?;
        let others: Vec<_> = workers
            .map(|(index, worker)| {
                scope.spawn(move || {
                    pin(plan, index)?;
                    worker.run(start)
                })
            })
            .collect();
        if !plan.processors.is_empty() {
            pin(plan, 0)?;
        }
        let (mut report, mut tallies) = first.run(start)?;
        for other in others {
            let (its, more) = other
                .join()
                .map_err(|_| anyhow!("a thread of the load panicked"))??;
            report.generator_busiest_ns =
                report.generator_busiest_ns.max(its.generator_busiest_ns);
            for (tally, more) in tallies.iter_mut().zip(&more) {
                tally.add(more);
            }
        }
        Ok((report, tallies))
    })
}

/// Keeps this thread on the processor that is meant for it.
fn pin(plan: &Plan, index: usize) -> anyhow::Result<()> {
    let mut set = CpuSet::new();
    set.set(plan.processors[index]);
    sched_setaffinity(None, &set).with_context(|| {
        format!("cannot load from processor {}", plan.processors[index])
    })
}
