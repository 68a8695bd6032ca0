//! `compare run`: every contestant under every scenario, round by round.

use std::path::{Path, PathBuf};

use clap::Args;
use regex_lite::Regex;

use crate::base::exit::Outcome;
use crate::base::interrupt::Interrupt;
use crate::base::workspace;
use crate::cmd::contestant_args::ContestantArgs;
use crate::cmd::outcome;
use crate::measure::options::MeasurementOptions;
use crate::measure::plan::{self, MeasurementPlan};
use crate::measure::programs;
use crate::model::invocation::Invocation;
use crate::model::scenarios::{self, Scenario};
use crate::model::selection::select_scenarios;
use crate::output::text::text;

/// What `compare run` is told.
#[derive(Args, Debug)]
pub(crate) struct Run {
    #[command(flatten)]
    contestant_args: ContestantArgs,
    /// Only scenarios whose name matches, and what they build on; repeatable
    #[arg(short = 's', long = "scenario", value_name = "REGEX")]
    scenario: Vec<Regex>,
    /// One more scenario, from a file of your own; repeatable
    #[arg(long, value_name = "FILE")]
    scenario_file: Vec<PathBuf>,
    /// All scenarios, with all that they vary
    #[arg(long)]
    full: bool,
    /// Count system calls, too, in a pass of its own under strace; --full
    /// does, at the first value of what varies
    #[arg(long)]
    system_calls: bool,
    #[command(flatten)]
    options: MeasurementOptions,
}

impl Run {
    /// Measures and prints what came of it.
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        let root = workspace::root()?;
        let interrupt = Interrupt::listen()?;
        let contestants = self.contestant_args.choose(&root)?;
        let (contestants, skipped) = programs::runnable(contestants);
        let scenarios = self.scenarios(&root)?;
        if contestants.is_empty() || scenarios.is_empty() {
            let which = if contestants.is_empty() {
                "-e selects no contestant"
            } else {
                "-s selects no scenario"
            };
            for (name, why) in skipped {
                eprintln!("skipped: {name}: {why}");
            }
            eprintln!("{which}; `compare list` lists them");
            return Ok(Outcome::NothingSelected);
        }
        let plan = MeasurementPlan {
            contestants,
            skipped,
            traced: self.traced(&scenarios),
            scenarios,
            cells: None,
            rounds: plan::ROUNDS,
            invocation: self.invocation(),
        };
        let measured = plan.measure(&self.options, &root, &interrupt)?;
        let Some(measured) = measured else {
            return Ok(Outcome::Interrupted);
        };
        let outcome = outcome::outcome(&measured.record);
        let text = text(&measured.record);
        measured.print(&text)?;
        Ok(outcome)
    }

    fn scenarios(&self, root: &Path) -> anyhow::Result<Vec<Scenario>> {
        let mut scenarios = scenarios::read(&root.join("bench/scenarios"))?;
        for path in &self.scenario_file {
            let replaced = scenarios::add(&mut scenarios, path)?;
            if let Some(name) = replaced {
                let path = path.display();
                eprintln!("{path} takes the place of our own `{name}`");
            }
        }
        Ok(select_scenarios(&scenarios, &self.scenario, self.full))
    }

    /// Those whose system calls are to be counted: a full run takes the first
    /// of the values that vary.
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
