//! What a ratio of two figures means, by the kind of figure.

use crate::analysis::statistics::Estimate;
use crate::model::figure::Figure;

/// Of fewer rounds, nobody should be called faster or slower.
pub(crate) const ROUNDS_MIN: usize = 3;

/// Why nobody can say.
pub(crate) const TOO_FEW_ROUNDS: &str = "too few rounds";

/// The same.
pub(crate) const GENERATOR_WAS_BUSY: &str =
    "the load generator was the bottleneck";

/// How a figure stands to an earlier one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Difference {
    /// No difference that is more than noise.
    Tie,
    /// Less time, or a higher rate.
    Faster,
    /// More time, or a lower rate.
    Slower,
    /// More of what is neither time nor rate.
    More,
    /// Less of it.
    Less,
    /// It differs, but nobody can say what from.
    Open(&'static str),
}

impl Difference {
    /// Of a figure that is `times` what it was, where a difference of less
    /// than the share `floor` is noise.
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

    /// In one word, or a few.
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

/// Whether nobody can say how two figures stand, since the lower one is only a
/// lower bound, or, in a tie, either: more may be in it. `times` is the second
/// one's ratio to the first.
pub(crate) fn is_open(
    times: &Estimate,
    is_tie: bool,
    is_bound: [bool; 2],
) -> bool {
    let lower = usize::from(times.median < 1.0);
    is_bound[lower] || (is_tie && is_bound[1 - lower])
}

/// Whether a ratio is no more than noise: its interval holds 1, or it is
/// nearer to 1 than what two runs of the same server differ by.
pub(crate) fn is_tie(times: &Estimate, floor: f64) -> bool {
    let distance = times.median.ln().abs();
    distance < floor.ln_1p() || times.interval().contains(&1.0)
}

/// Whether a figure is worse by more than the share `allowed`, by all that its
/// interval leaves open. Half a rate is as much worse as twice the time.
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
    fn the_word_fits_the_figure() {
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
            assert_eq!(is_tie(&times, floor), tied, "{times:?}");
        }
    }

    #[test]
    fn a_lower_bound_may_hide_more() {
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
    fn what_is_worse_is_so_by_its_whole_interval() {
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
