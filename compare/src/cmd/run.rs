//! `compare run`: measures contestants under scenarios, round by round.

use std::path::{Path, PathBuf};

use clap::Args;
use regex_lite::Regex;

use crate::base::exit::Outcome;
use crate::base::interrupt::Interrupt;
use crate::base::stderr::note;
use crate::base::workspace;
use crate::cmd::contestant_args::ContestantArgs;
use crate::cmd::margin_args::MarginArgs;
use crate::cmd::{outcome, patterns};
use crate::measure::options::MeasurementOptions;
use crate::measure::plan::MeasurementPlan;
use crate::measure::programs;
use crate::model::invocation::Invocation;
use crate::model::scenarios::{self, Scenario};
use crate::model::selection::select_scenarios;
use crate::output::sheet::Sheet;
use crate::output::text::{Detail, text};

/// The arguments of `compare run`.
#[derive(Args, Debug)]
pub(crate) struct Run {
    #[command(flatten)]
    contestant_args: ContestantArgs,
    /// Only scenarios whose name matches, and those that they are compared
    /// with; repeatable [default: those that `compare list` doesn't mark as on
    /// request, at the usual values of their sweeps]
    #[arg(short = 's', long = "scenario", value_name = "REGEX")]
    scenario: Vec<Regex>,
    /// Add a scenario from a file; repeatable
    #[arg(long, value_name = "FILE")]
    scenario_file: Vec<PathBuf>,
    /// Measure all scenarios, with all values of their sweeps
    #[arg(long)]
    full: bool,
    /// Also count system calls, in a separate pass under strace; --full does
    /// that too, at the first value of each sweep
    #[arg(long)]
    system_calls: bool,
    /// Print all intervals, ratios and notes, not only the answers
    #[arg(long)]
    verbose: bool,
    #[command(flatten)]
    margin: MarginArgs,
    #[command(flatten)]
    options: MeasurementOptions,
}

impl Run {
    /// Measures the contestants and prints the results.
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        let root = workspace::root()?;
        let interrupt = Interrupt::listen()?;
        let contestants = self.contestant_args.choose(&root)?;
        let (contestants, skipped) = programs::runnable(contestants);
        let scenarios = self.scenarios(&root)?;
        if contestants.is_empty() || scenarios.is_empty() {
            for (name, why) in skipped {
                note!("skipped: {name}: {why}");
            }
            note!("nothing is selected");
            return Ok(Outcome::NothingSelected);
        }
        let plan = MeasurementPlan {
            contestants,
            skipped,
            further: None,
            traced: self.traced(&scenarios),
            scenarios,
            cells: None,
            rounds: scenarios::ROUNDS,
            invocation: self.invocation(),
        };
        let measured = plan.measure(&self.options, &root, &interrupt)?;
        let Some(measured) = measured else {
            return Ok(Outcome::Interrupted);
        };
        let outcome = outcome::outcome(&measured.record);
        let sheet = Sheet::with_margin(&measured.record, self.margin.margin);
        let text = text(&sheet, Detail::of(self.verbose));
        let reason = outcome::reason(&measured.record, outcome);
        measured.print(&text)?;
        // The last line explains the exit code.
        if let Some(reason) = reason {
            note!("{reason}");
        }
        Ok(outcome)
    }

    fn scenarios(&self, root: &Path) -> anyhow::Result<Vec<Scenario>> {
        let mut scenarios = scenarios::read(&root.join("bench/scenarios"))?;
        for path in &self.scenario_file {
            let replaced = scenarios::add(&mut scenarios, path)?;
            if let Some(name) = replaced {
                let path = path.display();
                note!("{path} replaces the scenario `{name}`");
            }
        }
        let points = scenarios::expand(&scenarios, false);
        let chosen = patterns::resolve_scenarios(&self.scenario, &points);
        Ok(select_scenarios(&scenarios, &chosen, self.full))
    }

    /// Returns the scenarios to count system calls under. With `--full`, that
    /// is the first value of each sweep.
    fn traced(&self, scenarios: &[Scenario]) -> Vec<Scenario> {
        let mut traced = scenarios.to_vec();
        if !self.system_calls {
            traced.dedup_by(|next, first| next.base() == first.base());
            traced.retain(|_| self.full);
        }
        traced
    }

    fn invocation(&self) -> Invocation {
        Invocation {
            contestants: self.contestant_args.contestants.clone(),
            scenario_files: self.scenario_file.clone(),
            ..Invocation::default()
        }
    }
}
