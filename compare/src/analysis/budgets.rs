//! The verdicts on budgets: whether a measured figure keeps its limit.

use std::collections::BTreeMap;

use crate::analysis::bootstrap;
use crate::analysis::difference::{
    GENERATOR_WAS_BUSY, ROUNDS_MIN, TOO_FEW_ROUNDS,
};
use crate::analysis::findings::Findings;
use crate::analysis::statistics::{Estimate, median};
use crate::base::exit::Outcome;
use crate::model::budgets::{Budget, Count, Limit, Quantity, Side};
use crate::model::claims::Band;
use crate::model::figure::Figure;
use crate::model::reading::Reading;
use crate::model::record::{CellRecord, Record, ratios};
use crate::model::scenarios::Scenario;

/// The decimals to which system calls per reply are accurate.
const SYSTEM_CALLS_DECIMALS: i32 = 2;

/// The decimals to which allocations per reply are accurate.
const ALLOCATIONS_DECIMALS: i32 = 3;

/// The share by which a value may be beyond its limit because numbers are
/// rounded.
const ROUNDING: f64 = 1e-9;

/// The reason why a verdict is undecided if the interval contains the limit.
const AT_THE_LIMIT: &str = "the interval includes the limit";

/// A run, and the verdicts on budgets that follow from it.
pub(crate) struct BudgetReport<'a> {
    pub(crate) record: &'a Record,
    pub(crate) judged: Vec<JudgedBudget<'a>>,
}

/// A budget, and the verdicts on its limits.
pub(crate) struct JudgedBudget<'a> {
    /// The budget.
    pub(crate) budget: &'a Budget,
    /// The results, in the order of the budget's limits.
    pub(crate) limits: Vec<JudgedLimit<'a>>,
}

/// The verdict on one limit.
pub(crate) struct JudgedLimit<'a> {
    /// The limit.
    pub(crate) limit: &'a Limit,
    /// The limited value. The interval of a count is the count itself.
    pub(crate) value: Option<Estimate>,
    /// The verdict.
    pub(crate) verdict: Verdict,
}

/// The verdict on a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The whole interval keeps the limit.
    Kept,
    /// The whole interval is beyond the limit.
    Broken,
    /// Neither could be shown, for this reason.
    Undecided(&'static str),
    /// A contestant or `compare` failed, for this reason.
    Failed(String),
    /// The run doesn't contain the figure, for this reason.
    NotMeasured(String),
}

impl Verdict {
    /// Returns the name that is printed.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Verdict::Kept => "kept",
            Verdict::Broken => "broken",
            Verdict::Undecided(_) => "undecided",
            Verdict::Failed(_) => "failed",
            Verdict::NotMeasured(_) => "not measured",
        }
    }

    /// Returns the reason, unless the limit is kept or broken.
    pub(crate) fn reason(&self) -> Option<&str> {
        match self {
            Verdict::Kept | Verdict::Broken => None,
            Verdict::Undecided(reason) => Some(reason),
            Verdict::Failed(reason) | Verdict::NotMeasured(reason) => {
                Some(reason)
            }
        }
    }

    /// Returns the verdict on an interval.
    fn of(band: Band, low: f64, high: f64) -> Verdict {
        let Band { at_least, at_most } = band;
        let most = |limit: f64| limit * (1.0 + ROUNDING);
        let least = |limit: f64| limit * (1.0 - ROUNDING);
        let is_kept = at_least.is_none_or(|limit| low >= least(limit))
            && at_most.is_none_or(|limit| high <= most(limit));
        let is_broken = at_least.is_some_and(|limit| high < least(limit))
            || at_most.is_some_and(|limit| low > most(limit));
        if is_kept {
            Verdict::Kept
        } else if is_broken {
            Verdict::Broken
        } else {
            Verdict::Undecided(AT_THE_LIMIT)
        }
    }
}

impl<'a> BudgetReport<'a> {
    /// Judges budgets by the figures of a run.
    pub(crate) fn of(
        budgets: &'a [Budget],
        record: &'a Record,
    ) -> BudgetReport<'a> {
        let findings = Findings::of(record);
        let judged = budgets.iter().map(|budget| JudgedBudget {
            budget,
            limits: budget
                .limits
                .iter()
                .map(|limit| JudgedLimit::of(record, &findings, limit))
                .collect(),
        });
        BudgetReport { record, judged: judged.collect() }
    }

    /// Returns the verdicts.
    pub(crate) fn verdicts(&self) -> impl Iterator<Item = &Verdict> {
        self.judged.iter().flat_map(|one| &one.limits).map(|one| &one.verdict)
    }

    /// Returns how the run ended. Limits that the run doesn't contain don't
    /// matter, unless it contains none at all.
    pub(crate) fn outcome(&self) -> Outcome {
        let any = |is: fn(&Verdict) -> bool| self.verdicts().any(is);
        if any(|verdict| matches!(verdict, Verdict::Broken)) {
            Outcome::Regression
        } else if any(|verdict| matches!(verdict, Verdict::Failed(_))) {
            Outcome::ContestantFailed
        } else if any(|verdict| matches!(verdict, Verdict::Undecided(_))) {
            Outcome::Undecided
        } else if any(|verdict| matches!(verdict, Verdict::Kept)) {
            Outcome::Done
        } else {
            Outcome::NothingSelected
        }
    }
}

impl<'a> JudgedLimit<'a> {
    fn of(
        record: &Record,
        findings: &Findings<'_>,
        limit: &'a Limit,
    ) -> JudgedLimit<'a> {
        let judged = match limit.figure.quantity {
            Quantity::Counted(count) => counted(record, &limit.figure, count)
                .map(|value| {
                    let band = limit.band();
                    let verdict = Verdict::of(band, value.low, value.high);
                    (value, verdict)
                }),
            _ => measured(record, findings, limit),
        };
        match judged {
            Ok((value, verdict)) => {
                JudgedLimit { limit, value: Some(value), verdict }
            }
            Err(verdict) => JudgedLimit { limit, value: None, verdict },
        }
    }
}

/// Returns a value that is measured in rounds, with its verdict; or the verdict
/// if there is no value.
fn measured(
    record: &Record,
    findings: &Findings<'_>,
    limit: &Limit,
) -> Result<(Estimate, Verdict), Verdict> {
    let figure = by_round(record, &limit.figure)?;
    let other = |side: &Option<Side>| {
        side.as_ref().map(|side| by_round(record, side)).transpose()
    };
    let (over, less) = (other(&limit.over)?, other(&limit.less)?);
    let estimate = |values: &[f64]| bootstrap::of_rounds(values, record.seed);
    let values = match (&over, &less) {
        (Some(over), _) => ratios(&figure, over),
        (None, Some(less)) => growth(&figure, less, limit.per.unwrap_or(1.0)),
        (None, None) => figure,
    };
    let rounds = values.len();
    let values: Vec<f64> = values.into_values().collect();
    let value = match paired(record, findings, limit) {
        Some(ratio) => Some(ratio),
        None if less.is_some() => span(values),
        None => estimate(&values),
    };
    let Some(value) = value else {
        let figure = &limit.figure;
        return Err(Verdict::Failed(format!(
            "{figure}: there is no ratio: the other figure is 0, or has no \
             round in common with it"
        )));
    };
    Ok((value, verdict_on(findings, record, limit, &value, rounds)))
}

/// Returns the ratio of two contestants in one scenario, turn by turn.
fn paired(
    record: &Record,
    findings: &Findings<'_>,
    limit: &Limit,
) -> Option<Estimate> {
    let (figure, over) = (&limit.figure, limit.over.as_ref()?);
    let Quantity::Figure(quantity) = figure.quantity else { return None };
    let is_pair = over.scenario == figure.scenario
        && over.quantity == figure.quantity
        && quantity != Figure::Left;
    let scenario = scenario_named(record, &figure.scenario)?;
    let pair = [figure.contestant.as_str(), &over.contestant];
    let ratio = is_pair.then(|| findings.ratio(scenario, pair, quantity));
    Some(ratio??.estimate())
}

/// Returns the median of the rounds with the lowest and the highest value. A
/// growth may be negative, so it has no logarithm.
fn span(mut values: Vec<f64>) -> Option<Estimate> {
    // Sorts the values.
    let value = median(&mut values)?;
    Some(Estimate { value, low: *values.first()?, high: *values.last()? })
}

/// Returns the verdict on a value over `rounds` rounds. A rate is only a lower
/// bound if the load generator was the bottleneck.
fn verdict_on(
    findings: &Findings<'_>,
    record: &Record,
    limit: &Limit,
    value: &Estimate,
    rounds: usize,
) -> Verdict {
    if rounds < ROUNDS_MIN {
        return Verdict::Undecided(TOO_FEW_ROUNDS);
    }
    let is_bound = |side: &Side| {
        let Quantity::Figure(figure) = side.quantity else { return false };
        scenario_named(record, &side.scenario).is_some_and(|scenario| {
            findings.is_lower_bound(scenario, &side.contestant, figure)
        })
    };
    let low = match &limit.over {
        Some(over) if is_bound(over) => 0.0,
        _ => value.low,
    };
    let high = if is_bound(&limit.figure) { f64::INFINITY } else { value.high };
    let band = limit.band();
    let verdicts = [
        Verdict::of(band, low, high),
        Verdict::of(band, value.low, value.high),
    ];
    match verdicts {
        [Verdict::Undecided(_), Verdict::Kept | Verdict::Broken] => {
            Verdict::Undecided(GENERATOR_WAS_BUSY)
        }
        [verdict, _] => verdict,
    }
}

/// Returns the growth from `less` to `more` of each common round, for each of
/// `per`.
fn growth(
    more: &BTreeMap<u64, f64>,
    less: &BTreeMap<u64, f64>,
    per: f64,
) -> BTreeMap<u64, f64> {
    let rounds = more.iter();
    let grown = rounds.filter_map(|(round, more)| {
        Some((*round, (more - less.get(round)?) / per))
    });
    grown.collect()
}

/// Returns a quantity by round, or the verdict if there is none.
fn by_round(
    record: &Record,
    side: &Side,
) -> Result<BTreeMap<u64, f64>, Verdict> {
    let (scenario, cell) = cell_of(record, side)?;
    let failed =
        |why: &str| Err(Verdict::Failed(format!("{}: {why}", cell_name(side))));
    if let Some(void) = &cell.void {
        return failed(&format!("void: {}", void.reason));
    }
    if let Some(why) = &cell.by_design {
        return failed(&format!("not measured, by design: {why}"));
    }
    let by_round = match side.quantity {
        Quantity::Figure(figure) => {
            record.figure(scenario, &side.contestant, figure)
        }
        Quantity::Lag => lag(scenario, cell),
        Quantity::Counted(_) => BTreeMap::new(),
    };
    if by_round.is_empty() {
        let why = format!("no {} was measured", side.quantity.name());
        return failed(&why);
    }
    Ok(by_round)
}

/// Returns the 99th percentile of the lag of the measured group, by round.
fn lag(scenario: &Scenario, cell: &CellRecord) -> BTreeMap<u64, f64> {
    let rounds = cell.rounds.iter();
    let lags = rounds.filter_map(|round| {
        let group = round.report.group(&scenario.measured_group)?;
        let lag_ns = &group.open.as_ref()?.lag_ns;
        Some((round.round, lag_ns.at_quantile_ns(0.99)? as f64))
    });
    lags.collect()
}

/// Returns a count, or the verdict if there is none.
fn counted(
    record: &Record,
    side: &Side,
    count: Count,
) -> Result<Estimate, Verdict> {
    let (_, cell) = cell_of(record, side)?;
    let found = match count {
        Count::SystemCalls => Result::from(cell.system_calls.clone())
            .map(|calls| calls.into_values().sum())
            .map(|sum| Estimate::exact(rounded(sum, SYSTEM_CALLS_DECIMALS))),
        Count::Allocations => {
            Result::from(cell.allocations.clone().unwrap_or_else(not_measured))
                .map(|count| {
                    Estimate::exact(rounded(count, ALLOCATIONS_DECIMALS))
                })
        }
        Count::Efficiency => {
            Result::from(cell.efficiency.clone().unwrap_or_else(not_measured))
                .and_then(|shares| {
                    let estimate = bootstrap::of_rounds(&shares, record.seed);
                    estimate.ok_or_else(|| "not measured".to_owned())
                })
        }
    };
    found.map_err(|why| Verdict::NotMeasured(format!("{side}: {why}")))
}

fn not_measured<T>() -> Reading<T> {
    Reading::missing("not measured")
}

/// Returns the cell of a quantity, or the verdict if the run doesn't have it.
fn cell_of<'a>(
    record: &'a Record,
    side: &Side,
) -> Result<(&'a Scenario, &'a CellRecord), Verdict> {
    let Side { contestant, scenario, .. } = side;
    let skipped = record.skipped.iter().find(|(name, _)| name == contestant);
    if let Some((name, why)) = skipped {
        return Err(Verdict::NotMeasured(format!("{name}: {why}")));
    }
    let cell = record.cell(scenario, contestant);
    scenario_named(record, scenario).zip(cell).ok_or_else(|| {
        Verdict::NotMeasured(format!("{} is not in the run", cell_name(side)))
    })
}

fn cell_name(Side { contestant, scenario, .. }: &Side) -> String {
    format!("{contestant} in {scenario}")
}

/// Returns the scenario with that name, as it was measured.
fn scenario_named<'a>(record: &'a Record, name: &str) -> Option<&'a Scenario> {
    record.scenarios.iter().find(|scenario| scenario.name == name)
}

/// Rounds a count, and turns -0 into 0.
fn rounded(value: f64, decimals: i32) -> f64 {
    let unit = 10_f64.powi(decimals);
    (value * unit).round() / unit + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_MOST: Band = Band { at_least: None, at_most: Some(1.05) };
    const AT_LEAST: Band = Band { at_least: Some(0.6), at_most: None };

    #[test]
    fn an_interval_that_includes_the_limit_is_undecided() {
        let undecided = Verdict::Undecided(AT_THE_LIMIT);
        let cases = [
            (AT_MOST, [0.9, 1.0], Verdict::Kept),
            (AT_MOST, [1.05, 1.05], Verdict::Kept),
            (AT_MOST, [1.0, 1.06], undecided.clone()),
            (AT_MOST, [1.06, 2.0], Verdict::Broken),
            (AT_LEAST, [0.6, 0.9], Verdict::Kept),
            (AT_LEAST, [0.5, 0.7], undecided),
            (AT_LEAST, [0.1, 0.59], Verdict::Broken),
        ];
        for (band, [low, high], expected) in cases {
            assert_eq!(Verdict::of(band, low, high), expected, "{low} {high}");
        }
    }

    #[test]
    fn growth_is_per_client_and_by_round() {
        let more = BTreeMap::from([(1, 600.0), (2, 700.0), (3, 1.0)]);
        let less = BTreeMap::from([(1, 100.0), (2, 100.0)]);
        let expected = BTreeMap::from([(1, 50.0), (2, 60.0)]);
        assert_eq!(growth(&more, &less, 10.0), expected);
    }

    #[test]
    fn a_count_is_rounded_to_what_it_is_accurate_to() {
        assert_eq!(rounded(2.0049, SYSTEM_CALLS_DECIMALS), 2.0);
        let none = rounded(-0.0001, ALLOCATIONS_DECIMALS);
        assert!(none.is_sign_positive() && none == 0.0);
    }
}
