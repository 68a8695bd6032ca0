//! The comparison of two runs, A and B, cell by cell.

use crate::analysis::compatibility;
use crate::analysis::difference::{
    self, Difference, GENERATOR_WAS_BUSY, ROUNDS_MIN, TOO_FEW_ROUNDS,
};
use crate::analysis::findings::{Findings, Relation};
use crate::analysis::statistics::{Estimate, median};
use crate::model::figure::Figure;
use crate::model::record::{Record, Void, ratios};
use crate::model::scenarios::Scenario;

/// The reason why a comparison is open although both runs have the figure. The
/// rounds of two runs aren't compared pair by pair, so a disturbance of one run
/// doesn't cancel out.
const DISTURBED: &str = "other processes or the hypervisor took more than 5 % \
                         of the machine's time";

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
    /// The number of rounds of the run that has fewer.
    pub(crate) rounds: usize,
    /// B divided by A.
    pub(crate) times: Estimate,
    /// The larger noise floor of the two, if either run measured one.
    pub(crate) floor: Option<f64>,
    pub(crate) difference: Difference,
}

impl Comparison {
    pub(crate) fn of(
        before: &Record,
        after: &Record,
        is_wanted: impl Fn(&Scenario, &str) -> bool,
    ) -> Comparison {
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
        for (one, other) in pairs {
            let names = before.contestants().map(|c| c.name.as_str());
            let names: Vec<&str> =
                names.filter(|name| is_wanted(one, name)).collect();
            for name in &names {
                comparison.add([before, after], [one, other], name);
            }
            comparison.add_pairs([before, after], [one, other], &names);
        }
        only(before, after, "A", &is_wanted, &mut comparison.not_compared);
        only(after, before, "B", &is_wanted, &mut comparison.not_compared);
        comparison
    }

    /// Compares all figures of one cell.
    fn add(
        &mut self,
        [before, after]: [&Record; 2],
        [one, other]: [&Scenario; 2],
        name: &str,
    ) {
        let void = |record: &Record| -> Option<Void> {
            record.cell(&one.name, name)?.void.clone()
        };
        let voids = [void(before), void(after)];
        if let Some(why) = before.by_design(&one.name, name)
            && after.by_design(&other.name, name).is_some()
        {
            let line = format!("by design: {name} not in {}: {why}", one.name);
            self.not_compared.push(line);
            return;
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
            return;
        }
        let mut figures = one.figures.clone();
        figures.extend(&other.figures);
        for (index, &figure) in figures.iter().enumerate() {
            if figures[..index].contains(&figure) {
                continue;
            }
            let compared = compare([before, after], [one, other], name, figure);
            self.cells.extend(compared);
        }
    }

    /// Compares the order of each pair of contestants in the two runs.
    fn add_pairs(
        &mut self,
        records: [&Record; 2],
        scenarios: [&Scenario; 2],
        names: &[&str],
    ) {
        let [one, other] = scenarios;
        let both = one.figures.iter().filter(|f| other.figures.contains(f));
        for &figure in both {
            for (index, first) in names.iter().enumerate() {
                for second in &names[index + 1..] {
                    let pair = [*first, *second];
                    let text = reversed(records, scenarios, pair, figure);
                    self.pairs += usize::from(text.is_some());
                    self.reversed.extend(text.flatten());
                }
            }
        }
    }

    pub(crate) fn regressions(
        &self,
        allowed: f64,
    ) -> impl Iterator<Item = String> {
        let worse = self.cells.iter().filter(move |cell| {
            let is_open = matches!(cell.difference, Difference::Open(_));
            let is_noise = cell.difference == Difference::Tie || is_open;
            let Compared { figure, times, .. } = cell;
            !is_noise
                && difference::is_worse_by_more_than(allowed, *figure, times)
        });
        let worse = worse.map(|cell| {
            format!(
                "{} of {} in {}: B / A is {}",
                cell.figure.name(),
                cell.contestant,
                cell.scenario,
                times_text(&cell.times)
            )
        });
        worse.chain(self.failed.iter().cloned())
    }

    /// Returns the number of figures whose comparison is open.
    pub(crate) fn open(&self) -> usize {
        let open =
            |cell: &&Compared| matches!(cell.difference, Difference::Open(_));
        self.cells.iter().filter(open).count()
    }
}

impl Compared {
    /// Returns the probability that the interval doesn't contain 1 although
    /// nothing changed: nominally 5 %, but 10 % with three or four rounds.
    pub(crate) fn chance_of_a_miss(&self) -> f64 {
        if self.rounds < 5 { 0.1 } else { 0.05 }
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
    [before, after]: [&Record; 2],
    [one, other]: [&Scenario; 2],
    name: &str,
    figure: Figure,
) -> Option<Compared> {
    let of = |record: &Record, scenario: &Scenario| -> Vec<f64> {
        record.figure(scenario, name, figure).into_values().collect()
    };
    let [old, new] = [of(before, one), of(after, other)];
    let rounds = old.len().min(new.len());
    // Any seed will do, as long as it is the same each time.
    let times = Estimate::of_quotient(&new, &old, before.seed)?;
    let findings = [Findings::of(before), Findings::of(after)];
    let floors = [
        findings[0].noise_floor(one, figure),
        findings[1].noise_floor(other, figure),
    ];
    let floor = floors.into_iter().flatten().reduce(f64::max);
    let bounds = [
        findings[0].is_lower_bound(one, name, figure),
        findings[1].is_lower_bound(other, name, figure),
    ];
    let mut difference = Difference::of(figure, &times, floor.unwrap_or(0.0));
    let is_tie = difference == Difference::Tie;
    if rounds < ROUNDS_MIN && !is_tie {
        difference = Difference::Open(TOO_FEW_ROUNDS);
    } else if difference::is_open(&times, is_tie, bounds) {
        difference = Difference::Open(GENERATOR_WAS_BUSY);
    } else if !is_tie && figure != Figure::Rss {
        let was_disturbed = findings[0].was_disturbed(one, name)
            || findings[1].was_disturbed(other, name);
        if was_disturbed {
            difference = Difference::Open(DISTURBED);
        }
    }
    Some(Compared {
        scenario: one.name.clone(),
        contestant: name.to_owned(),
        figure,
        before: Estimate::of(&old, before.seed)?,
        after: Estimate::of(&new, after.seed)?,
        bounds,
        rounds,
        times,
        floor,
        difference,
    })
}

/// Returns a description if one of two contestants is better in A and the other
/// in B, by more than noise. The outer `None` means that a run doesn't have
/// figures of both.
fn reversed(
    [before, after]: [&Record; 2],
    [one, other]: [&Scenario; 2],
    [first, second]: [&str; 2],
    figure: Figure,
) -> Option<Option<String>> {
    let middle = |record: &Record, scenario: &Scenario| {
        let over = record.figure(scenario, first, figure);
        let under = record.figure(scenario, second, figure);
        median(&mut ratios(&over, &under).into_values().collect::<Vec<_>>())
    };
    let middles = [middle(before, one)?, middle(after, other)?];
    // The intervals take time to compute, so rule out the common case first.
    if (middles[0] - 1.0) * (middles[1] - 1.0) >= 0.0 {
        return Some(None);
    }
    let relation = |record: &Record, scenario: &Scenario| {
        let findings = Findings::of(record);
        match findings.relation(scenario, first, second, figure)? {
            Relation::Tied | Relation::Open(_) => None,
            Relation::Times(times) => Some(times_text(&times)),
        }
    };
    let texts = relation(before, one).zip(relation(after, other));
    Some(texts.map(|(before, after)| {
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
    let Estimate { median, low, high } = *times;
    format!("{} [{}, {}]", number(median), number(low), number(high))
}
