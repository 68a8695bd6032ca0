//! The ranking of a run's contestants by one figure.

use std::collections::BTreeMap;

use fastrand::Rng;

use crate::analysis::difference::{self, ROUNDS_MIN};
use crate::analysis::findings::Findings;
use crate::analysis::statistics::{Estimate, median, redraw};
use crate::model::figure::Figure;
use crate::model::record::Record;
use crate::model::scenarios::Scenario;

/// The ranking by one figure.
pub(crate) struct Ranking {
    pub(crate) figure: Figure,
    /// The scenarios that it is based on.
    pub(crate) scenarios: Vec<String>,
    /// Place, contestant and score, the best first.
    pub(crate) places: Vec<(usize, String, Estimate)>,
    /// The contestants and scenarios that are left out, with the reasons.
    pub(crate) left_out: Vec<String>,
}

/// The figures of the ranked contestants in one scenario, by contestant and
/// round. All contestants have the same rounds.
struct Rounds<'a> {
    scenario: &'a Scenario,
    values: BTreeMap<&'a str, Vec<f64>>,
}

impl Ranking {
    /// Ranks contestants by a figure. Returns `None` if no scenario shows it.
    pub(crate) fn of(
        record: &Record,
        scenarios: &[&Scenario],
        names: &[&str],
        figure: Figure,
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
        let mut rounds = Vec::new();
        for scenario in scenarios.into_iter().filter(|_| !names.is_empty()) {
            match common_rounds(record, scenario, &names, figure) {
                Ok(values) => rounds.push(Rounds { scenario, values }),
                Err(why) => {
                    let line = format!("{} is left out: {why}", scenario.name);
                    ranking.left_out.push(line);
                }
            }
        }
        ranking.scenarios =
            rounds.iter().map(|r| r.scenario.name.clone()).collect();
        if !rounds.is_empty() {
            ranking.places = places(record, &rounds, &names, figure);
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

/// Returns the figures of the rounds that all contestants have.
fn common_rounds<'a>(
    record: &Record,
    scenario: &Scenario,
    names: &[&'a str],
    figure: Figure,
) -> Result<BTreeMap<&'a str, Vec<f64>>, String> {
    let of = names.iter().map(|&name| {
        // A round without a reply would be a division by 0.
        let mut figures = record.figure(scenario, name, figure);
        figures.retain(|_, value| *value > 0.0);
        (name, figures)
    });
    let of: BTreeMap<&str, BTreeMap<u64, f64>> = of.collect();
    let Some(first) = of.values().next() else {
        return Ok(BTreeMap::new());
    };
    let is_common =
        |round: &&u64| of.values().all(|rounds| rounds.contains_key(*round));
    let common: Vec<u64> = first.keys().filter(is_common).copied().collect();
    if common.len() < ROUNDS_MIN {
        return Err(format!(
            "too few rounds in which all contestants have a figure: {}",
            common.len()
        ));
    }
    let pick = |rounds: &BTreeMap<u64, f64>| {
        common.iter().map(|round| rounds[round]).collect()
    };
    Ok(of.iter().map(|(name, rounds)| (*name, pick(rounds))).collect())
}

/// Orders the contestants by score. Contestants that tie with the first of a
/// place share it.
fn places(
    record: &Record,
    rounds: &[Rounds<'_>],
    names: &[&str],
    figure: Figure,
) -> Vec<(usize, String, Estimate)> {
    let floor = floor(record, rounds, figure);
    let best: Vec<&str> =
        rounds.iter().map(|rounds| rounds.best(names, figure)).collect();
    let score = |name: &str| {
        let pairs: Vec<_> = rounds.iter().zip(best.iter().copied()).collect();
        times_worse(&pairs, name, figure, record.seed)
    };
    let mut scores: Vec<(&str, Estimate)> =
        names.iter().map(|name| (*name, score(name))).collect();
    // Sort by the medians, as in the table, not by the ratios within rounds, so
    // that the contestant with the best figure comes first here, too.
    let apart = |name: &str| {
        let logs = rounds.iter().zip(&best).map(|(rounds, best)| {
            let [one, best] = [name, best].map(|n| rounds.median(n));
            let log = (one / best).ln();
            let log = if figure.more_is_better() { -log } else { log };
            (rounds.scenario.base(), log)
        });
        mean_by_base(logs)
    };
    scores.sort_by(|(one, _), (other, _)| apart(one).total_cmp(&apart(other)));
    let mut places: Vec<(usize, String, Estimate)> = Vec::new();
    // The first contestant of the current place.
    let mut head = (1, scores[0].0);
    for (index, (name, score)) in scores.into_iter().enumerate() {
        let pairs: Vec<_> = rounds.iter().map(|r| (r, head.1)).collect();
        let apart = times_worse(&pairs, name, figure, record.seed);
        if !difference::is_tie(&apart, floor) {
            head = (index + 1, name);
        }
        places.push((head.0, name.to_owned(), score));
    }
    places
}

/// Returns the mean noise floor of the scenarios. It isn't lowered for the
/// number of scenarios: that would require the noise to be independent between
/// them, which is unknown.
fn floor(record: &Record, rounds: &[Rounds<'_>], figure: Figure) -> f64 {
    let findings = Findings::of(record);
    let logs: Vec<(&str, f64)> = rounds
        .iter()
        .filter_map(|rounds| {
            let floor = findings.noise_floor(rounds.scenario, figure)?;
            Some((rounds.scenario.base(), floor.ln_1p()))
        })
        .collect();
    // If no contestant took part twice, ties depend only on the intervals.
    if logs.is_empty() { 0.0 } else { mean_by_base(logs.into_iter()).exp_m1() }
}

/// Returns how many times worse a contestant is than others: the geometric
/// mean over the scenarios, each with the contestant to compare with.
fn times_worse(
    rounds: &[(&Rounds<'_>, &str)],
    name: &str,
    figure: Figure,
    seed: u64,
) -> Estimate {
    let logs: Vec<(&str, Vec<f64>)> = rounds
        .iter()
        .map(|(rounds, other)| {
            let logs = rounds.log_ratios(name, other, figure);
            (rounds.scenario.base(), logs)
        })
        .collect();
    let score = |logs: &[(&str, Vec<f64>)]| {
        let medians = logs.iter().filter_map(|(base, logs)| {
            Some((*base, median(&mut logs.clone())?))
        });
        mean_by_base(medians).exp()
    };
    let mut drawn = logs.clone();
    // The rounds of each scenario are resampled independently: what changes
    // from round to round affects both sides of a ratio, and so cancels out.
    let resample = |random: &mut Rng| {
        for ((_, sample), (_, from)) in drawn.iter_mut().zip(&logs) {
            redraw(sample, from, random);
        }
        Some(score(&drawn))
    };
    Estimate::bootstrap(score(&logs), seed, resample)
}

impl Rounds<'_> {
    /// Returns the logarithm, by round, of how many times worse one contestant
    /// is than another.
    fn log_ratios(&self, name: &str, other: &str, figure: Figure) -> Vec<f64> {
        let pairs = self.values[name].iter().zip(&self.values[other]);
        let logs = pairs.map(|(value, other)| (value / other).ln());
        if figure.more_is_better() {
            logs.map(|log| -log).collect()
        } else {
            logs.collect()
        }
    }

    /// Returns the contestant with the best median.
    fn best<'n>(&self, names: &[&'n str], figure: Figure) -> &'n str {
        let mut names = names.to_vec();
        names.sort_by(|one, other| {
            figure.better_first(self.median(one), self.median(other))
        });
        names[0]
    }

    fn median(&self, name: &str) -> f64 {
        median(&mut self.values[name].clone()).unwrap_or(f64::NAN)
    }
}

/// Returns the mean over the values of each sweep, and then over the scenarios.
fn mean_by_base<'a>(values: impl Iterator<Item = (&'a str, f64)>) -> f64 {
    let mut by_base: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (base, value) in values {
        by_base.entry(base).or_default().push(value);
    }
    let mean =
        |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let means: Vec<f64> = by_base.values().map(|v| mean(v)).collect();
    mean(&means)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_has_the_weight_of_one_scenario() {
        let values = [("a", 1.0), ("b", 4.0), ("b", 5.0), ("b", 6.0)];
        assert_eq!(mean_by_base(values.into_iter()), 3.0);
    }
}
