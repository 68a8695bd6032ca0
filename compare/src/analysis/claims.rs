//! What a run says of a claim.

use std::collections::BTreeMap;
use std::fmt;

use crate::analysis::difference::{
    GENERATOR_WAS_BUSY, ROUNDS_MIN, TOO_FEW_ROUNDS,
};
use crate::analysis::findings::{Doubt, Findings};
use crate::analysis::statistics::Estimate;
use crate::base::exit::Outcome;
use crate::model::claims::{Band, Claim, Side, Trial};
use crate::model::record::{Record, ratios};
use crate::model::scenarios::Scenario;

/// A run, and what it says of the claims.
pub(crate) struct Verdicts<'a> {
    pub(crate) record: &'a Record,
    pub(crate) judged: Vec<JudgedClaim<'a>>,
}

impl<'a> Verdicts<'a> {
    pub(crate) fn of(claims: &'a [Claim], record: &'a Record) -> Verdicts<'a> {
        Verdicts { record, judged: judge(claims, record) }
    }

    /// What is said of every claim is as good as any: only a cell without
    /// figures counts against a run.
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

/// Why nobody can say.
const AT_THE_EDGE: &str = "the interval is not clear of the band's edge";

/// A claim, and what came of each of its trials.
pub(crate) struct JudgedClaim<'a> {
    /// The claim.
    pub(crate) claim: &'a Claim,
    /// In the order of its trials.
    pub(crate) trials: Vec<JudgedTrial<'a>>,
}

/// What came of a trial.
pub(crate) struct JudgedTrial<'a> {
    /// The trial.
    pub(crate) trial: &'a Trial,
    /// The two figures, left and right, if they can be had.
    pub(crate) figures: [Option<Estimate>; 2],
    /// The one by the other: the median of the rounds' ratios.
    pub(crate) ratio: Option<Estimate>,
    /// The rounds that it stands on.
    pub(crate) rounds: usize,
    /// The verdict.
    pub(crate) verdict: Verdict,
    /// Why its figures should not be leaned on, if there is a reason: the
    /// figure, and what speaks against it.
    pub(crate) doubts: Vec<(&'a Side, Doubt)>,
}

/// A verdict on a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The ratio lies in the band.
    Holds,
    /// It lies outside.
    Refuted,
    /// Nobody can say, for this reason.
    Open(&'static str),
    /// One of its cells could not be measured, for this reason.
    Failed(String),
    /// Nobody tried, for this reason.
    Untried(String),
}

impl Verdict {
    /// In one word, or a few.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Verdict::Holds => "holds",
            Verdict::Refuted => "refuted",
            Verdict::Open(_) => "open",
            Verdict::Failed(_) => "failed",
            Verdict::Untried(_) => "not tried",
        }
    }

    /// Why there is no verdict, if there is none.
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

/// Judges each claim by what a run measured.
pub(crate) fn judge<'a>(
    claims: &'a [Claim],
    record: &Record,
) -> Vec<JudgedClaim<'a>> {
    let judged = claims.iter().map(|claim| JudgedClaim {
        claim,
        trials: { claim.trials.iter() }
            .map(|trial| JudgedTrial::of(record, claim.band(), trial))
            .collect(),
    });
    judged.collect()
}

impl<'a> JudgedTrial<'a> {
    fn of(record: &Record, band: Band, trial: &'a Trial) -> JudgedTrial<'a> {
        let mut outcome = JudgedTrial {
            trial,
            figures: [None, None],
            ratio: None,
            rounds: 0,
            verdict: Verdict::Untried(String::new()),
            doubts: Vec::new(),
        };
        let measured = |side| figure(record, side, trial.optional);
        let [left, right] = match trial.sides().map(measured) {
            [Ok(left), Ok(right)] => [left, right],
            [Err(verdict), _] | [_, Err(verdict)] => {
                outcome.verdict = verdict;
                return outcome;
            }
        };
        let estimate = |by_round: &BTreeMap<u64, f64>| {
            let values: Vec<f64> = by_round.values().copied().collect();
            Estimate::of(&values, record.seed)
        };
        let ratios = ratios(&left, &right);
        outcome.figures = [estimate(&left), estimate(&right)];
        outcome.ratio = estimate(&ratios);
        outcome.rounds = ratios.len();
        let sides = trial.sides();
        outcome.doubts =
            sides.iter().flat_map(|side| doubts(record, side)).collect();
        let is_bound = sides.map(|side| is_lower_bound(record, side));
        outcome.verdict = match &outcome.ratio {
            None => Verdict::Failed(format!(
                "there is nothing to divide by: the {} was 0, or of other \
                 rounds",
                trial.right
            )),
            Some(ratio) => verdict_on(band, ratio, outcome.rounds, is_bound),
        };
        outcome
    }

    /// Whether it was tried at all.
    pub(crate) fn is_tried(&self) -> bool {
        !matches!(self.verdict, Verdict::Untried(_))
    }
}

/// The verdict on a ratio of so many rounds. Where the load generator was the
/// bottleneck, a figure `is_bound` from below alone, and so the ratio from one
/// side.
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
    /// Of an interval that is clear of the band's edges.
    fn of(band: Band, low: f64, high: f64) -> Option<Verdict> {
        let Band { at_least, at_most } = band;
        let is_within = at_least.is_none_or(|edge| low > edge)
            && at_most.is_none_or(|edge| high < edge);
        let is_outside = at_least.is_some_and(|edge| high < edge)
            || at_most.is_some_and(|edge| low > edge);
        if is_within {
            Some(Verdict::Holds)
        } else if is_outside {
            Some(Verdict::Refuted)
        } else {
            None
        }
    }
}

/// A side's figure of each round, or why there is none.
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
    let asked = asked(record, scenario);
    let (Some(cell), Some(asked)) = (cell, asked) else {
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
        return failed(&format!("not asked, by design: {why}"));
    }
    let by_round = record.figure(asked, contestant, *figure);
    if by_round.is_empty() {
        return failed(&format!("it has no {}", figure.name()));
    }
    Ok(by_round)
}

/// The scenario of that name, as it was asked.
fn asked<'a>(record: &'a Record, name: &str) -> Option<&'a Scenario> {
    record.scenarios.iter().find(|scenario| scenario.name == name)
}

fn is_lower_bound(record: &Record, side: &Side) -> bool {
    asked(record, &side.scenario).is_some_and(|scenario| {
        let findings = Findings::of(record);
        findings.is_lower_bound(scenario, &side.contestant, side.figure)
    })
}

/// Why a figure should not be leaned on. How wide its interval is does not
/// matter: that of the ratio is what is judged.
fn doubts<'a>(record: &Record, side: &'a Side) -> Vec<(&'a Side, Doubt)> {
    let Some(scenario) = asked(record, &side.scenario) else {
        return Vec::new();
    };
    let findings = Findings::of(record);
    let doubts = findings.doubts(scenario, &side.contestant, side.figure);
    let doubts = doubts.into_iter().filter(|d| !matches!(d, Doubt::Wide(_)));
    doubts.map(|doubt| (side, doubt)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABOUT_TWICE: Band = Band { at_least: Some(1.7), at_most: Some(2.3) };
    const LITTLE: Band = Band { at_least: None, at_most: Some(0.1) };
    const NEARLY_ALL: Band = Band { at_least: Some(0.8), at_most: None };

    #[test]
    fn only_an_interval_that_is_clear_of_the_edges_has_a_verdict() {
        let open = Verdict::Open(AT_THE_EDGE);
        let cases = [
            (ABOUT_TWICE, [1.9, 2.1], Verdict::Holds),
            (ABOUT_TWICE, [1.0, 1.1], Verdict::Refuted),
            (ABOUT_TWICE, [2.4, 3.0], Verdict::Refuted),
            (ABOUT_TWICE, [1.6, 1.8], open.clone()),
            (ABOUT_TWICE, [2.2, 2.4], open.clone()),
            (ABOUT_TWICE, [1.0, 3.0], open.clone()),
            // On the edge itself, from either side.
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
            let median = f64::midpoint(low, high);
            let ratio = Estimate { median, low, high };
            let verdict = verdict_on(band, &ratio, 3, [false, false]);
            assert_eq!(verdict, expected, "{band} {low} {high}");
            let verdict = verdict_on(band, &ratio, 2, [false, false]);
            assert_eq!(verdict, Verdict::Open(TOO_FEW_ROUNDS));
        }
    }

    #[test]
    fn what_is_a_lower_bound_bounds_the_ratio_from_one_side_alone() {
        let busy = Verdict::Open(GENERATOR_WAS_BUSY);
        let much = Estimate { median: 2.0, low: 1.9, high: 2.1 };
        let little = Estimate { median: 0.05, low: 0.04, high: 0.06 };
        let cases = [
            // More may be left than is known: it is not little.
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
