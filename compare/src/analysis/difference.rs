//! The difference between two figures: tie, faster, slower, more, less or open,
//! by their ratio and the kind of figure.

use crate::analysis::statistics::Estimate;
use crate::model::figure::Figure;

/// The smallest number of rounds from which a conclusion is drawn.
pub(crate) const ROUNDS_MIN: usize = 3;

/// The reason why a comparison with fewer rounds than [`ROUNDS_MIN`] is open.
pub(crate) const TOO_FEW_ROUNDS: &str = "too few rounds";

/// The reason why a comparison with a lower bound is open.
pub(crate) const GENERATOR_WAS_BUSY: &str =
    "the load generator was the bottleneck";

/// How a figure differs from an earlier one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Difference {
    /// No difference could be shown.
    Tie,
    /// Less time, or a higher rate.
    Faster,
    /// More time, or a lower rate.
    Slower,
    /// A larger figure that is neither a time nor a rate.
    More,
    /// A smaller figure that is neither a time nor a rate.
    Less,
    /// No conclusion can be drawn, for this reason.
    Open(&'static str),
}

impl Difference {
    /// Returns the difference for a figure that is `times` the earlier one,
    /// with the noise floor `floor` (a share).
    pub(crate) fn of(
        figure: Figure,
        times: &Estimate,
        floor: f64,
    ) -> Difference {
        if is_tie(times, floor) {
            return Difference::Tie;
        }
        let grew = times.median > 1.0;
        match figure {
            Figure::Cost | Figure::Rss | Figure::Threads | Figure::Left => {
                if grew {
                    Difference::More
                } else {
                    Difference::Less
                }
            }
            Figure::Time
            | Figure::Rate
            | Figure::P50
            | Figure::P99
            | Figure::ResponseP50
            | Figure::ResponseP99 => {
                if grew == figure.more_is_better() {
                    Difference::Faster
                } else {
                    Difference::Slower
                }
            }
        }
    }

    /// Returns the text that is printed, with the reason if it is open.
    pub(crate) fn name(&self) -> String {
        match self {
            Difference::Tie => "tie".to_owned(),
            Difference::Faster => "faster".to_owned(),
            Difference::Slower => "slower".to_owned(),
            Difference::More => "more".to_owned(),
            Difference::Less => "less".to_owned(),
            Difference::Open(reason) => format!("open: {reason}"),
        }
    }
}

/// Returns `true` if a comparison of two figures is open because the lower one
/// is only a lower bound, or in a tie, either of them.
///
/// `times` is the ratio of the second figure to the first. The true value of a
/// figure that `is_bound` may be higher.
pub(crate) fn is_open(
    times: &Estimate,
    is_tie: bool,
    is_bound: [bool; 2],
) -> bool {
    let lower = usize::from(times.median < 1.0);
    is_bound[lower] || (is_tie && is_bound[1 - lower])
}

/// Returns `true` if a ratio shows no difference: its interval contains 1, or
/// its median differs from 1 by less than the noise floor.
pub(crate) fn is_tie(times: &Estimate, floor: f64) -> bool {
    let distance = times.median.ln().abs();
    distance < floor.ln_1p() || times.interval().contains(&1.0)
}

/// Returns `true` if a figure is worse by more than the share `allowed`, over
/// the whole interval. Half the rate is as bad as twice the time.
pub(crate) fn is_worse_by_more_than(
    allowed: f64,
    figure: Figure,
    times: &Estimate,
) -> bool {
    let limit = 1.0 + allowed;
    if figure.more_is_better() {
        times.high < 1.0 / limit
    } else {
        times.low > limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_named_by_the_kind_of_figure() {
        let estimate = |median, low, high| Estimate { median, low, high };
        let up = estimate(1.3, 1.2, 1.4);
        let down = estimate(0.7, 0.6, 0.8);
        let cases = [
            (Figure::Time, up, 0.05, Difference::Slower),
            (Figure::Time, down, 0.05, Difference::Faster),
            (Figure::ResponseP99, up, 0.05, Difference::Slower),
            (Figure::Rate, up, 0.05, Difference::Faster),
            (Figure::Rate, down, 0.05, Difference::Slower),
            (Figure::Cost, up, 0.05, Difference::More),
            (Figure::Rss, down, 0.05, Difference::Less),
            (Figure::Left, down, 0.05, Difference::Less),
            (Figure::Time, up, 0.4, Difference::Tie),
            (Figure::Time, down, 0.5, Difference::Tie),
            (Figure::Time, estimate(1.3, 0.9, 1.5), 0.0, Difference::Tie),
            (Figure::Time, estimate(1.0, 1.0, 1.0), 0.0, Difference::Tie),
        ];
        for (figure, times, floor, expected) in cases {
            let verdict = Difference::of(figure, &times, floor);
            assert_eq!(verdict, expected, "{figure:?} {times:?} {floor}");
        }
    }

    #[test]
    fn a_ratio_near_one_or_below_the_noise_floor_is_a_tie() {
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
            assert_eq!(is_tie(&times, floor), tied, "{times:?}");
        }
    }

    #[test]
    fn a_comparison_with_a_lower_bound_may_be_open() {
        let up = Estimate { median: 1.3, low: 1.2, high: 1.4 };
        let down = Estimate { median: 0.7, low: 0.6, high: 0.8 };
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
        for (times, is_tie, is_bound, expected) in cases {
            let found = is_open(&times, is_tie, is_bound);
            assert_eq!(found, expected, "{times:?} {is_tie} {is_bound:?}");
        }
    }

    #[test]
    fn a_figure_is_worse_only_if_its_whole_interval_is() {
        let cases = [
            (Figure::Cost, 1.06, 1.20, true),
            (Figure::Cost, 1.04, 1.20, false),
            (Figure::Cost, 0.80, 0.90, false),
            (Figure::Rate, 0.80, 0.95, true),
            (Figure::Rate, 0.80, 0.96, false),
            (Figure::Rate, 1.10, 1.20, false),
            (Figure::Left, 0.0, 0.0, true),
        ];
        for (figure, low, high, expected) in cases {
            let times =
                Estimate { median: f64::midpoint(low, high), low, high };
            let is_worse = is_worse_by_more_than(0.05, figure, &times);
            assert_eq!(is_worse, expected, "{figure:?} {low} {high}");
        }
    }
}
