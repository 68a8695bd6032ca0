//! `compare cmp`: compares two runs, cell by cell.
//!
//! Turns of different runs have nothing in common, and the machine's speed
//! drifts between runs. So a figure that depends on it is first compared with
//! other contestants, turn by turn, in each run, and then between the runs.

use anyhow::ensure;
use clap::Args;
use regex_lite::Regex;

use crate::analysis::comparison::{Comparison, Reference, Rules};
use crate::analysis::gate::Gate;
use crate::base::exit::{Outcome, Usage};
use crate::base::stdout;
use crate::cmd::margin_args::MarginArgs;
use crate::cmd::patterns;
use crate::cmd::percent::percent;
use crate::model::record::Record;
use crate::model::runs;
use crate::model::scenarios::Scenario;
use crate::model::selection::selects;
use crate::output::{comparison, gate};

/// The arguments of `compare cmp`.
#[derive(Args, Debug)]
pub(crate) struct Cmp {
    /// The baseline run: its file, its folder, its name under runs/, or `last`
    #[arg(value_name = "A")]
    before: String,
    /// The run to compare with A
    #[arg(value_name = "B")]
    after: String,
    /// Only contestants with this name or whose name matches; repeatable
    #[arg(short = 'e', long = "contestant", value_name = "REGEX")]
    contestant: Vec<Regex>,
    /// Only scenarios whose name matches; repeatable
    #[arg(short = 's', long = "scenario", value_name = "REGEX")]
    scenario: Vec<Regex>,
    /// The contestant that figures which depend on the machine's speed are
    /// compared with, within each run, since that speed may change by 20 %
    /// between runs; it must be the same in both. Or `nothing`, if the machine
    /// is known to be as fast [default: of at least two other contestants, the
    /// one whose change is the median, which hides a change common to all]
    #[arg(long, value_name = "NAME")]
    relative_to: Option<String>,
    /// Exit with 99 if any figure is worse in B than in A by more than PERCENT
    /// (for example `5%`), over its whole interval, or if a contestant failed
    /// only in B. Exit with 98 if that can't be ruled out for every figure
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    fail_on_regression: Option<f64>,
    /// Exit with 0 instead of 98 if a regression can't be ruled out
    #[arg(long, requires = "fail_on_regression")]
    pass_undecided: bool,
    #[command(flatten)]
    margin: MarginArgs,
}

impl Cmp {
    /// Compares the runs and prints the result.
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        let [before, after] =
            [&self.before, &self.after].map(|name| runs::read(name));
        let [before, after] = [before?, after?];
        ensure!(
            runs::path(&self.before)? != runs::path(&self.after)?,
            Usage(format!(
                "{} and {} are the same run; compare two runs",
                self.before, self.after
            ))
        );
        let [contestants, scenarios] = self.patterns(&before, &after);
        let reference = match self.relative_to.as_deref() {
            None => Reference::Others,
            Some("nothing") => Reference::Nothing,
            Some(name) => {
                let mut names = before.contestants().map(|c| c.name.as_str());
                ensure!(
                    names.any(|other| other == name),
                    Usage(format!(
                        "--relative-to {name}: not in {}",
                        self.before
                    ))
                );
                Reference::Contestant(name.to_owned())
            }
        };
        let rules = Rules { margin: self.margin.margin, reference };
        let is_wanted = |scenario: &Scenario, name: &str| {
            let chosen = selects(&scenarios, &scenario.name)
                || selects(&scenarios, scenario.base());
            chosen && selects(&contestants, name)
        };
        let comparison = Comparison::of(&before, &after, &rules, is_wanted);
        let mut text = comparison::text(&comparison, rules.margin);
        let gate = self
            .fail_on_regression
            .map(|allowed| Gate::of(&comparison, allowed));
        text += &gate.as_ref().map(gate::text).unwrap_or_default();
        stdout::print(&text)?;
        Ok(match gate {
            Some(gate) => gate.outcome(self.pass_undecided),
            None if comparison.cells.is_empty() => Outcome::NothingSelected,
            None => Outcome::Done,
        })
    }

    /// Returns the patterns of contestants and of scenarios. Reports those that
    /// match nothing in either run.
    fn patterns(&self, before: &Record, after: &Record) -> [Vec<Regex>; 2] {
        let contestants = before.contestants().chain(after.contestants());
        let names: Vec<&str> = contestants.map(|c| c.name.as_str()).collect();
        let scenarios = [&before.scenarios[..], &after.scenarios[..]].concat();
        [
            patterns::resolve("-e", &self.contestant, &names),
            patterns::resolve_scenarios(&self.scenario, &scenarios),
        ]
    }
}
