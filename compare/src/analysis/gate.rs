//! The verdict on whether a run is worse than another: a regression, shown to be
//! none, or undecided.

use crate::analysis::comparison::{Compared, Comparison, times_text};
use crate::analysis::difference;
use crate::analysis::findings::Relation;
use crate::analysis::relation::MORE_ROUNDS_MAX;
use crate::base::exit::Outcome;

/// The verdict on a comparison of two runs.
pub(crate) struct Gate {
    /// The share by which a figure may be worse.
    pub(crate) allowed: f64,
    /// The figures that are worse by more than that, over their whole interval,
    /// and the contestants that failed.
    pub(crate) regressions: Vec<String>,
    /// The figures that were not shown to be worse by no more than that.
    pub(crate) undecided: Vec<String>,
    /// The number of figures that were compared.
    pub(crate) figures: usize,
    /// About how many more rounds of both runs would decide all figures, if
    /// that is known.
    pub(crate) more_rounds: Option<u64>,
}

/// What a figure shows about a regression.
enum Finding {
    Regression,
    None,
    /// Undecided, and about how many more rounds would decide it.
    Undecided(Option<u64>),
}

impl Gate {
    /// Judges a comparison; a figure may be worse by the share `allowed`.
    pub(crate) fn of(comparison: &Comparison, allowed: f64) -> Gate {
        let mut gate = Gate {
            allowed,
            regressions: Vec::new(),
            undecided: Vec::new(),
            figures: comparison.cells.len(),
            more_rounds: Some(0),
        };
        for cell in &comparison.cells {
            let Compared { figure, contestant, scenario, times, .. } = cell;
            let line = format!(
                "{} of {contestant} in {scenario}: B / A is {}",
                figure.name(),
                times_text(times)
            );
            match finding(cell, allowed) {
                Finding::None => (),
                Finding::Regression => gate.regressions.push(line),
                Finding::Undecided(more) => {
                    gate.undecided.push(match &cell.relation {
                        Relation::Open(why) => format!("{line} (open: {why})"),
                        _ => line,
                    });
                    let most = gate.more_rounds.zip(more);
                    gate.more_rounds = most.map(|(all, one)| all.max(one));
                }
            }
        }
        gate.regressions.extend(comparison.failed.iter().cloned());
        gate
    }

    /// Returns how the comparison ended.
    pub(crate) fn outcome(&self, pass_undecided: bool) -> Outcome {
        if !self.regressions.is_empty() {
            // A contestant that fails in every cell of B leaves no figure to
            // compare.
            Outcome::Regression
        } else if self.figures == 0 {
            Outcome::NothingSelected
        } else if !self.undecided.is_empty() && !pass_undecided {
            Outcome::Undecided
        } else {
            Outcome::Done
        }
    }
}

fn finding(cell: &Compared, allowed: f64) -> Finding {
    let Compared { figure, times, relation, rounds, .. } = cell;
    if matches!(relation, Relation::Open(_)) {
        return Finding::Undecided(None);
    }
    let worse = difference::times_worse(*figure, times);
    let limit = 1.0 + allowed;
    if relation.is_different() && worse.low > limit {
        Finding::Regression
    } else if worse.high <= limit {
        Finding::None
    } else {
        let half = (worse.high / worse.value).ln();
        let room = (worse.value / limit).ln().abs();
        let needed = *rounds as f64 * ((half / room).powi(2) - 1.0);
        let is_known = needed.is_finite() && needed <= MORE_ROUNDS_MAX;
        let more = is_known.then(|| needed.ceil().max(1.0) as u64);
        Finding::Undecided(more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::statistics::Estimate;
    use crate::model::figure::Figure;

    #[test]
    fn only_a_whole_interval_below_the_limit_passes() {
        let cases = [
            // An extra `fib(8)`: the value is above the limit, but not all of
            // the interval.
            (Figure::Cost, 1.07, 1.02, 1.12, false, "undecided"),
            (Figure::Cost, 1.07, 1.06, 1.08, true, "regression"),
            (Figure::Cost, 1.03, 1.02, 1.04, true, "none"),
            (Figure::Cost, 1.00, 0.96, 1.04, false, "none"),
            (Figure::Cost, 1.00, 0.94, 1.06, false, "undecided"),
            (Figure::Cost, 0.80, 0.70, 0.90, true, "none"),
            (Figure::Rate, 0.93, 0.92, 0.94, true, "regression"),
            (Figure::Rate, 0.93, 0.90, 0.98, false, "undecided"),
            (Figure::Rate, 1.30, 1.20, 1.40, true, "none"),
        ];
        for (figure, value, low, high, differs, expected) in cases {
            let times = Estimate { value, low, high };
            let relation = if differs {
                Relation::Differs { times, is_small: false }
            } else {
                Relation::Undecided { times, more_rounds: None }
            };
            let cell = Compared {
                scenario: "perf2".to_owned(),
                contestant: "mio".to_owned(),
                figure,
                before: Estimate::exact(1.0),
                after: times,
                bounds: [false; 2],
                times,
                rounds: 8,
                relation,
            };
            let found = match finding(&cell, 0.05) {
                Finding::Regression => "regression",
                Finding::None => "none",
                Finding::Undecided(_) => "undecided",
            };
            assert_eq!(found, expected, "{figure:?} {times:?}");
        }
    }
}
