//! `compare verify`: runs the conformance suite on contestants and prints the
//! results as a table.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use conformance::{
    CaseOutcome, CaseReport, Family, OutcomeCounts, Selection, SuiteReport,
};
use regex_lite::Regex;

use crate::base::exit::Outcome;
use crate::base::interrupt::Interrupt;
use crate::base::limits;
use crate::base::stderr::note;
use crate::base::stdout;
use crate::base::workspace;
use crate::cmd::subject::subject;
use crate::cmd::{chaos, patterns};
use crate::measure::build;
use crate::measure::programs;
use crate::measure::progress::Progress;
use crate::model::contestant::Contestant;
use crate::model::contestants;
use crate::model::selection::selects;
use crate::output::table;

/// The arguments of `compare verify`.
#[derive(Args, Debug)]
pub(crate) struct Verify {
    /// Only contestants with this name or whose name matches; repeatable
    #[arg(short = 'e', long = "contestant", value_name = "REGEX")]
    contestant: Vec<Regex>,
    /// The file that describes the contestants [default:
    /// bench/contestants.toml]
    #[arg(long, value_name = "FILE")]
    contestants: Option<PathBuf>,
    /// Only test cases whose name or family contains this text
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Instead of the test cases, play random clients and faults with each
    /// contestant for this time, such as `10m`
    #[arg(long, value_name = "TIME", value_parser = limits::time,
          conflicts_with = "only")]
    chaos: Option<Duration>,
    /// The seed of all random choices, to repeat those of an earlier run
    /// [default: a new one each time]
    #[arg(long)]
    seed: Option<u64>,
    /// Don't build the servers: use those in the folder of this program
    #[arg(long)]
    no_build: bool,
    /// Don't print progress to stderr
    #[arg(long)]
    quiet: bool,
}

impl Verify {
    /// Runs the suite on each contestant.
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        let root = workspace::root()?;
        let shipped = || root.join("bench/contestants.toml");
        let path = self.contestants.clone().unwrap_or_else(shipped);
        let mut contestants = contestants::read(&path)?;
        let names: Vec<&str> =
            contestants.iter().map(|c| c.name.as_str()).collect();
        let chosen = patterns::resolve("-e", &self.contestant, &names);
        contestants.retain(|c| selects(&chosen, &c.name));
        let (mut contestants, skipped) = programs::runnable(contestants);
        for (name, why) in skipped {
            note!("skipped: {name}: {why}");
        }
        if contestants.is_empty() {
            note!("nothing is selected");
            return Ok(Outcome::NothingSelected);
        }
        limits::raise_open_files()?;
        limits::check_files_of_servers()?;
        let progress = Progress::new(self.quiet);
        // There is nothing to save: a signal may end this process immediately,
        // and the keeper kills all others.
        let interrupt = Interrupt::ignored();
        build::build(
            &mut contestants,
            &root,
            self.no_build,
            &progress,
            &interrupt,
        )?;
        if let Some(duration) = self.chaos {
            return chaos::play(&contestants, duration, self.seed, &progress);
        }
        let mut reports = Vec::new();
        for contestant in &contestants {
            reports.push(self.verify(contestant, &progress));
        }
        progress.clear();
        if reports.iter().all(|report| report.cases.is_empty()) {
            note!("--only selects no case");
            return Ok(Outcome::NothingSelected);
        }
        stdout::print(&text(&contestants, &reports))?;
        Ok(if reports.iter().all(SuiteReport::conforms) {
            Outcome::Done
        } else {
            Outcome::ContestantFailed
        })
    }

    fn verify(
        &self,
        contestant: &Contestant,
        progress: &Progress,
    ) -> SuiteReport {
        let mut selection = Selection::default();
        if let Some(seed) = self.seed {
            selection = selection.with_seed(seed);
        }
        if let Some(part) = &self.only {
            selection = selection.only(part);
        }
        let name = contestant.name.as_str();
        progress.show(&format!("verifying {name}"));
        let mut count = 0;
        conformance::run(&subject(contestant), &selection, |finding| {
            count += 1;
            let case = finding.case.name;
            progress.show(&format!("verifying {name}: case {count}, {case}"));
            if let CaseOutcome::Failed(_) = &finding.outcome {
                progress.note(&format!("{name}: {finding}"));
            }
        })
    }
}

/// Returns the table, one row per contestant and one column per family, and
/// below it the failures and the reasons.
fn text(contestants: &[Contestant], reports: &[SuiteReport]) -> String {
    let headings = Family::ALL.iter().map(Family::to_string);
    let mut table = table::empty(headings);
    let mut below = String::new();
    for (contestant, report) in contestants.iter().zip(reports) {
        let name = &contestant.name;
        let families = Family::ALL
            .iter()
            .map(|family| tally_text(report.counts_of(*family)));
        table.add_row([name.clone()].into_iter().chain(families));
        below += &format!("{name}: {report}, seed {}\n", report.seed);
        for CaseReport { case, outcome, .. } in &report.cases {
            if let CaseOutcome::ByDesign(reason) = outcome {
                below += &format!("  by design: {} ({reason})\n", case.name);
            }
        }
        if !report.conforms() {
            below += &report.failures();
        }
    }
    format!("{}\n\n{below}", table.trim_fmt())
}

/// Returns the counts of one family, such as `12 ok`, one line for each kind.
fn tally_text(tally: OutcomeCounts) -> String {
    let kinds = [
        (tally.failed, "FAILED"),
        (tally.passed, "ok"),
        (tally.by_design, "by design"),
        (tally.not_applicable, "n/a"),
    ];
    let counted = kinds.iter().filter(|(count, _)| *count > 0);
    let lines = counted.map(|(count, kind)| format!("{count} {kind}"));
    lines.collect::<Vec<_>>().join("\n")
}
