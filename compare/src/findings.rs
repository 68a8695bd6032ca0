//! What a run says: estimates, noise, ties, and who held whom up.

use std::collections::BTreeMap;

use crate::load::report::BUSY_SHARE;
use crate::record::{Record, ratios};
use crate::scenarios::{Figure, Scenario};
use crate::statistics::{Estimate, median};

/// Of fewer rounds, nobody should be called faster or slower.
const ROUNDS_FOR_A_VERDICT: usize = 3;

/// How one contestant's figure stands to the best one's.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Standing {
    /// No difference that is more than noise.
    Tied,
    /// This many times as much.
    Times(Estimate),
}

/// A record, read.
pub(crate) struct Findings<'a> {
    record: &'a Record,
}

impl<'a> Findings<'a> {
    /// Of this run.
    pub(crate) fn of(record: &'a Record) -> Findings<'a> {
        Findings { record }
    }

    /// A figure of one contestant.
    pub(crate) fn estimate(
        &self,
        scenario: &Scenario,
        entrant: &str,
        figure: Figure,
    ) -> Option<Estimate> {
        let values = self.record.figure(scenario, entrant, figure);
        self.estimate_of(&values)
    }

    /// How far apart two runs of the same server came out, as a share: what
    /// is less is noise.
    pub(crate) fn noise_floor(
        &self,
        scenario: &Scenario,
        figure: Figure,
    ) -> Option<f64> {
        let (again, first) = self.twin()?;
        let ratios = ratios(
            &self.record.figure(scenario, again, figure),
            &self.record.figure(scenario, first, figure),
        );
        let Estimate { low, high, .. } = self.estimate_of(&ratios)?;
        Some(distance(low).max(distance(high)).exp_m1())
    }

    /// The entrant that takes part a second time, and who it is.
    pub(crate) fn twin(&self) -> Option<(&'a str, &'a str)> {
        self.record.entrants.iter().find_map(|entrant| {
            let first = entrant.again.as_deref()?;
            Some((entrant.contestant.name.as_str(), first))
        })
    }

    /// How `other` stands to `best`, by the ratio of each round.
    pub(crate) fn standing(
        &self,
        scenario: &Scenario,
        other: &str,
        best: &str,
        figure: Figure,
    ) -> Option<Standing> {
        let ratios = ratios(
            &self.record.figure(scenario, other, figure),
            &self.record.figure(scenario, best, figure),
        );
        if ratios.len() < ROUNDS_FOR_A_VERDICT {
            return None;
        }
        let times = self.estimate_of(&ratios)?;
        let floor = self.noise_floor(scenario, figure).unwrap_or(0.0);
        Some(tied_or(times, floor))
    }

    /// The share of its core that the load generator was on, if that was so
    /// high that the rate is only a lower bound.
    pub(crate) fn busy_generator(
        &self,
        scenario: &Scenario,
        entrant: &str,
    ) -> Option<f64> {
        let cell = self.record.cell(&scenario.name, entrant)?;
        let rounds = cell.rounds.iter();
        let mut shares: Vec<f64> =
            rounds.map(|round| round.report.generator_share()).collect();
        median(&mut shares).filter(|share| *share > BUSY_SHARE)
    }

    fn estimate_of(&self, by_round: &BTreeMap<u64, f64>) -> Option<Estimate> {
        let values: Vec<f64> = by_round.values().copied().collect();
        Estimate::of(&values, self.record.seed)
    }
}

/// How far a ratio is from 1: as far as its inverse, and without a limit on
/// either side.
fn distance(ratio: f64) -> f64 {
    ratio.ln().abs()
}

fn tied_or(times: Estimate, floor: f64) -> Standing {
    let in_the_noise = distance(times.median) < floor.ln_1p();
    if in_the_noise || times.interval().contains(&1.0) {
        Standing::Tied
    } else {
        Standing::Times(times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_counts_only_clear_of_one_and_of_the_noise() {
        let estimate = |median, low, high| Estimate { median, low, high };
        let cases = [
            (estimate(0.80, 0.75, 0.85), 0.05, false),
            (estimate(0.80, 0.75, 1.01), 0.05, true),
            (estimate(0.97, 0.96, 0.98), 0.05, true),
            (estimate(1.30, 1.20, 1.40), 0.05, false),
            (estimate(1.30, 1.20, 1.40), 0.40, true),
            (estimate(0.45, 0.40, 0.50), 0.60, false),
            (estimate(0.001, 0.001, 0.002), 5.0, false),
        ];
        for (times, floor, tied) in cases {
            let standing = tied_or(times, floor);
            assert_eq!(standing == Standing::Tied, tied, "{times:?}");
        }
    }
}
