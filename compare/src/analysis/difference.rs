//! The limits of a difference, and the reasons why a comparison is open.

use crate::analysis::statistics::Estimate;
use crate::model::figure::Figure;

/// The share by which equal figures may differ, unless another one is chosen.
pub(crate) const MARGIN: f64 = 0.03;

/// The smallest number of rounds from which a conclusion is drawn.
pub(crate) const ROUNDS_MIN: usize = 3;

/// The reason why a comparison with fewer rounds than [`ROUNDS_MIN`] is open.
pub(crate) const TOO_FEW_ROUNDS: &str = "too few rounds";

/// The reason why a comparison with a lower bound is open.
pub(crate) const GENERATOR_WAS_BUSY: &str =
    "the load generator was the bottleneck";

/// Returns `true` if a comparison of two figures is open because the lower one
/// is only a lower bound, or if no difference was shown, either of them.
///
/// `times` is the ratio of the second figure to the first. The true value of a
/// figure that `is_bound` may be higher.
pub(crate) fn is_open(
    times: &Estimate,
    is_alike: bool,
    is_bound: [bool; 2],
) -> bool {
    let lower = usize::from(times.value < 1.0);
    is_bound[lower] || (is_alike && is_bound[1 - lower])
}

/// Returns how many times worse a figure is. Half the rate is as bad as twice
/// the time.
pub(crate) fn times_worse(figure: Figure, times: &Estimate) -> Estimate {
    if figure.more_is_better() {
        let Estimate { value, low, high } = *times;
        Estimate { value: 1.0 / value, low: 1.0 / high, high: 1.0 / low }
    } else {
        *times
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comparison_with_a_lower_bound_may_be_open() {
        let up = Estimate { value: 1.3, low: 1.2, high: 1.4 };
        let down = Estimate { value: 0.7, low: 0.6, high: 0.8 };
        let cases = [
            (up, false, [false, false], false),
            (up, false, [true, false], true),
            (up, false, [false, true], false),
            (up, true, [false, true], true),
            (down, false, [false, true], true),
            (down, false, [true, false], false),
            (down, true, [true, false], true),
            (down, true, [false, false], false),
        ];
        for (times, is_alike, is_bound, expected) in cases {
            let found = is_open(&times, is_alike, is_bound);
            assert_eq!(found, expected, "{times:?} {is_alike} {is_bound:?}");
        }
    }
}
