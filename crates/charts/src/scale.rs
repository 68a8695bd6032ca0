//! From figures to places on an axis.

use crate::unit::Unit;

/// Figures that lie further apart than that, as a ratio, need a logarithm to
/// be seen together.
const RATIO_OF_LOG: f64 = 12.0;

/// The room below a logarithmic axis for those who are at 0.
const ROOM_FOR_ZERO: f64 = 13.0;

/// An axis.
#[derive(Clone, Debug)]
pub struct Scale {
    low: f64,
    high: f64,
    start: f64,
    end: f64,
    is_log: bool,
    has_zero: bool,
}

/// Whether an axis must show 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zero {
    /// The places of points are compared, not the lengths of bars: it need
    /// not, and differences are seen better if it does not.
    Free,
    /// It must, and equal distances be equal differences: what adds up is
    /// compared, such as memory.
    Shown,
}

impl Scale {
    /// One that holds all values, from `start` to `end`; either may be the
    /// larger.
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
        if most / least > RATIO_OF_LOG && zero == Zero::Free {
            let (low, high) = (least / 1.12, most * 1.12);
            let is_log = true;
            return Scale { low, high, start, end, is_log, has_zero };
        }
        let from_zero = has_zero || zero == Zero::Shown || least < most / 2.0;
        let pad = if from_zero { most * 0.05 } else { (most - least) * 0.08 };
        let pad = if pad > 0.0 { pad } else { most * 0.05 };
        let low = if from_zero { 0.0 } else { least - pad };
        // The share of all is the natural end.
        let natural = if unit == Unit::Share { 1.0 } else { 0.0 };
        let high = (most + pad).max(natural);
        let (is_log, has_zero) = (false, false);
        Scale { low, high, start, end, is_log, has_zero }
    }

    /// Where a value is.
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

    /// Round values on it, at most about so many.
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

    /// Whether equal distances are equal ratios.
    pub fn is_log(&self) -> bool {
        self.is_log
    }

    /// Where the two ends are.
    pub fn ends(&self) -> [f64; 2] {
        [self.start, self.end]
    }

    fn start_of_log(&self) -> f64 {
        if !self.has_zero {
            return self.start;
        }
        self.start + ROOM_FOR_ZERO * (self.end - self.start).signum()
    }
}

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

/// Powers of ten, with 2 and 5 or with 3 between them if there is room, or
/// only some of them if there is not.
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
    fn zero_has_a_place_of_its_own_on_a_logarithmic_axis() {
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
