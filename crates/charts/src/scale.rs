//! Axes: maps figures to positions, and chooses round ticks.

use crate::unit::Unit;

/// The ratio between the largest and the smallest figure above which an axis is
/// logarithmic.
const LOG_RATIO_MIN: f64 = 12.0;

/// The room for the value 0, in front of a logarithmic axis.
const ROOM_FOR_ZERO: f64 = 13.0;

/// An axis of a chart.
#[derive(Clone, Debug)]
pub struct Scale {
    low: f64,
    high: f64,
    /// The position of `low`, or of 0 if `has_zero`.
    start: f64,
    /// The position of `high`.
    end: f64,
    is_log: bool,
    /// Whether a logarithmic axis has room for 0.
    has_zero: bool,
}

/// Whether an axis must show 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zero {
    /// No. For charts that compare the positions of points, not the lengths of
    /// bars: differences are easier to see without 0.
    Free,
    /// Yes, and equal distances must mean equal differences. For quantities
    /// that add up, such as memory.
    Shown,
}

impl Scale {
    /// Returns an axis from position `start` to position `end` that shows all
    /// values. `start` may be larger than `end`.
    pub fn fit(
        values: impl Iterator<Item = f64>,
        unit: Unit,
        zero: Zero,
        [start, end]: [f64; 2],
    ) -> Scale {
        let values: Vec<f64> = values.filter(|v| v.is_finite()).collect();
        let positive = || values.iter().copied().filter(|v| *v > 0.0);
        let least = positive().fold(f64::INFINITY, f64::min);
        let most = positive().fold(0.0, f64::max);
        let has_zero = values.iter().any(|value| *value <= 0.0);
        if most == 0.0 {
            let (low, high, is_log) = (0.0, 1.0, false);
            return Scale { low, high, start, end, is_log, has_zero: false };
        }
        if most / least > LOG_RATIO_MIN && zero == Zero::Free {
            let (low, high) = (least / 1.12, most * 1.12);
            let is_log = true;
            return Scale { low, high, start, end, is_log, has_zero };
        }
        let from_zero = has_zero || zero == Zero::Shown || least < most / 2.0;
        let pad = if from_zero { most * 0.05 } else { (most - least) * 0.08 };
        let pad = if pad > 0.0 { pad } else { most * 0.05 };
        let low = if from_zero { 0.0 } else { least - pad };
        // An axis of shares extends to the whole.
        let natural = if unit == Unit::Share { 1.0 } else { 0.0 };
        let high = (most + pad).max(natural);
        let (is_log, has_zero) = (false, false);
        Scale { low, high, start, end, is_log, has_zero }
    }

    /// Returns the position of a value.
    pub fn at(&self, value: f64) -> f64 {
        if !self.is_log {
            let share = (value - self.low) / (self.high - self.low);
            return self.start + share * (self.end - self.start);
        }
        if value <= 0.0 {
            return self.start;
        }
        let share = (value / self.low).ln() / (self.high / self.low).ln();
        let start = self.start_of_log();
        start + share.clamp(0.0, 1.0) * (self.end - start)
    }

    /// Returns round values on the axis, about `about` of them at most.
    pub fn ticks(&self, unit: Unit, about: usize) -> Vec<f64> {
        let base = unit.base(self.high);
        let (low, high) = (self.low / base, self.high / base);
        let ticks = if self.is_log {
            let mut ticks = log_ticks(low, high, about);
            if self.has_zero {
                ticks.insert(0, 0.0);
            }
            ticks
        } else {
            linear_ticks(low, high, about)
        };
        ticks.into_iter().map(|tick| tick * base).collect()
    }

    /// Returns `true` if equal distances mean equal ratios.
    pub fn is_log(&self) -> bool {
        self.is_log
    }

    /// Returns the positions of the two ends.
    pub fn ends(&self) -> [f64; 2] {
        [self.start, self.end]
    }

    /// Returns the position of `low` on a logarithmic axis.
    fn start_of_log(&self) -> f64 {
        if !self.has_zero {
            return self.start;
        }
        self.start + ROOM_FOR_ZERO * (self.end - self.start).signum()
    }
}

/// Returns multiples of 1, 2 or 5 times a power of ten.
fn linear_ticks(low: f64, high: f64, about: usize) -> Vec<f64> {
    let rough = (high - low) / about as f64;
    let power = 10_f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    let step = steps.into_iter().find(|step| *step >= rough);
    let step = step.unwrap_or(10.0 * power);
    let first = (low / step).ceil() as i64;
    let last = (high / step).floor() as i64;
    (first..=last).map(|count| count as f64 * step).collect()
}

/// Returns powers of ten. If there is room, also multiples of them, such as 2
/// and 5 or 3; if there isn't room for all powers, only every second, third or
/// so.
fn log_ticks(low: f64, high: f64, about: usize) -> Vec<f64> {
    let first = low.log10().floor() as i32;
    let last = high.log10().ceil() as i32;
    let mantissas: [&[f64]; 4] = [
        &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0],
        &[1.0, 2.0, 5.0],
        &[1.0, 3.0],
        &[1.0],
    ];
    for mantissas in mantissas {
        let ticks: Vec<f64> = (first..=last)
            .flat_map(|power| {
                let power = 10_f64.powi(power);
                mantissas.iter().map(move |mantissa| mantissa * power)
            })
            .filter(|tick| (low..=high).contains(tick))
            .collect();
        if ticks.len() <= about {
            return ticks;
        }
    }
    let step = (last - first) as usize / about + 1;
    let powers = (first..=last).step_by(step);
    let ticks = powers.map(|power| 10_f64.powi(power));
    ticks.filter(|tick| (low..=high).contains(tick)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        let cases: [(&[f64], Unit, &[&str]); 4] = [
            (&[50.4e6, 54.2e6], Unit::Nanoseconds, &["52 ms", "54 ms"]),
            (&[900.0, 20_500.0], Unit::PerSecond, &["1 k", "3 k", "10 k"]),
            (&[0.0, 1.08], Unit::Share, &["0", "50 %", "100 %"]),
            (&[3e6, 5.5e6], Unit::Bytes, &["3 MiB", "4 MiB"]),
        ];
        for (values, unit, expected) in cases {
            let values = values.iter().copied();
            let scale = Scale::fit(values, unit, Zero::Free, [0.0, 100.0]);
            let ticks = scale.ticks(unit, 4);
            let texts: Vec<String> =
                ticks.iter().map(|tick| unit.tick(*tick)).collect();
            assert_eq!(texts[..expected.len()], *expected, "{texts:?}");
        }
    }

    #[test]
    fn zero_has_its_own_position_on_a_logarithmic_axis() {
        let values = [0.0, 10.0, 10_000.0].into_iter();
        let scale =
            Scale::fit(values, Unit::PerSecond, Zero::Free, [100.0, 0.0]);
        assert!(scale.is_log());
        assert_eq!(scale.at(0.0), 100.0);
        assert!(scale.at(10.0) < 100.0 - ROOM_FOR_ZERO);
        assert!(scale.at(10_000.0) > 0.0);
        assert_eq!(scale.ticks(Unit::PerSecond, 4)[0], 0.0);
    }
}
