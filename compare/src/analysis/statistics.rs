//! What a few rounds allow one to say.

use std::ops::RangeInclusive;

use fastrand::Rng;
use serde::{Deserialize, Serialize};

/// How many times the rounds are drawn again.
const RESAMPLES: usize = 10_000;

/// The share of the resampled medians that the interval holds.
const CONFIDENCE: f64 = 0.95;

/// A median, and its bootstrap interval. It is meant to hold the true median in
/// 95 of 100 cases; but of five rounds or fewer it can't do better than span
/// them all, which five do in 94 of 100 cases and three in 75. Of seven it
/// leaves out the outermost two, and holds it in 87.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) struct Estimate {
    /// The median of the rounds.
    pub(crate) median: f64,
    /// The lower end of the interval.
    pub(crate) low: f64,
    /// Its upper end.
    pub(crate) high: f64,
}

impl Estimate {
    /// The median of `values` with its percentile-bootstrap interval; `None`
    /// without values. The same seed gives the same interval.
    pub(crate) fn of(values: &[f64], seed: u64) -> Option<Estimate> {
        let mut sorted = values.to_vec();
        let middle = median(&mut sorted)?;
        let mut sample = sorted.clone();
        let resample = |random: &mut Rng| {
            redraw(&mut sample, &sorted, random);
            median(&mut sample)
        };
        Some(Estimate::bootstrap(middle, seed, resample))
    }

    /// The median of `over` by that of `under`, where the two know nothing of
    /// each other, such as the rounds of two runs: each is drawn again by
    /// itself. `None` without values of either.
    pub(crate) fn of_quotient(
        over: &[f64],
        under: &[f64],
        seed: u64,
    ) -> Option<Estimate> {
        let [mut over, mut under] = [over.to_vec(), under.to_vec()];
        let middle = quotient(median(&mut over)?, median(&mut under)?);
        let [mut upper, mut lower] = [over.clone(), under.clone()];
        let resample = |random: &mut Rng| {
            redraw(&mut upper, &over, random);
            redraw(&mut lower, &under, random);
            Some(quotient(median(&mut upper)?, median(&mut lower)?))
        };
        Some(Estimate::bootstrap(middle, seed, resample))
    }

    /// A statistic with its percentile-bootstrap interval; `resample` works it
    /// out once more from values that were drawn again, and must have some.
    pub(crate) fn bootstrap(
        middle: f64,
        seed: u64,
        mut resample: impl FnMut(&mut Rng) -> Option<f64>,
    ) -> Estimate {
        let mut random = Rng::with_seed(seed);
        let mut drawn: Vec<f64> = (0..RESAMPLES)
            .map(|_| resample(&mut random).unwrap_or(middle))
            .collect();
        drawn.sort_by(f64::total_cmp);
        let cut = (RESAMPLES as f64 * (1.0 - CONFIDENCE) / 2.0) as usize;
        let (low, high) = (drawn[cut], drawn[RESAMPLES - 1 - cut]);
        Estimate { median: middle, low, high }
    }

    /// The interval.
    pub(crate) fn interval(&self) -> RangeInclusive<f64> {
        self.low..=self.high
    }
}

/// Draws as many of the values as there are, each as often as it comes.
pub(crate) fn redraw<T: Copy>(sample: &mut [T], from: &[T], random: &mut Rng) {
    sample.fill_with(|| from[random.usize(..from.len())]);
}

/// A ratio of two figures that may both be 0, and are equal then.
fn quotient(over: f64, under: f64) -> f64 {
    if over == under { 1.0 } else { over / under }
}

/// The median; sorts the values.
pub(crate) fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(values[middle - 1], upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_lies_in_the_middle() {
        let cases: [(&[f64], Option<f64>); 4] = [
            (&[], None),
            (&[7.0], Some(7.0)),
            (&[3.0, 1.0, 2.0], Some(2.0)),
            (&[4.0, 1.0, 3.0, 2.0], Some(2.5)),
        ];
        for (values, expected) in cases {
            assert_eq!(median(&mut values.to_vec()), expected);
        }
    }

    #[test]
    fn the_interval_of_five_is_known() {
        // A resampled median of five is the smallest value only if three of
        // five draws are: 5.8 % > 2.5 %. So the interval is all of them.
        let estimate = Estimate::of(&[3.0, 1.0, 5.0, 2.0, 4.0], 1).unwrap();
        let all = Estimate { median: 3.0, low: 1.0, high: 5.0 };
        assert_eq!(estimate, all);
    }

    #[test]
    fn the_interval_of_seven_leaves_out_the_lowest_and_the_highest() {
        // Four of seven draws are the smallest value in 1.0 % of cases.
        let values = [1.0, 5.0, 2.0, 7.0, 4.0, 6.0, 3.0];
        let estimate = Estimate::of(&values, 1).unwrap();
        assert_eq!(estimate.interval(), 2.0..=6.0);
    }

    #[test]
    fn the_interval_of_many_values_leaves_out_the_outliers() {
        let mut values: Vec<f64> = (0..99).map(f64::from).collect();
        values.push(1e9);
        let estimate = Estimate::of(&values, 1).unwrap();
        assert_eq!(estimate.median, 49.5);
        assert!(estimate.low > 30.0 && estimate.low < 49.5, "{estimate:?}");
        assert!(estimate.high > 49.5 && estimate.high < 70.0, "{estimate:?}");
    }

    #[test]
    fn the_interval_of_equal_values_is_a_point() {
        let estimate = Estimate::of(&[2.0; 5], 1).unwrap();
        assert_eq!(estimate.interval(), 2.0..=2.0);
    }

    #[test]
    fn a_quotient_draws_both_sides_by_themselves() {
        // Rounds that rise and fall together: as pairs they would give a
        // point, as two runs they don't.
        let values = [1.0, 2.0, 3.0, 4.0, 5.0];
        let alone = Estimate::of_quotient(&values, &values, 1).unwrap();
        assert_eq!(alone.median, 1.0);
        assert!(alone.low < 0.6 && alone.high > 1.6, "{alone:?}");
        let cases: [(&[f64], &[f64], f64); 4] = [
            (&[4.0; 5], &[2.0; 5], 2.0),
            (&[0.0; 5], &[0.0; 5], 1.0),
            (&[0.0; 5], &[3.0; 5], 0.0),
            (&[3.0; 5], &[0.0; 5], f64::INFINITY),
        ];
        for (over, under, expected) in cases {
            let quotient = Estimate::of_quotient(over, under, 1).unwrap();
            assert_eq!(quotient.interval(), expected..=expected);
        }
        assert_eq!(Estimate::of_quotient(&[], &[1.0], 1), None);
    }

    #[test]
    fn two_runs_of_the_same_seldom_differ() {
        let mut random = Rng::with_seed(1);
        // About ten per cent from round to round, as a sum of many things.
        let mut round = || {
            let sum: f64 = (0..12).map(|_| random.f64()).sum();
            1.0 + (sum - 6.0) * 0.1
        };
        for (rounds, misses_max) in [(3, 7), (5, 5), (10, 5)] {
            let mut run = || (0..rounds).map(|_| round()).collect::<Vec<_>>();
            let misses = (0..30).filter(|&seed| {
                let times = Estimate::of_quotient(&run(), &run(), seed);
                !times.unwrap().interval().contains(&1.0)
            });
            let misses = misses.count();
            assert!(misses <= misses_max, "{rounds}: {misses} of 30");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_interval() {
        let values = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];
        for seed in 0..10 {
            let first = Estimate::of(&values, seed);
            assert_eq!(first, Estimate::of(&values, seed));
        }
    }
}
