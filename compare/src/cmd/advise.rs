//! `compare advise`: ranks the models for a mix of long and short requests.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::analysis::advice::Advice;
use crate::base::exit::{Outcome, Usage};
use crate::base::interrupt::Interrupt;
use crate::base::stdout;
use crate::base::workspace;
use crate::cmd::contestant_args::ContestantArgs;
use crate::cmd::outcome;
use crate::measure::options::{self, MeasurementOptions};
use crate::measure::plan::{self, MeasurementPlan};
use crate::measure::programs;
use crate::model::contestant::ModelTrait;
use crate::model::invocation::Invocation;
use crate::model::load_plan;
use crate::model::mix::{self, LongRequests, Mix, Rate};
use crate::model::record::Record;
use crate::model::runs;
use crate::model::scenarios::{self, Scenario};
use crate::output::advice;

/// The arguments of `compare advise`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  compare advise --long 5/s x 50ms --short 2000/s --slo 10ms
  compare advise --short 20000/s --clients 500
  compare advise my-mix.toml --slo 20ms")]
pub(crate) struct Advise {
    /// A scenario file that describes the mix, with clients in an open loop;
    /// replaces --long and --short
    #[arg(value_name = "FILE", conflicts_with_all = ["long", "short"])]
    scenario: Option<PathBuf>,
    /// Use this run instead of measuring: its file, its folder, its name under
    /// runs/, or `last`
    #[arg(long, value_name = "RUN", conflicts_with_all = [
        "MeasurementOptions", "ContestantArgs", "scenario", "long", "short",
    ])]
    run: Option<String>,
    /// Long requests: the number per second, and the time to compute each one
    #[arg(long, num_args = 1..=3, value_name = "RATE x TIME")]
    long: Vec<String>,
    /// Short requests (n = 1): the number per second
    #[arg(long, value_name = "RATE")]
    short: Option<Rate>,
    /// The number of connections that send the short requests
    #[arg(long, value_name = "N", default_value_t = 64,
          value_parser = load_plan::connections)]
    clients: usize,
    /// The time within which 99 of 100 short requests must be answered, counted
    /// from when each was due; if there are no short requests, the limit for
    /// the long ones
    #[arg(long, value_name = "TIME",
          value_parser = options::positive_duration)]
    slo: Option<Duration>,
    #[command(flatten)]
    contestant_args: ContestantArgs,
    #[command(flatten)]
    options: MeasurementOptions,
}

impl Advise {
    /// Returns whether this starts processes, which must not outlive it.
    pub(crate) fn measures(&self) -> bool {
        self.run.is_none()
    }

    /// Measures the mix and ranks the models by how they sustain it.
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        if let Some(run) = &self.run {
            let record = runs::read(run)?;
            let [scenario] = record.scenarios.as_slice() else {
                let what = "a mix is a run of exactly one scenario";
                return Err(Usage(format!("--run {run}: {what}")).into());
            };
            mix::check(scenario)
                .map_err(|what| Usage(format!("--run {run}: {what}")))?;
            let ranking = Advice::of(&record, scenario, self.slo);
            stdout::print(&advice::text(&record, &ranking))?;
            return Ok(outcome(&record));
        }
        let root = workspace::root()?;
        let interrupt = Interrupt::listen()?;
        let scenario =
            self.scenario(self.options.processors()?.numbers().len())?;
        let (contestants, skipped) =
            programs::runnable(self.contestant_args.choose(&root)?);
        if contestants.is_empty() {
            for (name, why) in skipped {
                eprintln!("skipped: {name}: {why}");
            }
            eprintln!("nothing is selected");
            return Ok(Outcome::NothingSelected);
        }
        let plan = MeasurementPlan {
            contestants,
            skipped,
            scenarios: vec![scenario],
            cells: None,
            rounds: plan::ROUNDS,
            traced: Vec::new(),
            invocation: Invocation {
                contestants: self.contestant_args.contestants.clone(),
                scenario_files: self.scenario.clone().into_iter().collect(),
                ..Invocation::default()
            },
        };
        let Some(measured) = plan.measure(&self.options, &root, &interrupt)?
        else {
            return Ok(Outcome::Interrupted);
        };
        let record = &measured.record;
        let ranking = Advice::of(record, &record.scenarios[0], self.slo);
        let outcome = outcome(record);
        let text = advice::text(record, &ranking);
        measured.print(&text)?;
        Ok(outcome)
    }

    /// Returns the mix as a scenario for a machine with `processors`.
    fn scenario(&self, processors: usize) -> anyhow::Result<Scenario> {
        if let Some(path) = &self.scenario {
            let scenario = scenarios::read_one(path)?;
            mix::check(&scenario)
                .map_err(|what| Usage(format!("{}: {what}", path.display())))?;
            return Ok(scenario);
        }
        let long = match self.long.as_slice() {
            [] => None,
            words => {
                let text = words.join(" ");
                let usage = |what| Usage(format!("--long {text}: {what}"));
                Some(text.parse::<LongRequests>().map_err(usage)?)
            }
        };
        let mix = Mix { long, short: self.short, clients: self.clients };
        Ok(mix.scenario(processors, self.slo).map_err(Usage)?)
    }
}

/// Returns how the run ended. A contestant that serves one client at a time
/// leaves the others without a reply by design, so that is no failure.
fn outcome(record: &Record) -> Outcome {
    let is_by_design = |name: &str| {
        let mut contestants = record.contestants();
        contestants
            .any(|c| c.name == name && c.is(ModelTrait::OneClientAtATime))
    };
    outcome::outcome_except(record, is_by_design)
}
