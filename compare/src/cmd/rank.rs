//! `compare rank`: the contestants of a run in order, figure by figure.
//!
//! A contestant's score is the geometric mean, over scenarios, of how many
//! times worse it is than the best there. Each ratio is the median of the
//! rounds' own, because what differs between rounds is the machine. All
//! values of a sweep together weigh as much as one scenario.

use clap::Args;
use regex_lite::Regex;

use crate::analysis::ranking::Ranking;
use crate::base::exit::Outcome;
use crate::base::stdout;
use crate::model::figure::Figure;
use crate::model::runs;
use crate::model::scenarios::Scenario;
use crate::model::selection::selects;
use crate::output::ranking;

/// What can be ranked, in the order in which it is shown.
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

/// How to read it.
const FOOTNOTE: &str = "
places are shared where the difference to the first of the place is noise, or
its interval holds 1; 95 % bootstrap intervals
";

/// What `compare rank` is told.
#[derive(Args, Debug)]
pub(crate) struct Rank {
    /// The run: its file, its folder, its name in runs/, or `last`
    run: String,
    /// Only contestants whose name matches; repeatable
    #[arg(short = 'e', long = "contestant", value_name = "REGEX")]
    contestant: Vec<Regex>,
    /// Only scenarios whose name matches; repeatable
    #[arg(short = 's', long = "scenario", value_name = "REGEX")]
    scenario: Vec<Regex>,
}

impl Rank {
    /// Ranks them and prints the places.
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        let record = runs::read(&self.run)?;
        let names = record.contestants().map(|c| c.name.as_str());
        let names: Vec<&str> =
            names.filter(|name| selects(&self.contestant, name)).collect();
        let scenarios = record.scenarios.iter().filter(|scenario| {
            selects(&self.scenario, &scenario.name)
                || selects(&self.scenario, scenario.base())
        });
        let scenarios: Vec<&Scenario> = scenarios.collect();
        let rankings = FIGURES.iter().filter_map(|&figure| {
            Ranking::of(&record, &scenarios, &names, figure)
        });
        let texts: Vec<String> =
            rankings.map(|ranking| ranking::text(&ranking)).collect();
        let nothing = match (record.rounds_done(), texts.len()) {
            (0, _) => Some("the run has no round of anybody"),
            (_, 0) => Some("-e or -s leave no figure"),
            _ => None,
        };
        if let Some(why) = nothing {
            eprintln!("nothing to rank: {why}");
            return Ok(Outcome::NothingSelected);
        }
        stdout::print(&(texts.join("\n") + FOOTNOTE))?;
        Ok(Outcome::Done)
    }
}
