//! The ranking of a run's contestants by one figure.

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::analysis::bootstrap::{self, Family, Spread};
use crate::analysis::difference::ROUNDS_MIN;
use crate::analysis::findings::{Findings, Relation};
use crate::analysis::relation::Yardstick;
use crate::analysis::statistics::{Estimate, median};
use crate::model::figure::Figure;
use crate::model::record::Record;
use crate::model::scenarios::Scenario;

/// The ranking by one figure.
pub(crate) struct Ranking {
    pub(crate) figure: Figure,
    /// The scenarios that it is based on.
    pub(crate) scenarios: Vec<String>,
    /// The places, the best first.
    pub(crate) places: Vec<Place>,
    /// The contestants and scenarios that are left out, with the reasons.
    pub(crate) left_out: Vec<String>,
}

/// A contestant's place. Contestants that were not shown to be worse than the
/// first one of a place share it.
pub(crate) struct Place {
    pub(crate) place: usize,
    pub(crate) contestant: String,
    /// How many times worse it is than the best.
    pub(crate) score: Estimate,
    /// How it compares with the first one of its place, unless it is that.
    pub(crate) relation: Option<Relation>,
}

impl Ranking {
    /// Ranks contestants by a figure. Figures that differ by less than the share
    /// `margin` are equal. Returns `None` if no scenario shows it.
    pub(crate) fn of(
        record: &Record,
        scenarios: &[&Scenario],
        names: &[&str],
        figure: Figure,
        margin: f64,
    ) -> Option<Ranking> {
        let shows = |scenario: &&&Scenario| scenario.figures.contains(&figure);
        let scenarios: Vec<&Scenario> =
            scenarios.iter().filter(shows).copied().collect();
        if scenarios.is_empty() || names.is_empty() {
            return None;
        }
        let mut ranking = Ranking {
            figure,
            scenarios: Vec::new(),
            places: Vec::new(),
            left_out: Vec::new(),
        };
        let scenarios = ranking.usable(record, scenarios, names);
        let names = ranking.rankable(record, &scenarios, names);
        let findings = Findings::with_margin(record, margin);
        let mut based_on = Vec::new();
        for scenario in scenarios.into_iter().filter(|_| !names.is_empty()) {
            match rounds(&findings, scenario, &names, figure) {
                rounds if rounds < ROUNDS_MIN => {
                    ranking.left_out.push(format!(
                        "{} is left out: too few rounds in which all \
                         contestants have a figure: {rounds}",
                        scenario.name
                    ));
                }
                _ => based_on.push(scenario),
            }
        }
        ranking.scenarios = based_on.iter().map(|s| s.name.clone()).collect();
        if !based_on.is_empty() {
            ranking.places = places(&findings, &based_on, &names, figure);
        }
        Some(ranking)
    }

    /// Returns the scenarios in which the figure was measured at least once,
    /// and depends on the contestants, not on the load generator.
    fn usable<'a>(
        &mut self,
        record: &Record,
        scenarios: Vec<&'a Scenario>,
        names: &[&str],
    ) -> Vec<&'a Scenario> {
        let findings = Findings::of(record);
        let mut usable = Vec::new();
        for scenario in scenarios {
            let is_busy = |name: &&str| {
                findings.is_lower_bound(scenario, name, self.figure)
            };
            let is_measured = |name: &&str| {
                let figures = record.figure(scenario, name, self.figure);
                let mut values: Vec<f64> = figures.into_values().collect();
                median(&mut values).is_some_and(|value| value > 0.0)
            };
            let why = if !names.iter().any(is_measured) {
                "no contestant has a figure there"
            } else if names.iter().any(is_busy) {
                "the load generator was the bottleneck, so the rates don't \
                 compare the contestants"
            } else {
                usable.push(scenario);
                continue;
            };
            let line = format!("{} is left out: {why}", scenario.name);
            self.left_out.push(line);
        }
        usable
    }

    /// Returns the contestants that have a figure in all scenarios.
    fn rankable<'a>(
        &mut self,
        record: &Record,
        scenarios: &[&Scenario],
        names: &[&'a str],
    ) -> Vec<&'a str> {
        let why = |name: &str| {
            scenarios.iter().find_map(|scenario| {
                let of = &scenario.name;
                let cell = record.cell(of, name);
                let void = cell.and_then(|cell| cell.void.as_ref());
                if let Some(void) = void {
                    return Some(format!("void in {of}: {}", void.reason));
                }
                if Findings::of(record).computes_another_n(scenario, name) {
                    let why = "it computed a different n from the others";
                    return Some(format!("{why} in {of}"));
                }
                if let Some(why) = record.by_design(of, name) {
                    return Some(format!("not in {of}, by design: {why}"));
                }
                let figures = record.figure(scenario, name, self.figure);
                let mut values: Vec<f64> = figures.into_values().collect();
                match median(&mut values) {
                    None => Some(format!("no figure in {of}")),
                    // A geometric mean can't include 0.
                    Some(value) if value <= 0.0 => {
                        Some(format!("the figure is 0 in {of}"))
                    }
                    Some(_) => None,
                }
            })
        };
        let mut rankable = Vec::new();
        for &name in names {
            match why(name) {
                None => rankable.push(name),
                Some(why) => {
                    self.left_out.push(format!("{name} is not ranked: {why}"));
                }
            }
        }
        rankable
    }
}

/// Returns the smallest number of rounds in which a contestant and the first
/// one both have a figure.
fn rounds(
    findings: &Findings<'_>,
    scenario: &Scenario,
    names: &[&str],
    figure: Figure,
) -> usize {
    let rounds = names.iter().map(|name| {
        let ratio = findings.ratio(scenario, [name, names[0]], figure);
        ratio.map_or(0, |ratio| ratio.rounds)
    });
    rounds.min().unwrap_or(0)
}

/// Orders the contestants by score, and compares each with the first one of a
/// place.
fn places(
    findings: &Findings<'_>,
    scenarios: &[&Scenario],
    names: &[&str],
    figure: Figure,
) -> Vec<Place> {
    let value = |scenario: &Scenario, name: &str| {
        let found = findings.estimate(scenario, name, figure);
        found.map_or(f64::NAN, |found| found.value)
    };
    let best = scenarios.iter().map(|scenario| {
        let mut names = names.to_vec();
        names.sort_by(|one, other| {
            let [one, other] = [one, other].map(|name| value(scenario, name));
            figure.better_first(one, other)
        });
        names[0]
    });
    let best: Vec<&str> = best.collect();
    let mut scores: Vec<(&str, Spread)> = names
        .iter()
        .filter_map(|name| {
            let pairs = scenarios.iter().copied().zip(best.iter().copied());
            Some((*name, times_worse(findings, pairs, name, figure)?))
        })
        .collect();
    scores.sort_by(|(_, one), (_, other)| one.value.total_cmp(&other.value));
    let yardstick = yardstick(findings, scenarios, &scores, figure);
    let mut places: Vec<Place> = Vec::new();
    // The first contestant of the current place.
    let mut head = (1, scores.first().map_or("", |(name, _)| *name));
    for (index, (name, score)) in scores.iter().enumerate() {
        let pairs = scenarios.iter().map(|scenario| (*scenario, head.1));
        let apart = times_worse(findings, pairs, name, figure);
        let relation = apart.map(|apart| Relation::of(&apart, &yardstick));
        let mut relation = relation.filter(|_| *name != head.1);
        if relation.as_ref().is_some_and(Relation::is_different) {
            head = (index + 1, name);
            relation = None;
        }
        places.push(Place {
            place: head.0,
            contestant: (*name).to_owned(),
            score: score.estimate(),
            relation,
        });
    }
    places
}

/// Returns what the scores are judged by.
fn yardstick(
    findings: &Findings<'_>,
    scenarios: &[&Scenario],
    scores: &[(&str, Spread)],
    figure: Figure,
) -> Yardstick {
    let own = findings.alias().and_then(|(alias, first)| {
        let pairs = scenarios.iter().map(|scenario| (*scenario, first));
        times_worse(findings, pairs, alias, figure)
    });
    let spreads = scores.iter().map(|(_, spread)| spread).chain(&own);
    let mut family = Family::default();
    spreads.clone().for_each(|spread| family.add(spread));
    Yardstick {
        margin: findings.margin(),
        noise: own.as_ref().map_or(0.0, |own| own.value.ln().abs()),
        typical: bootstrap::typical_error(spreads),
        error: family.error_of_each(),
    }
}

/// Returns how many times worse a contestant is than others: the geometric
/// mean over the scenarios, each with the contestant to compare with.
fn times_worse<'a>(
    findings: &Findings<'_>,
    pairs: impl Iterator<Item = (&'a Scenario, &'a str)>,
    name: &str,
    figure: Figure,
) -> Option<Spread> {
    let ratios = pairs.map(|(scenario, other)| {
        let pair =
            if figure.more_is_better() { [other, name] } else { [name, other] };
        let spread = findings.ratio(scenario, pair, figure)?;
        Some((scenario.base(), spread))
    });
    let ratios: Vec<(&str, Rc<Spread>)> = ratios.collect::<Option<_>>()?;
    let bases: BTreeSet<&str> = ratios.iter().map(|(base, _)| *base).collect();
    let weighted = ratios.iter().map(|(base, spread)| {
        let same = ratios.iter().filter(|(other, _)| other == base).count();
        let weight = 1.0 / (same * bases.len()) as f64;
        (weight, spread.as_ref())
    });
    Spread::mean(&weighted.collect::<Vec<_>>())
}
