//! The verdicts on claims: whether the ratio of two measured figures lies in
//! the band that a claim states.

use std::collections::BTreeMap;
use std::fmt;

use crate::analysis::bootstrap::{Estimator, Spread};
use crate::analysis::difference::{
    GENERATOR_WAS_BUSY, ROUNDS_MIN, TOO_FEW_ROUNDS,
};
use crate::analysis::findings::{Doubt, Findings};
use crate::analysis::statistics::Estimate;
use crate::base::exit::Outcome;
use crate::model::claims::{Band, Claim, Side, Trial};
use crate::model::record::Record;
use crate::model::scenarios::Scenario;

/// A run, and the verdicts on claims that follow from it.
pub(crate) struct Verdicts<'a> {
    pub(crate) record: &'a Record,
    pub(crate) judged: Vec<JudgedClaim<'a>>,
}

impl<'a> Verdicts<'a> {
    pub(crate) fn of(claims: &'a [Claim], record: &'a Record) -> Verdicts<'a> {
        Verdicts { record, judged: judge(claims, record) }
    }

    /// Returns how the run ended. The verdicts don't matter for that, only
    /// whether figures could be measured.
    pub(crate) fn outcome(&self) -> Outcome {
        let mut verdicts =
            self.judged.iter().flat_map(|one| &one.trials).map(|t| &t.verdict);
        if verdicts.clone().any(|r| matches!(r, Verdict::Failed(_))) {
            Outcome::ContestantFailed
        } else if verdicts.all(|r| matches!(r, Verdict::Untried(_))) {
            Outcome::NothingSelected
        } else {
            Outcome::Done
        }
    }
}

/// The relative rounding error that the end of an interval may have. An interval
/// that ends on an edge includes it.
const ROUNDING: f64 = 1e-9;

/// The reason why a verdict is open if the interval contains an edge.
const AT_THE_EDGE: &str = "the interval includes the edge of the band";

/// A claim, and the results of its trials.
pub(crate) struct JudgedClaim<'a> {
    /// The claim.
    pub(crate) claim: &'a Claim,
    /// The results, in the order of the claim's trials.
    pub(crate) trials: Vec<JudgedTrial<'a>>,
}

/// The result of one trial of a claim.
pub(crate) struct JudgedTrial<'a> {
    /// The trial.
    pub(crate) trial: &'a Trial,
    /// The left and the right figure, if they were measured.
    pub(crate) figures: [Option<Estimate>; 2],
    /// Left divided by right.
    pub(crate) ratio: Option<Estimate>,
    /// The number of rounds that the ratio is computed from.
    pub(crate) rounds: usize,
    /// The verdict.
    pub(crate) verdict: Verdict,
    /// The suspect figures, each with a reason.
    pub(crate) doubts: Vec<(&'a Side, Doubt)>,
}

/// The verdict on a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The whole interval of the ratio lies inside the band.
    Holds,
    /// The whole interval lies outside the band.
    Refuted,
    /// Neither could be shown, for this reason.
    Open(&'static str),
    /// A figure could not be measured, for this reason.
    Failed(String),
    /// The run doesn't contain the figures, for this reason.
    Untried(String),
}

impl Verdict {
    /// Returns the name that is printed.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Verdict::Holds => "holds",
            Verdict::Refuted => "refuted",
            Verdict::Open(_) => "open",
            Verdict::Failed(_) => "failed",
            Verdict::Untried(_) => "not tried",
        }
    }

    /// Returns the reason, unless the claim holds or is refuted.
    pub(crate) fn reason(&self) -> Option<&str> {
        match self {
            Verdict::Holds | Verdict::Refuted => None,
            Verdict::Open(reason) => Some(reason),
            Verdict::Failed(reason) | Verdict::Untried(reason) => Some(reason),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Judges each claim by the figures of a run.
pub(crate) fn judge<'a>(
    claims: &'a [Claim],
    record: &Record,
) -> Vec<JudgedClaim<'a>> {
    let judged = claims.iter().map(|claim| JudgedClaim {
        claim,
        trials: claim
            .trials
            .iter()
            .map(|trial| JudgedTrial::of(record, claim.band(), trial))
            .collect(),
    });
    judged.collect()
}

impl<'a> JudgedTrial<'a> {
    fn of(record: &Record, band: Band, trial: &'a Trial) -> JudgedTrial<'a> {
        let mut judged = JudgedTrial {
            trial,
            figures: [None, None],
            ratio: None,
            rounds: 0,
            verdict: Verdict::Untried(String::new()),
            doubts: Vec::new(),
        };
        let measured = |side| figure(record, side, trial.optional);
        for found in trial.sides().map(measured) {
            if let Err(verdict) = found {
                judged.verdict = verdict;
                return judged;
            }
        }
        let findings = Findings::of(record);
        judged.figures = trial.sides().map(|side| {
            let scenario = scenario_named(record, &side.scenario)?;
            findings.estimate(scenario, &side.contestant, side.figure)
        });
        let ratio = ratio(record, &findings, trial);
        judged.ratio = ratio.as_ref().map(Spread::estimate);
        judged.rounds = ratio.map_or(0, |ratio| ratio.rounds);
        let sides = trial.sides();
        judged.doubts =
            sides.iter().flat_map(|side| doubts(record, side)).collect();
        let is_bound = sides.map(|side| is_lower_bound(record, side));
        judged.verdict = match &judged.ratio {
            None => Verdict::Failed(format!(
                "there is no ratio: {} is 0, or has no round in common with \
                 the left side",
                trial.right
            )),
            Some(ratio) => verdict_on(band, ratio, judged.rounds, is_bound),
        };
        judged
    }

    /// Returns whether the run contains the figures of this trial.
    pub(crate) fn is_tried(&self) -> bool {
        !matches!(self.verdict, Verdict::Untried(_))
    }
}

/// Returns the ratio of the left figure to the right one: turn by turn in one
/// scenario, and round by round between two, whose turns have nothing in common.
fn ratio(
    record: &Record,
    findings: &Findings<'_>,
    trial: &Trial,
) -> Option<Spread> {
    let [left, right] = trial.sides();
    let [one, other] = [left, right].map(|side| {
        let scenario = scenario_named(record, &side.scenario)?;
        let sample =
            findings.sample(scenario, &side.contestant, side.figure)?;
        Some((scenario, sample))
    });
    let ((scenario, over), (_, under)) = one.zip(other)?;
    let draws = findings.draws(scenario);
    let estimator = Estimator::of(scenario, left.figure);
    if left.scenario == right.scenario && left.figure == right.figure {
        return Spread::of_ratio(&over, &under, estimator, &draws);
    }
    let [over, under] = [over.by_round(), under.by_round()];
    Spread::of_ratio(&over, &under, estimator, &draws)
}

/// Returns the verdict on a ratio over `rounds` rounds.
///
/// A figure that `is_bound` is a lower bound, because the load generator was
/// the bottleneck. The ratio is then known only as a lower bound (if the left
/// figure is one) or as an upper bound (if the right one is).
fn verdict_on(
    band: Band,
    ratio: &Estimate,
    rounds: usize,
    is_bound: [bool; 2],
) -> Verdict {
    if rounds < ROUNDS_MIN {
        return Verdict::Open(TOO_FEW_ROUNDS);
    }
    let Estimate { low, high, .. } = *ratio;
    let [left_is_more, right_is_more] = is_bound;
    let bounded = Verdict::of(
        band,
        if right_is_more { 0.0 } else { low },
        if left_is_more { f64::INFINITY } else { high },
    );
    match (bounded, Verdict::of(band, low, high)) {
        (None, None) => Verdict::Open(AT_THE_EDGE),
        (None, Some(_)) => Verdict::Open(GENERATOR_WAS_BUSY),
        (Some(verdict), _) => verdict,
    }
}

impl Verdict {
    /// Returns the verdict for an interval, or `None` if the interval includes
    /// an edge of the band.
    fn of(band: Band, low: f64, high: f64) -> Option<Verdict> {
        let Band { at_least, at_most } = band;
        let is_above = |end: f64, edge: f64| end > edge * (1.0 + ROUNDING);
        let is_below = |end: f64, edge: f64| end < edge * (1.0 - ROUNDING);
        let is_within = at_least.is_none_or(|edge| is_above(low, edge))
            && at_most.is_none_or(|edge| is_below(high, edge));
        let is_outside = at_least.is_some_and(|edge| is_below(high, edge))
            || at_most.is_some_and(|edge| is_above(low, edge));
        if is_within {
            Some(Verdict::Holds)
        } else if is_outside {
            Some(Verdict::Refuted)
        } else {
            None
        }
    }
}

/// Returns the figure of one side by round, or the verdict if there is none.
fn figure(
    record: &Record,
    side: &Side,
    is_optional: bool,
) -> Result<BTreeMap<u64, f64>, Verdict> {
    let Side { figure, contestant, scenario } = side;
    let skipped = record.skipped.iter().find(|(name, _)| name == contestant);
    if let Some((name, why)) = skipped {
        let why = format!("{name}: {why}");
        return Err(if is_optional {
            Verdict::Untried(why)
        } else {
            Verdict::Failed(why)
        });
    }
    let cell = record.cell(scenario, contestant);
    let measured = scenario_named(record, scenario);
    let (Some(cell), Some(measured)) = (cell, measured) else {
        let why = format!("{contestant} in {scenario} is not in the run");
        return Err(Verdict::Untried(why));
    };
    let failed = |why: &str| {
        Err(Verdict::Failed(format!("{contestant} in {scenario}: {why}")))
    };
    if let Some(void) = &cell.void {
        return failed(&format!("void: {}", void.reason));
    }
    if let Some(why) = &cell.by_design {
        return failed(&format!("not measured, by design: {why}"));
    }
    let by_round = record.figure(measured, contestant, *figure);
    if by_round.is_empty() {
        return failed(&format!("no {} was measured", figure.name()));
    }
    Ok(by_round)
}

/// Returns the scenario with that name, as it was measured.
fn scenario_named<'a>(record: &'a Record, name: &str) -> Option<&'a Scenario> {
    record.scenarios.iter().find(|scenario| scenario.name == name)
}

fn is_lower_bound(record: &Record, side: &Side) -> bool {
    scenario_named(record, &side.scenario).is_some_and(|scenario| {
        let findings = Findings::of(record);
        findings.is_lower_bound(scenario, &side.contestant, side.figure)
    })
}

/// Returns the reasons why a figure is suspect. The width of its interval isn't
/// one, because the verdict depends on the interval of the ratio.
fn doubts<'a>(record: &Record, side: &'a Side) -> Vec<(&'a Side, Doubt)> {
    let Some(scenario) = scenario_named(record, &side.scenario) else {
        return Vec::new();
    };
    let findings = Findings::of(record);
    let doubts = findings.doubts(scenario, &side.contestant, side.figure);
    doubts.into_iter().map(|doubt| (side, doubt)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABOUT_TWICE: Band = Band { at_least: Some(1.7), at_most: Some(2.3) };
    const LITTLE: Band = Band { at_least: None, at_most: Some(0.1) };
    const NEARLY_ALL: Band = Band { at_least: Some(0.8), at_most: None };

    #[test]
    fn an_interval_that_includes_an_edge_leaves_the_verdict_open() {
        let open = Verdict::Open(AT_THE_EDGE);
        let cases = [
            (ABOUT_TWICE, [1.9, 2.1], Verdict::Holds),
            (ABOUT_TWICE, [1.0, 1.1], Verdict::Refuted),
            (ABOUT_TWICE, [2.4, 3.0], Verdict::Refuted),
            (ABOUT_TWICE, [1.6, 1.8], open.clone()),
            (ABOUT_TWICE, [2.2, 2.4], open.clone()),
            (ABOUT_TWICE, [1.0, 3.0], open.clone()),
            // Intervals that end exactly on an edge, on either side of it.
            (ABOUT_TWICE, [1.7, 2.0], open.clone()),
            (ABOUT_TWICE, [2.0, 2.3], open.clone()),
            (ABOUT_TWICE, [1.0, 1.7], open.clone()),
            (ABOUT_TWICE, [2.3, 3.0], open.clone()),
            (LITTLE, [0.0, 0.0], Verdict::Holds),
            (LITTLE, [0.0, 0.09], Verdict::Holds),
            (LITTLE, [0.05, 0.1], open.clone()),
            (LITTLE, [0.11, 4.0], Verdict::Refuted),
            (NEARLY_ALL, [0.81, 5.0], Verdict::Holds),
            (NEARLY_ALL, [0.8, 1.0], open.clone()),
            (NEARLY_ALL, [0.1, 0.79], Verdict::Refuted),
        ];
        for (band, [low, high], expected) in cases {
            let value = f64::midpoint(low, high);
            let ratio = Estimate { value, low, high };
            let verdict = verdict_on(band, &ratio, 3, [false, false]);
            assert_eq!(verdict, expected, "{band} {low} {high}");
            let verdict = verdict_on(band, &ratio, 2, [false, false]);
            assert_eq!(verdict, Verdict::Open(TOO_FEW_ROUNDS));
        }
    }

    #[test]
    fn a_lower_bound_limits_the_ratio_on_one_side_only() {
        let busy = Verdict::Open(GENERATOR_WAS_BUSY);
        let much = Estimate { value: 2.0, low: 1.9, high: 2.1 };
        let little = Estimate { value: 0.05, low: 0.04, high: 0.06 };
        let cases = [
            // The true left figure may be larger, so the ratio may be, too.
            (LITTLE, little, [true, false], busy.clone()),
            (LITTLE, little, [false, true], Verdict::Holds),
            (NEARLY_ALL, much, [true, false], Verdict::Holds),
            (NEARLY_ALL, much, [false, true], busy.clone()),
            (LITTLE, much, [true, false], Verdict::Refuted),
            (LITTLE, much, [false, true], busy.clone()),
            (ABOUT_TWICE, much, [true, true], busy),
        ];
        for (band, ratio, is_bound, expected) in cases {
            let verdict = verdict_on(band, &ratio, 5, is_bound);
            assert_eq!(verdict, expected, "{band} {is_bound:?}");
        }
    }
}
