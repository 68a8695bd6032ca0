//! What a few rounds allow one to say.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// How many times the rounds are drawn again.
const RESAMPLES: usize = 10_000;

/// The share of the resampled medians that the interval holds.
const CONFIDENCE: f64 = 0.95;

/// A median, and its bootstrap interval. It is meant to hold the true median in
/// 95 of 100 cases; but of five rounds or fewer it can't do better than span
/// them all, which five do in 94 of 100 cases and three in 75.
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
        let mut random = fastrand::Rng::with_seed(seed);
        let mut sample = sorted.clone();
        let mut medians: Vec<f64> = (0..RESAMPLES)
            .filter_map(|_| {
                sample.fill_with(|| sorted[random.usize(..sorted.len())]);
                median(&mut sample)
            })
            .collect();
        medians.sort_by(f64::total_cmp);
        let cut = (RESAMPLES as f64 * (1.0 - CONFIDENCE) / 2.0) as usize;
        Some(Estimate {
            median: middle,
            low: medians[cut],
            high: medians[RESAMPLES - 1 - cut],
        })
    }

    /// The interval.
    pub(crate) fn interval(&self) -> RangeInclusive<f64> {
        self.low..=self.high
    }
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
    fn the_same_seed_gives_the_same_interval() {
        let values = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];
        for seed in 0..10 {
            let first = Estimate::of(&values, seed);
            assert_eq!(first, Estimate::of(&values, seed));
        }
    }
}
