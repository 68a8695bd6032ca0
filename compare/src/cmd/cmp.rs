//! `compare cmp`: compares two runs, cell by cell. Rounds of different runs are
//! independent, so the medians are compared, not individual rounds.

use clap::Args;
use regex_lite::Regex;

use crate::analysis::comparison::Comparison;
use crate::analysis::difference::MARGIN;
use crate::base::exit::Outcome;
use crate::base::stdout;
use crate::model::runs;
use crate::model::selection::selects;
use crate::output::comparison;

/// The arguments of `compare cmp`.
#[derive(Args, Debug)]
pub(crate) struct Cmp {
    /// The baseline run: its file, its folder, its name under runs/, or `last`
    #[arg(value_name = "A")]
    before: String,
    /// The run to compare with A
    #[arg(value_name = "B")]
    after: String,
    /// Only contestants whose name matches; repeatable
    #[arg(short = 'e', long = "contestant", value_name = "REGEX")]
    contestant: Vec<Regex>,
    /// Only scenarios whose name matches; repeatable
    #[arg(short = 's', long = "scenario", value_name = "REGEX")]
    scenario: Vec<Regex>,
    /// Exit with 99 if any figure is worse in B than in A, over its whole
    /// interval, by more than PERCENT (for example `5%`) and by more than the
    /// noise floor, or if a contestant failed only in B. Exit with 1 if every
    /// figure is undecided
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    fail_on_regression: Option<f64>,
}

impl Cmp {
    /// Compares the runs and prints the result.
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        let [before, after] =
            [&self.before, &self.after].map(|name| runs::read(name));
        let comparison =
            Comparison::of(&before?, &after?, MARGIN, |scenario, name| {
                let chosen = selects(&self.scenario, &scenario.name)
                    || selects(&self.scenario, scenario.base());
                chosen && selects(&self.contestant, name)
            });
        stdout::print(&comparison::text(&comparison, self.fail_on_regression))?;
        let worse = self.fail_on_regression.is_some_and(|allowed| {
            comparison.regressions(allowed).next().is_some()
        });
        let cells = comparison.cells.len();
        Ok(if worse {
            // A contestant that fails in every cell of B leaves no cell to
            // compare.
            Outcome::Regression
        } else if cells == 0 {
            Outcome::NothingSelected
        } else if self.fail_on_regression.is_some()
            && comparison.open() == cells
        {
            // A check that could decide nothing must not pass.
            Outcome::InstrumentFailed
        } else {
            Outcome::Done
        })
    }
}

/// Parses a percentage, such as `5%` or `5`, and returns it as a share.
fn percent(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('%').trim_end().parse::<f64>() {
        Ok(percent) if percent >= 0.0 && percent.is_finite() => {
            Ok(percent / 100.0)
        }
        _ => Err("expected a percentage of 0 or more, such as 5%".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_parsed_with_and_without_its_sign() {
        for (text, expected) in [("5%", 0.05), ("12.5", 0.125), ("0 %", 0.0)] {
            assert_eq!(percent(text), Ok(expected));
        }
        for bad in ["", "%", "five", "-1%", "NaN", "inf%"] {
            assert!(percent(bad).is_err(), "{bad}");
        }
    }
}
