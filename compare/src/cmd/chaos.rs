//! `compare verify --chaos`: plays random clients and faults with contestants.

use std::time::Duration;

use conformance::{CaseResult, ChaosReport, Selection, play_chaos};

use crate::base::exit::Outcome;
use crate::base::stdout;
use crate::cmd::subject::subject;
use crate::measure::progress::Progress;
use crate::model::contestant::Contestant;
use crate::output::table;

/// The columns of the table, and the events that each counts.
const COLUMNS: [(&str, &[&str]); 7] = [
    ("servers", &["servers"]),
    ("rounds", &["rounds"]),
    ("clients", &["clients"]),
    ("replies", &["replies"]),
    ("resets", &["resets"]),
    ("faults", &["suspensions", "shortages", "workers hit"]),
    ("stops", &["stops"]),
];

/// Plays with each contestant for `duration`, and prints what happened.
pub(super) fn play(
    contestants: &[Contestant],
    duration: Duration,
    seed: Option<u64>,
    progress: &Progress,
) -> anyhow::Result<Outcome> {
    // One seed for all, so that it can be given for all again.
    let seed = seed.unwrap_or_else(|| Selection::default().seed());
    let mut reports = Vec::new();
    for contestant in contestants {
        let name = contestant.name.as_str();
        progress.show(&format!("chaos with {name}"));
        let report =
            play_chaos(&subject(contestant), duration, seed, |counts| {
                progress.show(&format!("chaos with {name}: {counts}"));
            });
        if let Ok(ChaosReport { failure: Some(failure), .. }) = &report {
            progress.note(&format!("{name} failed: {failure}"));
        }
        reports.push(report);
    }
    progress.clear();
    stdout::print(&text(contestants, seed, &reports))?;
    let has_failed = |report: &CaseResult<ChaosReport>| {
        report.as_ref().map_or(true, |report| report.failure.is_some())
    };
    Ok(if reports.iter().any(has_failed) {
        Outcome::ContestantFailed
    } else {
        Outcome::Done
    })
}

/// Returns a table with one row per contestant, and the failures below it.
fn text(
    contestants: &[Contestant],
    seed: u64,
    reports: &[CaseResult<ChaosReport>],
) -> String {
    let columns = COLUMNS.iter().map(|(column, _)| *column);
    let headings = ["result"].into_iter().chain(columns);
    let mut table = table::empty(headings.map(str::to_owned));
    let mut below = format!("seed {seed}\n");
    for (contestant, report) in contestants.iter().zip(reports) {
        let name = contestant.name.clone();
        let report = match report {
            Ok(report) => report,
            Err(failure) => {
                table.add_row([name.clone(), "not played".to_owned()]);
                below += &format!("{name}: not played: {failure}\n");
                continue;
            }
        };
        let result = if report.failure.is_some() { "FAILED" } else { "ok" };
        let count = |events: &[&str]| {
            events.iter().map(|what| report.counts.get(what)).sum::<u64>()
        };
        let cells = COLUMNS.iter().map(|(_, events)| count(events).to_string());
        table.add_row(
            [name.clone(), result.to_owned()].into_iter().chain(cells),
        );
        if let Some(failure) = &report.failure {
            let seconds = report.elapsed.as_secs_f64();
            below += &format!("{name} failed after {seconds:.1} s: {failure}");
        }
    }
    format!("{}\n\n{below}", table.trim_fmt())
}
