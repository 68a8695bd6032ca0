//! `compare rank`: ranks the contestants of a run, figure by figure.
//!
//! A contestant's score is the geometric mean, over all scenarios, of its ratio
//! to the best contestant. Ratios are taken turn by turn, because turns differ
//! mostly by the state of the machine. All values of a sweep together have the
//! weight of one scenario.

use clap::Args;
use regex_lite::Regex;

use crate::analysis::ranking::Ranking;
use crate::base::exit::Outcome;
use crate::base::stderr::note;
use crate::base::stdout;
use crate::cmd::margin_args::MarginArgs;
use crate::cmd::patterns;
use crate::model::figure::Figure;
use crate::model::runs;
use crate::model::scenarios::Scenario;
use crate::model::selection::selects;
use crate::output::ranking;

/// The figures that are ranked, in the order of the output.
const FIGURES: [Figure; 9] = [
    Figure::Cost,
    Figure::Rate,
    Figure::Time,
    Figure::P50,
    Figure::P99,
    Figure::ResponseP50,
    Figure::ResponseP99,
    Figure::Rss,
    Figure::Left,
];

/// The explanation below the rankings.
const FOOTNOTE: &str = "
contestants share a place if no difference from the first one of that place was
shown; 95 % intervals
";

/// The arguments of `compare rank`.
#[derive(Args, Debug)]
pub(crate) struct Rank {
    /// The run: its file, its folder, its name under runs/, or `last`
    run: String,
    /// Only contestants with this name or whose name matches; repeatable
    #[arg(short = 'e', long = "contestant", value_name = "REGEX")]
    contestant: Vec<Regex>,
    /// Only scenarios whose name matches; repeatable
    #[arg(short = 's', long = "scenario", value_name = "REGEX")]
    scenario: Vec<Regex>,
    #[command(flatten)]
    margin: MarginArgs,
}

impl Rank {
    /// Ranks the contestants and prints the result.
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        let record = runs::read(&self.run)?;
        let names = record.contestants().map(|c| c.name.as_str());
        let names: Vec<&str> = names.collect();
        let chosen = patterns::resolve("-e", &self.contestant, &names);
        let points = &record.scenarios;
        let scenarios = patterns::resolve_scenarios(&self.scenario, points);
        let names: Vec<&str> =
            names.into_iter().filter(|name| selects(&chosen, name)).collect();
        let scenarios = record.scenarios.iter().filter(|scenario| {
            selects(&scenarios, &scenario.name)
                || selects(&scenarios, scenario.base())
        });
        let scenarios: Vec<&Scenario> = scenarios.collect();
        let MarginArgs { margin } = self.margin;
        let rankings = FIGURES.iter().filter_map(|&figure| {
            Ranking::of(&record, &scenarios, &names, figure, margin)
        });
        let texts: Vec<String> =
            rankings.map(|ranking| ranking::text(&ranking)).collect();
        let nothing = match (record.rounds_done(), texts.len()) {
            (0, _) => Some("the run has no complete round"),
            (_, 0) => Some("-e and -s select no figure"),
            _ => None,
        };
        if let Some(why) = nothing {
            note!("nothing to rank: {why}");
            return Ok(Outcome::NothingSelected);
        }
        stdout::print(&(texts.join("\n") + FOOTNOTE))?;
        Ok(Outcome::Done)
    }
}
