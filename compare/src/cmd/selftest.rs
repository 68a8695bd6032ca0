//! `compare selftest`: tests the instrument itself. It measures servers that
//! are known to be slow, to stall or to send wrong replies, and fails if the
//! results don't show it.

mod cases;
mod duel;
mod simulate;

use std::time::Duration;

use clap::Args;
use comfy_table::Cell as TableCell;

use crate::base::exit::Outcome;
use crate::base::interrupt::Interrupt;
use crate::base::stdout;
use crate::cmd::selftest::cases::{
    BROKEN, Broken, CASES, Case, EAGER, Observed, ResultLine, WINDOW, faulty,
};
use crate::cmd::selftest::duel::Duel;
use crate::measure::cell::Cell;
use crate::measure::clients::Clients;
use crate::measure::failure::Failure;
use crate::measure::lock::MeasuringLock;
use crate::measure::processors::Processors;
use crate::measure::progress::Progress;
use crate::model::contestant::Contestant;
use crate::model::load_plan::{GroupPlan, Pace};
use crate::model::placement::{Cpus, Placement};
use crate::output::table;

/// The largest number of attempts at a case.
const TRIES: usize = 3;

/// The clients of every known server.
const CLIENTS: &str = "clients";

/// The arguments of `compare selftest`.
#[derive(Args, Debug)]
pub(crate) struct SelfTest {
    /// Don't print progress to stderr
    #[arg(long)]
    quiet: bool,
    /// Measure nothing; simulate a thousand tables of equal contestants, and
    /// print how often a difference is found where there is none, and how often
    /// a known one is. Exit with 1 if more than 5 % of the tables show a
    /// difference
    #[arg(long)]
    simulate: bool,
    /// Take the noise from the turns of this run, instead of from a model
    #[arg(long, value_name = "RUN", requires = "simulate")]
    from: Option<String>,
}

impl SelfTest {
    /// Measures the known servers and prints expected and measured figures.
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        if self.simulate {
            return simulate::run(self.from.as_deref());
        }
        let interrupt = Interrupt::listen()?;
        let _lock = MeasuringLock::acquire()?;
        let processors = Processors::allowed(None, None)?;
        let placement = processors.place(Cpus::Split);
        let progress = Progress::new(self.quiet);
        let mut bench = Bench { placement, interrupt: &interrupt };
        let mut lines = Vec::new();
        for case in &CASES {
            progress.show(case.what);
            match retry_if_failed(|| bench.check_case(case))? {
                Some(new) => lines.extend(new),
                None => return Ok(Outcome::Interrupted),
            }
        }
        for broken in &BROKEN {
            progress.show(broken.what);
            match retry_if_failed(|| bench.check_fault(broken))? {
                Some(new) => lines.extend(new),
                None => return Ok(Outcome::Interrupted),
            }
        }
        let (processors, interrupt) = (&processors, &interrupt);
        let duel = Duel { processors, interrupt, progress: &progress };
        match retry_if_failed(|| duel.check())? {
            Some(new) => lines.extend(new),
            None => return Ok(Outcome::Interrupted),
        }
        progress.clear();
        let passed = lines.iter().all(|line| line.passed);
        stdout::print(&text(&lines))?;
        Ok(if passed { Outcome::Done } else { Outcome::InstrumentFailed })
    }
}

/// Runs some checks, and repeats them if one fails. All repetitions must pass:
/// so an instrument that was disturbed once passes, and one that misses a fault
/// fails, even if a repetition passes by chance. Returns the last results.
fn retry_if_failed(
    mut attempt: impl FnMut() -> anyhow::Result<Option<Vec<ResultLine>>>,
) -> anyhow::Result<Option<Vec<ResultLine>>> {
    let has_passed = |lines: &Option<Vec<ResultLine>>| {
        lines.as_ref().is_none_or(|lines| lines.iter().all(|l| l.passed))
    };
    let mut lines = attempt()?;
    if has_passed(&lines) {
        return Ok(lines);
    }
    for _ in 1..TRIES {
        lines = attempt()?;
        if !has_passed(&lines) {
            break;
        }
    }
    Ok(lines)
}

/// What all measurements share.
struct Bench<'a> {
    placement: Placement,
    interrupt: &'a Interrupt,
}

impl Bench<'_> {
    /// Measures a server and runs its checks; `None` if interrupted.
    fn check_case(
        &mut self,
        case: &Case,
    ) -> anyhow::Result<Option<Vec<ResultLine>>> {
        let Case { connections, pace, window, .. } = *case;
        let observed =
            self.observe(case.behaviour, connections, pace, window)?;
        let Some(observed) = observed else { return Ok(None) };
        let lines = case.checks.iter().map(|check| {
            let (low, high) = (check.bounds)(&observed);
            let value = (check.value)(&observed);
            ResultLine {
                what: case.what.to_owned(),
                check: check.what.to_owned(),
                expected: check.unit.range(low, high),
                measured: check.unit.text(value),
                passed: (low..=high).contains(&value),
            }
        });
        Ok(Some(lines.collect()))
    }

    /// Checks that a broken server is void and blamed; `None` if interrupted.
    fn check_fault(
        &mut self,
        broken: &Broken,
    ) -> anyhow::Result<Option<Vec<ResultLine>>> {
        let contestant = faulty(broken.behaviour)?;
        let cell = self.cell(&contestant, 8, EAGER, WINDOW / 4);
        let (passed, measured) = match cell.measure(self.interrupt) {
            Err(Failure::Interrupted) => return Ok(None),
            Err(Failure::Contestant { reason, .. })
                if reason.contains(broken.reason) =>
            {
                (true, broken.reason.to_owned())
            }
            Err(Failure::Contestant { reason, .. }) => (false, reason),
            Err(failure) => (false, format!("not blamed: {failure}")),
            Ok(_) => (false, "no fault found".to_owned()),
        };
        Ok(Some(vec![ResultLine {
            what: broken.what.to_owned(),
            check: "fault".to_owned(),
            expected: broken.reason.to_owned(),
            measured,
            passed,
        }]))
    }

    /// Returns the measurements of a server; `None` if interrupted.
    fn observe(
        &mut self,
        behaviour: &[&str],
        connections: usize,
        pace: Pace,
        window: Duration,
    ) -> anyhow::Result<Option<Observed>> {
        let contestant = faulty(behaviour)?;
        let cell = self.cell(&contestant, connections, pace, window);
        let mut report = match cell.observe(self.interrupt) {
            Ok(report) => report,
            Err(Failure::Interrupted) => return Ok(None),
            Err(failure) => anyhow::bail!("{failure}"),
        };
        let group = report.groups.remove(0);
        Ok(Some(Observed { report, group }))
    }

    fn cell<'c>(
        &self,
        contestant: &'c Contestant,
        connections: usize,
        pace: Pace,
        window: Duration,
    ) -> Cell<'c> {
        let name = CLIENTS.to_owned();
        let elsewhere = None;
        let group = GroupPlan { name, n: 1, connections, pace, elsewhere };
        Cell {
            contestant,
            groups: vec![Clients { group, is_apart: false }],
            warm_up: Duration::ZERO,
            window,
            placement: self.placement.clone(),
            workers: None,
            seed: 0,
        }
    }
}

fn text(lines: &[ResultLine]) -> String {
    let headings = ["figure", "expected", "measured", ""];
    let mut table =
        table::titled("a server that", headings.map(str::to_owned).into_iter());
    let mut last = "";
    for line in lines {
        let what = if line.what == last { "" } else { line.what.as_str() };
        last = &line.what;
        let verdict = if line.passed { "ok" } else { "FAILED" };
        let words =
            [what, &line.check, &line.expected, &line.measured, verdict];
        table.add_row(words.map(TableCell::new));
    }
    let failed = lines.iter().filter(|line| !line.passed).count();
    let sentence = match failed {
        0 => "All figures are as expected: the instrument detects each \
              known fault."
            .to_owned(),
        count => format!(
            "{count} of {} figures are outside the expected range: don't \
             trust measurements on this machine in its present state.",
            lines.len()
        ),
    };
    format!("{}\n\n{sentence}\n", table.trim_fmt())
}
