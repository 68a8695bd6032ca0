//! Values with 95 % intervals, and the distributions that they depend on.

use std::collections::BTreeMap;
use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

/// The probability that an interval does not contain the true value.
pub(crate) const ERROR: f64 = 0.05;

/// The largest value that [`student_quantile`] returns.
const QUANTILE_MAX: f64 = 1e6;

/// From so many rounds on, the true median of rounds lies between the lowest and
/// the highest of them in 96 of 100 cases, whatever the distribution: it does
/// not if all are on the same side of it, with the probability 2^(1 - rounds).
const ROUNDS_THAT_BOUND: usize = 6;

/// The number of halvings that find a quantile exactly.
const HALVINGS: usize = 80;

/// A value and its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) struct Estimate {
    /// The value.
    pub(crate) value: f64,
    /// The lower end of the interval.
    pub(crate) low: f64,
    /// The upper end of the interval.
    pub(crate) high: f64,
}

impl Estimate {
    /// Returns a value whose interval is a point.
    pub(crate) fn exact(value: f64) -> Estimate {
        Estimate { value, low: value, high: value }
    }

    /// Returns a value whose interval extends by `half` to both sides on a log
    /// scale. A value of 0 or infinity has no width there.
    pub(crate) fn within(value: f64, half: f64) -> Estimate {
        if value == 0.0 || !value.is_finite() {
            return Estimate::exact(value);
        }
        let factor = half.exp();
        Estimate { value, low: value / factor, high: value * factor }
    }

    /// Returns the estimate with an interval that does not extend beyond the
    /// values of the rounds, if these are enough.
    ///
    /// On a log scale, an interval would otherwise extend over many orders of
    /// magnitude if a few rounds are close to zero.
    pub(crate) fn within_rounds(self, rounds: &BTreeMap<u64, f64>) -> Estimate {
        if rounds.len() < ROUNDS_THAT_BOUND {
            return self;
        }
        let lowest = rounds.values().copied().fold(self.value, f64::min);
        let highest = rounds.values().copied().fold(self.value, f64::max);
        let [low, high] = [self.low.max(lowest), self.high.min(highest)];
        Estimate { low, high, ..self }
    }

    /// Returns how far the interval extends from the value, as a share of the
    /// value: 0.02 for ±2 %.
    pub(crate) fn half_width(&self) -> f64 {
        if self.low == self.high {
            return 0.0;
        }
        (self.high / self.low).sqrt() - 1.0
    }
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

/// Returns the value that a quantity with Student's t distribution exceeds, in
/// either direction, with the probability `both_tails`. With 0 degrees of
/// freedom, nothing is known, so the value is infinite.
pub(crate) fn student_quantile(degrees: usize, both_tails: f64) -> f64 {
    if degrees == 0 {
        return f64::INFINITY;
    }
    let (mut low, mut high) = (0.0, QUANTILE_MAX);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if student_tails(degrees, middle) > both_tails {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// Returns the probability that a quantity with Student's t distribution is
/// farther from 0 than `t`.
///
/// The finite series are equations 26.7.3 and 26.7.4 in Abramowitz and Stegun,
/// "Handbook of Mathematical Functions".
pub(crate) fn student_tails(degrees: usize, t: f64) -> f64 {
    let angle = (t / (degrees as f64).sqrt()).atan();
    let (sine, cosine) = angle.sin_cos();
    let is_odd = degrees % 2 == 1;
    let mut term = if is_odd { cosine } else { 1.0 };
    let mut sum = if degrees == 1 { 0.0 } else { term };
    let mut step = if is_odd { 3 } else { 2 };
    while step < degrees {
        term *= cosine * cosine * (step - 1) as f64 / step as f64;
        sum += term;
        step += 2;
    }
    let within =
        if is_odd { (angle + sine * sum) * 2.0 / PI } else { sine * sum };
    (1.0 - within).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_does_not_extend_beyond_the_rounds() {
        let rounds = |values: &[f64]| -> BTreeMap<u64, f64> {
            (1..).zip(values.iter().copied()).collect()
        };
        let wide = Estimate { value: 2.0, low: 1e-9, high: 1e9 };
        let few = [0.0, 1.0, 2.0, 2.0, 7.0];
        assert_eq!(wide.within_rounds(&rounds(&few)), wide);
        let enough = [0.0, 1.0, 2.0, 2.0, 3.0, 7.0];
        let expected = Estimate { value: 2.0, low: 1e-9, high: 7.0 };
        assert_eq!(wide.within_rounds(&rounds(&enough)), expected);
        // A narrow interval stays what it is, and the value is always in it.
        let narrow = Estimate { value: 2.0, low: 1.9, high: 2.1 };
        assert_eq!(narrow.within_rounds(&rounds(&enough)), narrow);
        let expected = Estimate { value: 2.0, low: 2.0, high: 2.1 };
        assert_eq!(narrow.within_rounds(&rounds(&[3.0; 6])), expected);
    }

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
    fn quantiles_are_those_of_printed_tables() {
        let cases = [
            (1, 0.05, 12.706),
            (2, 0.05, 4.303),
            (3, 0.05, 3.182),
            (4, 0.01, 4.604),
            (7, 0.05, 2.365),
            (7, 0.01, 3.499),
            (30, 0.05, 2.042),
            (120, 0.05, 1.980),
        ];
        for (degrees, tails, expected) in cases {
            let found = student_quantile(degrees, tails);
            assert!((found - expected).abs() < 0.001, "{degrees}: {found}");
        }
        assert_eq!(student_quantile(0, 0.05), f64::INFINITY);
    }

    #[test]
    fn an_interval_extends_by_the_same_factor_to_both_sides() {
        let estimate = Estimate::within(2.0, 0.1);
        assert!((estimate.low - 1.8097).abs() < 1e-4);
        assert!((estimate.high - 2.2103).abs() < 1e-4);
        assert!((estimate.half_width() - 0.1052).abs() < 1e-4);
        for value in [0.0, f64::INFINITY] {
            let point = Estimate::within(value, 0.1);
            assert_eq!(point, Estimate::exact(value));
            assert_eq!(point.half_width(), 0.0);
        }
    }
}
