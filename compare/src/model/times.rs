//! Service and response times, as a histogram that is kept in the record.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// The longest time that a histogram can store; longer ones count as this
/// long.
const TIME_MAX_NS: u64 = 3_600_000_000_000;

/// The precision of a histogram, in decimal digits.
const SIGNIFICANT_DIGITS: u8 = 3;

/// A histogram of times in nanoseconds, stored without loss: the value and the
/// count of each bucket that isn't empty.
#[derive(
    schemars::JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize,
)]
pub(crate) struct Times {
    significant_digits: u8,
    counts: Vec<(u64, u64)>,
}

impl Times {
    /// Returns an empty histogram. All histograms of this crate have the same
    /// buckets, so that any two can be added.
    pub(crate) fn recorder() -> Histogram<u64> {
        Histogram::new_with_bounds(1, TIME_MAX_NS, SIGNIFICANT_DIGITS)
            .expect("the bounds and the precision are in range")
    }

    /// Returns the time at this quantile, or `None` if the histogram is empty.
    pub(crate) fn at_quantile_ns(&self, quantile: f64) -> Option<u64> {
        let histogram = self.to_histogram();
        let some = !histogram.is_empty();
        some.then(|| histogram.value_at_quantile(quantile))
    }

    /// Returns the number of recorded times.
    pub(crate) fn count(&self) -> u64 {
        self.counts.iter().map(|(_, count)| count).sum()
    }

    /// Adds the times of another histogram, without loss, as both have the same
    /// buckets.
    pub(crate) fn add(&mut self, other: &Times) {
        let mut counts: BTreeMap<u64, u64> =
            self.counts.iter().copied().collect();
        for &(value, count) in &other.counts {
            let sum = counts.entry(value).or_default();
            *sum = sum.saturating_add(count);
        }
        self.counts = counts.into_iter().collect();
    }

    fn to_histogram(&self) -> Histogram<u64> {
        let mut histogram = Times::recorder();
        for &(value, count) in &self.counts {
            histogram.saturating_record_n(value, count);
        }
        histogram
    }
}

impl From<&Histogram<u64>> for Times {
    fn from(histogram: &Histogram<u64>) -> Times {
        let counts = histogram
            .iter_recorded()
            .map(|step| {
                let value = step.value_iterated_to();
                (value, step.count_since_last_iteration())
            })
            .collect();
        Times { significant_digits: histogram.sigfig(), counts }
    }
}

#[cfg(test)]
impl Times {
    /// Returns the histogram of these pairs of a time in nanoseconds and a
    /// count.
    pub(crate) fn of(counts: &[(u64, u64)]) -> Times {
        let counts = counts.to_vec();
        Times { significant_digits: SIGNIFICANT_DIGITS, counts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_survives_a_round_trip() {
        let mut histogram = Times::recorder();
        for value in [1, 900, 12_345, 50_000_000, 50_000_001, TIME_MAX_NS] {
            histogram.record_n(value, value % 7 + 1).unwrap();
        }
        let times = Times::from(&histogram);
        assert_eq!(times.to_histogram(), histogram);
    }

    #[test]
    fn a_sum_of_histograms_equals_the_histogram_of_all_values() {
        for seed in 0..200 {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut all = Times::recorder();
            let mut sum = Times::from(&Times::recorder());
            for _ in 0..random.usize(1..5) {
                let mut part = Times::recorder();
                for _ in 0..random.usize(..400) {
                    // All magnitudes, beyond the longest time, too.
                    let value = random.u64(..) >> random.u32(..64);
                    part.saturating_record(value);
                    all.saturating_record(value);
                }
                sum.add(&Times::from(&part));
            }
            assert_eq!(sum, Times::from(&all), "seed {seed}");
            for quantile in [0.0, 0.01, 0.5, 0.9, 0.99, 0.999, 1.0] {
                let expected =
                    (!all.is_empty()).then(|| all.value_at_quantile(quantile));
                assert_eq!(sum.at_quantile_ns(quantile), expected);
            }
        }
    }

    #[test]
    fn an_empty_histogram_has_no_quantile() {
        let times = Times::from(&Times::recorder());
        assert_eq!(times.at_quantile_ns(0.5), None);
    }
}
