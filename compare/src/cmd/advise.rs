//! `compare advise`: ranks the models for a mix of long and short requests.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::analysis;
use crate::analysis::advice::Advice;
use crate::base::exit::{Outcome, Usage};
use crate::base::interrupt::Interrupt;
use crate::base::limits;
use crate::base::stderr::note;
use crate::base::stdout;
use crate::base::workspace;
use crate::cmd::contestant_args::ContestantArgs;
use crate::cmd::margin_args::MarginArgs;
use crate::cmd::outcome;
use crate::measure::further::FurtherRounds;
use crate::measure::options::{self, MeasurementOptions};
use crate::measure::plan::MeasurementPlan;
use crate::measure::programs;
use crate::model::contestant::ModelTrait;
use crate::model::invocation::{Invocation, MixFlags};
use crate::model::load_plan;
use crate::model::mix::{self, LongRequests, Mix, Rate};
use crate::model::record::Record;
use crate::model::runs;
use crate::model::scenarios::{self, Scenario};
use crate::output::advice::{html, text};
use crate::output::export::{self, Export};

/// The default number of rounds, after which the contestants are judged. Those
/// that are undecided then have further ones.
const ROUNDS: u64 = 4;

/// The arguments of `compare advise`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  compare advise --long 5/s x 50ms --short 2000/s --slo 10ms
  compare advise --short 20000/s --clients 500
  compare advise my-mix.toml --slo 20ms
  compare advise --run last --html advice.html")]
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
    /// the long ones [default with --run: that of the run]
    #[arg(long, value_name = "TIME",
          value_parser = options::positive_duration)]
    slo: Option<Duration>,
    /// How long all rounds may take: what the first rounds leave of it is spent
    /// on contestants that are undecided
    #[arg(long, value_name = "TIME", default_value = "2m",
          value_parser = limits::time, conflicts_with = "run")]
    budget: Duration,
    /// Write to FILE a page that works offline; `-` is stdout
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    #[command(flatten)]
    margin: MarginArgs,
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

    /// Measures the mix, or reads a run, and judges the contestants.
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        if let Some(run) = &self.run {
            return self.judge(run);
        }
        let root = workspace::root()?;
        let interrupt = Interrupt::listen()?;
        let scenario =
            self.scenario(self.options.processors()?.numbers().len())?;
        let (contestants, skipped) =
            programs::runnable(self.contestant_args.choose(&root)?);
        if contestants.is_empty() {
            for (name, why) in skipped {
                note!("skipped: {name}: {why}");
            }
            note!("nothing is selected");
            return Ok(Outcome::NothingSelected);
        }
        let further = FurtherRounds {
            budget: self.budget,
            undecided: analysis::advice::undecided,
        };
        let plan = MeasurementPlan {
            contestants,
            skipped,
            scenarios: vec![scenario],
            cells: None,
            rounds: ROUNDS,
            // Without a limit, nothing is undecided.
            further: self.slo.map(|_| further),
            traced: Vec::new(),
            invocation: self.invocation(),
        };
        let Some(measured) = plan.measure(&self.options, &root, &interrupt)?
        else {
            return Ok(Outcome::Interrupted);
        };
        let record = &measured.record;
        let scenario = &record.scenarios[0];
        let margin = self.margin.margin;
        let advice = Advice::with_margin(record, scenario, self.slo, margin);
        let outcome = outcome(record);
        let exports = [Export::new("--html", &self.html, html::page as _)];
        let written = export::write(&exports, &advice);
        if written.is_ok() && export::go_to_stdout(&exports) {
            measured.report_path()?;
        } else {
            let text = text::text(&advice);
            measured.print(&text)?;
        }
        written?;
        Ok(outcome)
    }

    /// Judges the contestants of an earlier run.
    fn judge(&self, run: &str) -> anyhow::Result<Outcome> {
        let record = runs::read(run)?;
        let [scenario] = record.scenarios.as_slice() else {
            let what = "a mix is a run of exactly one scenario";
            return Err(Usage(format!("--run {run}: {what}")).into());
        };
        mix::check(scenario)
            .map_err(|what| Usage(format!("--run {run}: {what}")))?;
        let slo = self.slo.or(record.slo());
        let margin = self.margin.margin;
        let advice = Advice::with_margin(&record, scenario, slo, margin);
        let exports = [Export::new("--html", &self.html, html::page as _)];
        if !export::write(&exports, &advice)? {
            stdout::print(&text::text(&advice))?;
        }
        Ok(outcome(&record))
    }

    /// Returns the flags that the record keeps.
    fn invocation(&self) -> Invocation {
        let clients = self.short.map(|_| self.clients);
        let long = (!self.long.is_empty()).then(|| self.long.join(" "));
        Invocation {
            contestants: self.contestant_args.contestants.clone(),
            scenario_files: self.scenario.clone().into_iter().collect(),
            mix: Some(MixFlags {
                long,
                short: self.short.map(|rate| rate.to_string()),
                clients,
                slo: self.slo,
            }),
            ..Invocation::default()
        }
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
        Ok(mix.scenario(processors).map_err(Usage)?)
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
