//! The comparison of two runs, A and B, cell by cell.

use crate::analysis::bootstrap::{self, Family, Spread};
use crate::analysis::compatibility;
use crate::analysis::difference::{
    self, GENERATOR_WAS_BUSY, ROUNDS_MIN, TOO_FEW_ROUNDS,
};
use crate::analysis::findings::{Findings, Relation};
use crate::analysis::relation::Yardstick;
use crate::analysis::statistics::Estimate;
use crate::model::figure::Figure;
use crate::model::record::{Record, Void};
use crate::model::scenarios::Scenario;

/// The reason why a comparison is open although both runs have the figure. The
/// rounds of two runs aren't compared pair by pair, so a disturbance of one run
/// doesn't cancel out.
const DISTURBED: &str = "other processes or the hypervisor took more than 5 % \
                         of the machine's time";

/// The reason why a comparison is open without a reference.
const DRIFT: &str = "the machine's speed may have changed; --relative-to sets \
                     a contestant to compare with";

/// How much the speed of a machine may change between two runs, as a share.
const DRIFT_SHARE: f64 = 0.2;

/// What figures that depend on the machine's speed are compared with, within
/// each run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reference {
    /// The other contestant that changed as much as the others did, in the
    /// median: so a change of one contestant doesn't look like one of the
    /// others. Takes two others.
    Others,
    /// This contestant.
    Contestant(String),
    /// Nothing: the speed of the machine is taken to be the same.
    Nothing,
}

/// How two runs are compared.
pub(crate) struct Rules {
    /// The share by which equal figures may differ.
    pub(crate) margin: f64,
    /// What figures are compared with, within each run.
    pub(crate) reference: Reference,
}

/// The differences between two runs.
pub(crate) struct Comparison {
    /// The properties in which the machines differ.
    pub(crate) machine_differences: Vec<String>,
    /// The commits that were measured, if they differ.
    pub(crate) revisions: Option<String>,
    /// The figures that both runs have.
    pub(crate) cells: Vec<Compared>,
    /// The contestants that failed only in B, with the reasons.
    pub(crate) failed: Vec<String>,
    /// What can't be compared, with the reasons.
    pub(crate) not_compared: Vec<String>,
    /// The number of pairs of contestants, over all figures, that are measured
    /// in both runs.
    pub(crate) pairs: usize,
    /// The pairs in which one contestant is better in A and the other in B.
    pub(crate) reversed: Vec<String>,
}

/// A figure that both runs have.
pub(crate) struct Compared {
    pub(crate) scenario: String,
    pub(crate) contestant: String,
    pub(crate) figure: Figure,
    pub(crate) before: Estimate,
    pub(crate) after: Estimate,
    /// Whether the figure is only a lower bound, in A and in B.
    pub(crate) bounds: [bool; 2],
    /// B divided by A; if the figure depends on the machine's speed, each
    /// divided by the reference in its own run.
    pub(crate) times: Estimate,
    /// The number of rounds of the run that has fewer.
    pub(crate) rounds: usize,
    pub(crate) relation: Relation,
}

/// The two runs, and what is known of each.
struct Runs<'a> {
    records: [&'a Record; 2],
    findings: [Findings<'a>; 2],
    reference: &'a Reference,
}

/// A figure that both runs have, before it is judged.
struct Candidate {
    compared: Compared,
    spread: Spread,
    noise: f64,
    /// The reason why a difference would not count.
    open: Option<&'static str>,
    /// The reason why the figures can't be shown to be alike.
    unequal: Option<&'static str>,
}

impl Comparison {
    /// Compares two runs.
    pub(crate) fn of(
        before: &Record,
        after: &Record,
        rules: &Rules,
        is_wanted: impl Fn(&Scenario, &str) -> bool,
    ) -> Comparison {
        let Rules { margin, reference } = rules;
        let margin = *margin;
        let mut comparison = Comparison {
            machine_differences: compatibility::machines(
                &before.machine,
                &after.machine,
            ),
            revisions: revisions(before, after),
            cells: Vec::new(),
            failed: Vec::new(),
            not_compared: Vec::new(),
            pairs: 0,
            reversed: Vec::new(),
        };
        let Comparison { not_compared, .. } = &mut comparison;
        let pairs = pairs(before, after, &is_wanted, not_compared);
        let records = [before, after];
        let findings =
            records.map(|record| Findings::with_margin(record, margin));
        let runs = Runs { records, findings, reference };
        let mut candidates = Vec::new();
        for (one, other) in pairs {
            let names = before.contestants().map(|c| c.name.as_str());
            let names: Vec<&str> =
                names.filter(|name| is_wanted(one, name)).collect();
            for name in &names {
                candidates.extend(comparison.add(&runs, [one, other], name));
            }
            comparison.add_pairs(&runs, [one, other], &names);
        }
        comparison.cells = judged(candidates, margin);
        only(before, after, "A", &is_wanted, &mut comparison.not_compared);
        only(after, before, "B", &is_wanted, &mut comparison.not_compared);
        comparison
    }

    /// Compares all figures of one cell.
    fn add(
        &mut self,
        runs: &Runs<'_>,
        [one, other]: [&Scenario; 2],
        name: &str,
    ) -> Vec<Candidate> {
        let [before, after] = runs.records;
        let void = |record: &Record| -> Option<Void> {
            record.cell(&one.name, name)?.void.clone()
        };
        let voids = [void(before), void(after)];
        if let Some(why) = before.by_design(&one.name, name)
            && after.by_design(&other.name, name).is_some()
        {
            let line = format!("by design: {name} not in {}: {why}", one.name);
            self.not_compared.push(line);
            return Vec::new();
        }
        for (run, void) in ["A", "B"].iter().zip(&voids) {
            let Some(Void { reason, .. }) = void else { continue };
            let line =
                format!("void in {run}: {name} in {}: {reason}", one.name);
            self.not_compared.push(line);
        }
        if let [None, Some(void)] = &voids
            && void.contestant_failed
            && before.cell(&one.name, name).is_some()
        {
            let line = format!("{name} in {}: {}", one.name, void.reason);
            self.failed.push(line);
        }
        if voids.iter().any(Option::is_some) {
            return Vec::new();
        }
        let mut figures = one.figures.clone();
        let more = other.figures.iter().filter(|f| !one.figures.contains(f));
        figures.extend(more);
        let figures = figures.into_iter();
        let candidates =
            figures.filter_map(|f| compare(runs, [one, other], name, f));
        candidates.collect()
    }

    /// Compares the order of each pair of contestants in the two runs.
    fn add_pairs(
        &mut self,
        runs: &Runs<'_>,
        scenarios: [&Scenario; 2],
        names: &[&str],
    ) {
        let [one, other] = scenarios;
        let both = one.figures.iter().filter(|f| other.figures.contains(f));
        for &figure in both {
            for (index, first) in names.iter().enumerate() {
                for second in &names[index + 1..] {
                    let pair = [*first, *second];
                    let text = reversed(runs, scenarios, pair, figure);
                    self.pairs += usize::from(text.is_some());
                    self.reversed.extend(text.flatten());
                }
            }
        }
    }
}

/// Returns the scenarios that are the same in both runs, and adds a line to
/// `not_compared` for each scenario that differs.
fn pairs<'a>(
    before: &'a Record,
    after: &'a Record,
    is_wanted: impl Fn(&Scenario, &str) -> bool,
    not_compared: &mut Vec<String>,
) -> Vec<(&'a Scenario, &'a Scenario)> {
    let mut pairs = Vec::new();
    for one in &before.scenarios {
        let mut others = after.scenarios.iter();
        let Some(other) = others.find(|other| other.name == one.name) else {
            continue;
        };
        let mut names = before.contestants().map(|c| &c.name);
        if !names.any(|name| is_wanted(one, name)) {
            continue;
        }
        // A different n is a different question, even for the same cost.
        let has_cost = one.groups.iter().any(|group| group.cost.is_some());
        let difference = compatibility::scenarios(one, other).or_else(|| {
            let calibrations = [before, after].map(|run| &run.calibration);
            let [one, other] = calibrations;
            has_cost.then(|| compatibility::calibrations(one, other)).flatten()
        });
        match difference {
            None => pairs.push((one, other)),
            Some(difference) => not_compared.push(format!(
                "not compared: {} differs between the runs (A / B): \
                 {difference}",
                one.name
            )),
        }
    }
    pairs
}

fn compare(
    runs: &Runs<'_>,
    [one, other]: [&Scenario; 2],
    name: &str,
    figure: Figure,
) -> Option<Candidate> {
    let [before, after] = &runs.findings;
    let old = before.spread(one, name, figure)?;
    let new = after.spread(other, name, figure)?;
    let drifts = depends_on_speed(figure);
    let relative = runs.relative([one, other], name, figure);
    let spread = match &relative {
        Some([old, new]) if drifts => new.over(old),
        _ => new.over(&old),
    };
    let is_exposed =
        drifts && relative.is_none() && *runs.reference != Reference::Nothing;
    let bounds = [
        before.is_lower_bound(one, name, figure),
        after.is_lower_bound(other, name, figure),
    ];
    let noise =
        [before.self_relation(one, figure), after.self_relation(other, figure)];
    let noise = noise.into_iter().flatten().map(|n| n.value.ln().abs());
    let noise = noise.fold(0.0, f64::max);
    let drift = if is_exposed { DRIFT_SHARE.ln_1p() } else { 0.0 };
    let was_disturbed = drifts
        && relative.is_none()
        && (before.was_disturbed(one, name)
            || after.was_disturbed(other, name));
    let times = spread.estimate();
    Some(Candidate {
        compared: Compared {
            scenario: one.name.clone(),
            contestant: name.to_owned(),
            figure,
            before: old.estimate(),
            after: new.estimate(),
            bounds,
            times,
            rounds: spread.rounds,
            relation: Relation::Open(TOO_FEW_ROUNDS),
        },
        spread,
        noise: noise + drift,
        open: was_disturbed.then_some(DISTURBED),
        unequal: is_exposed.then_some(DRIFT),
    })
}

impl<'a> Runs<'a> {
    /// Returns the ratio of a contestant's figure to the reference in each run,
    /// or `None` if a run has no reference.
    fn relative(
        &self,
        scenarios: [&Scenario; 2],
        name: &str,
        figure: Figure,
    ) -> Option<[Spread; 2]> {
        let is_in_both = |other: &&str| {
            let mut runs = self.findings.iter().zip(scenarios);
            runs.all(|(findings, scenario)| {
                findings.estimate(scenario, other, figure).is_some()
            })
        };
        let [first, _] = self.records;
        let names = first.contestants().map(|c| c.name.as_str());
        let others = names.filter(|other| match self.reference {
            Reference::Others => *other != name,
            Reference::Contestant(chosen) => other == chosen,
            Reference::Nothing => false,
        });
        let others: Vec<&str> = others.filter(is_in_both).collect();
        let others = match self.reference {
            Reference::Others => self.typical(scenarios, others, figure),
            Reference::Contestant(_) | Reference::Nothing => others,
        };
        if others.is_empty() || others == [name] {
            return None;
        }
        let [before, after] = &self.findings;
        let [one, other] = scenarios;
        Some([
            before.ratio_to_mean(one, name, &others, figure)?,
            after.ratio_to_mean(other, name, &others, figure)?,
        ])
    }

    /// Returns the contestants in the middle by how much their figure changed:
    /// one, or two of an even number. None of fewer than two.
    fn typical(
        &self,
        scenarios: [&Scenario; 2],
        mut names: Vec<&'a str>,
        figure: Figure,
    ) -> Vec<&'a str> {
        let change = |name: &str| {
            let values = [0, 1].map(|run| {
                let findings = &self.findings[run];
                let found = findings.estimate(scenarios[run], name, figure);
                found.map_or(f64::NAN, |found| found.value)
            });
            values[1] / values[0]
        };
        names.sort_by(|one, other| change(one).total_cmp(&change(other)));
        let (count, middle) = (names.len(), names.len() / 2);
        if count < 2 {
            return Vec::new();
        }
        names[middle - usize::from(count % 2 == 0)..=middle].to_vec()
    }
}

/// Returns `true` if a figure changes with the speed of the machine.
fn depends_on_speed(figure: Figure) -> bool {
    matches!(
        figure,
        Figure::Time
            | Figure::Rate
            | Figure::P50
            | Figure::P99
            | Figure::Cost
            | Figure::ResponseP50
            | Figure::ResponseP99
    )
}

/// Judges all figures, so that the probability that any of the differences is
/// false is 5 %.
fn judged(candidates: Vec<Candidate>, margin: f64) -> Vec<Compared> {
    let mut family = Family::default();
    candidates.iter().for_each(|candidate| family.add(&candidate.spread));
    let error = family.error_of_each();
    let typical = |compared: &Compared| {
        let is_like = |other: &&Candidate| {
            other.compared.scenario == compared.scenario
                && other.compared.figure == compared.figure
        };
        let like = candidates.iter().filter(is_like).map(|c| &c.spread);
        bootstrap::typical_error(like)
    };
    let typical: Vec<f64> =
        candidates.iter().map(|c| typical(&c.compared)).collect();
    let candidates = candidates.into_iter().zip(typical);
    let judged = candidates.map(|(candidate, typical)| {
        let Candidate { mut compared, spread, noise, open, unequal } =
            candidate;
        if spread.rounds < ROUNDS_MIN {
            return compared;
        }
        let yardstick = Yardstick { margin, noise, typical, error };
        let relation = Relation::of(&spread, &yardstick);
        let is_different = relation.is_different();
        let Compared { times, bounds, .. } = &compared;
        compared.relation =
            if difference::is_open(times, !is_different, *bounds) {
                Relation::Open(GENERATOR_WAS_BUSY)
            } else {
                match if is_different { open } else { unequal } {
                    Some(why) => Relation::Open(why),
                    None => relation,
                }
            };
        compared
    });
    judged.collect()
}

/// Returns a description if one of two contestants was shown to be better in A,
/// and the other in B. The outer `None` means that a run doesn't have figures
/// of both.
fn reversed(
    runs: &Runs<'_>,
    [one, other]: [&Scenario; 2],
    [first, second]: [&str; 2],
    figure: Figure,
) -> Option<Option<String>> {
    let [before, after] = &runs.findings;
    let before = before.relation(one, first, second, figure)?;
    let after = after.relation(other, first, second, figure)?;
    let [
        Relation::Differs { times: before, .. },
        Relation::Differs { times: after, .. },
    ] = [before, after]
    else {
        return Some(None);
    };
    let is_reversed = (before.value > 1.0) != (after.value > 1.0);
    let [before, after] = [before, after].map(|times| times_text(&times));
    Some(is_reversed.then(|| {
        format!(
            "{} of {first} in {}: {before} times that of {second} in A, \
             {after} times in B",
            figure.name(),
            one.name
        )
    }))
}

/// Adds a line with what only the run `here` has: contestants, scenarios and
/// cells.
fn only(
    here: &Record,
    there: &Record,
    run: &str,
    is_wanted: impl Fn(&Scenario, &str) -> bool,
    lines: &mut Vec<String>,
) {
    let is_measured = |record: &Record, scenario: &str, name: &str| {
        let cell = record.cell(scenario, name);
        cell.is_some_and(|cell| cell.void.is_some() || !cell.rounds.is_empty())
    };
    let is_scenario =
        |name: &str| there.scenarios.iter().any(|s| s.name == name);
    let is_contestant =
        |name: &str| there.contestants().any(|other| other.name == name);
    let mut only = Vec::new();
    for scenario in &here.scenarios {
        for contestant in here.contestants() {
            let name = contestant.name.as_str();
            let of = scenario.name.as_str();
            if !is_wanted(scenario, name)
                || scenario.figures.is_empty()
                || !is_measured(here, of, name)
                || is_measured(there, of, name)
            {
                continue;
            }
            // A contestant or a scenario is listed once for all its cells.
            let what = if !is_contestant(name) {
                format!("contestant {name}")
            } else if !is_scenario(of) {
                format!("scenario {of}")
            } else {
                format!("{name} in {of}")
            };
            if !only.contains(&what) {
                only.push(what);
            }
        }
    }
    if !only.is_empty() {
        lines.push(format!("only in {run}: {}", only.join(", ")));
    }
}

/// Returns a line with the commits that were measured, if they differ.
fn revisions(before: &Record, after: &Record) -> Option<String> {
    let text = |record: &Record| {
        let revision = record.machine.git_revision.value.as_deref();
        let short = revision.map_or("unknown", |r| r.get(..12).unwrap_or(r));
        let is_dirty = record.machine.git_dirty.value == Some(true);
        let changes = if is_dirty { " with uncommitted changes" } else { "" };
        format!("{short}{changes}")
    };
    let [before, after] = [text(before), text(after)];
    (before != after).then(|| format!("revisions: {before} in A, {after} in B"))
}

pub(crate) fn times_text(times: &Estimate) -> String {
    let number = |value: f64| {
        if value.is_finite() { format!("{value:.2}") } else { "∞".to_owned() }
    };
    let Estimate { value, low, high } = *times;
    format!("{} [{}, {}]", number(value), number(low), number(high))
}
