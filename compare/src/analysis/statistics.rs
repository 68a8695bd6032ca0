//! Medians and their bootstrap intervals.

use std::ops::RangeInclusive;

use fastrand::Rng;
use serde::{Deserialize, Serialize};

/// The number of bootstrap resamples.
const RESAMPLES: usize = 10_000;

/// The share of the resampled medians that the interval contains.
const CONFIDENCE: f64 = 0.95;

/// A median and its percentile-bootstrap interval.
///
/// The interval is nominally 95 %. With five rounds or fewer, it spans all of
/// them, and contains the true median in 94 of 100 cases with five rounds, and
/// in 75 with three. With seven rounds, it leaves out the lowest and the
/// highest, and contains the true median in 87 of 100 cases.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) struct Estimate {
    /// The median of the rounds.
    pub(crate) median: f64,
    /// The lower end of the interval.
    pub(crate) low: f64,
    /// The upper end of the interval.
    pub(crate) high: f64,
}

impl Estimate {
    /// Returns the median of `values` with its percentile-bootstrap interval,
    /// or `None` if there are no values. The same seed gives the same interval.
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

    /// Returns the median of `over` divided by that of `under`, for independent
    /// values such as the rounds of two runs: each side is resampled by itself.
    /// Returns `None` if either side has no values.
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

    /// Returns the statistic `middle` with its percentile-bootstrap interval.
    /// `resample` computes the statistic of resampled values; there must be at
    /// least one value.
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

    /// Returns the interval as a range.
    pub(crate) fn interval(&self) -> RangeInclusive<f64> {
        self.low..=self.high
    }
}

/// Fills `sample` with random values of `from`, with replacement.
pub(crate) fn redraw<T: Copy>(sample: &mut [T], from: &[T], random: &mut Rng) {
    sample.fill_with(|| from[random.usize(..from.len())]);
}

/// Divides two figures; 0 divided by 0 is 1, because they are equal.
fn quotient(over: f64, under: f64) -> f64 {
    if over == under { 1.0 } else { over / under }
}

/// Sorts the values and returns their median, or `None` if there are none.
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
    fn the_median_is_the_middle_value_or_the_mean_of_the_middle_two() {
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
    fn the_interval_of_five_values_spans_all_of_them() {
        // The resampled median of five values is the smallest one if at least
        // three of five draws are: in 5.8 % of cases, which is more than 2.5 %.
        let estimate = Estimate::of(&[3.0, 1.0, 5.0, 2.0, 4.0], 1).unwrap();
        let all = Estimate { median: 3.0, low: 1.0, high: 5.0 };
        assert_eq!(estimate, all);
    }

    #[test]
    fn the_interval_of_seven_values_leaves_out_the_lowest_and_the_highest() {
        // At least four of seven draws are the smallest value in 1.0 % of
        // cases, which is less than 2.5 %.
        let values = [1.0, 5.0, 2.0, 7.0, 4.0, 6.0, 3.0];
        let estimate = Estimate::of(&values, 1).unwrap();
        assert_eq!(estimate.interval(), 2.0..=6.0);
    }

    #[test]
    fn the_interval_of_many_values_excludes_an_outlier() {
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
    fn both_sides_of_a_quotient_are_resampled_independently() {
        // Both sides have the same values. Resampled as pairs, the interval
        // would be a point.
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
    fn two_runs_of_the_same_server_rarely_differ() {
        let mut random = Rng::with_seed(1);
        // Rounds differ by about ten per cent; nearly normally distributed.
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
