//! How one contestant's figure compares with another's: different, equal within
//! a margin, or undecided.

use std::cmp::Ordering;

use crate::analysis::bootstrap::Spread;
use crate::analysis::statistics::Estimate;
use crate::model::figure::Figure;

/// The most rounds that are worth advising.
pub(crate) const MORE_ROUNDS_MAX: f64 = 100.0;

/// How one contestant's figure compares with another's.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Relation {
    /// A difference was shown.
    Differs {
        /// The figure is this many times the other.
        times: Estimate,
        /// Whether the difference lies within the margin, over its whole
        /// interval.
        is_small: bool,
    },
    /// The whole interval lies within the margin.
    Equal {
        /// The figure is this many times the other.
        times: Estimate,
    },
    /// Neither could be shown.
    Undecided {
        /// The figure is this many times the other.
        times: Estimate,
        /// About how many more rounds it would take, if that is known.
        more_rounds: Option<u64>,
    },
    /// No conclusion can be drawn, for this reason.
    Open(&'static str),
}

/// The contestants of one scenario, compared with the one that has the best
/// value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Standing<'a> {
    /// The contestant with the best value.
    pub(crate) leader: Option<&'a str>,
    /// How each other contestant compares with the leader, the best first.
    pub(crate) relations: Vec<(&'a str, Relation)>,
    /// The contestants that were not shown to be worse than another.
    pub(crate) possible_best: Vec<&'a str>,
    /// The leader, if it is the only possible best, or if all other possible
    /// ones are equal to it.
    pub(crate) best: Option<&'a str>,
}

/// What a ratio is judged by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Yardstick {
    /// The share by which equal figures may differ.
    pub(crate) margin: f64,
    /// How far the ratio of a contestant to itself was from 1, on a log scale.
    pub(crate) noise: f64,
    /// The typical standard error of the same figure's ratios.
    pub(crate) typical: f64,
    /// The probability with which the interval that shows a difference may miss
    /// the true ratio.
    pub(crate) error: f64,
}

impl Yardstick {
    /// Returns a ratio with the interval that decides whether a difference is
    /// shown.
    fn strict(&self, spread: &Spread) -> Estimate {
        spread.strict_estimate(self.error, self.typical)
    }
}

impl Relation {
    /// Returns the relation that follows from a ratio.
    pub(crate) fn of(spread: &Spread, yardstick: &Yardstick) -> Relation {
        let times = spread.estimate();
        let wide = yardstick.strict(spread);
        let margin = yardstick.margin.ln_1p();
        let is_within = -margin <= times.low.ln() && times.high.ln() <= margin;
        let noise = yardstick.noise;
        if wide.low.ln() > noise || wide.high.ln() < -noise {
            Relation::Differs { times, is_small: is_within }
        } else if is_within {
            Relation::Equal { times }
        } else {
            let more_rounds = more_rounds(spread, yardstick);
            Relation::Undecided { times, more_rounds }
        }
    }

    /// Returns the ratio, unless no conclusion can be drawn from it.
    pub(crate) fn times(&self) -> Option<&Estimate> {
        match self {
            Relation::Differs { times, .. }
            | Relation::Equal { times }
            | Relation::Undecided { times, .. } => Some(times),
            Relation::Open(_) => None,
        }
    }

    /// Returns `true` if the figures are equal within the margin.
    pub(crate) fn is_equal(&self) -> bool {
        matches!(self, Relation::Equal { .. })
    }

    /// Returns `true` if a difference was shown.
    pub(crate) fn is_different(&self) -> bool {
        matches!(self, Relation::Differs { .. })
    }

    /// Returns the name of the outcome.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Relation::Differs { .. } => "differs",
            Relation::Equal { .. } => "equal",
            Relation::Undecided { .. } => "undecided",
            Relation::Open(_) => "open",
        }
    }
}

impl<'a> Standing<'a> {
    /// Returns a standing in which any contestant may be the best.
    pub(crate) fn undecided(possible_best: Vec<&'a str>) -> Standing<'a> {
        let (leader, best, relations) = (None, None, Vec::new());
        Standing { leader, relations, possible_best, best }
    }

    /// Returns the standing that follows from how the others compare with the
    /// leader.
    pub(crate) fn of(
        leader: &'a str,
        relations: Vec<(&'a str, Relation)>,
        figure: Figure,
    ) -> Standing<'a> {
        let is_worse = |times: &Estimate| {
            figure.better_first(times.value, 1.0) == Ordering::Greater
        };
        // The best value may be that of a contestant that is worse in most
        // turns.
        let leads = !relations.iter().any(|(_, relation)| match relation {
            Relation::Differs { times, .. } => !is_worse(times),
            _ => false,
        });
        let others = relations.iter().filter(|(_, relation)| match relation {
            Relation::Differs { times, .. } => !is_worse(times),
            _ => true,
        });
        let all_equal = others.clone().all(|(_, other)| other.is_equal());
        let others = others.map(|(name, _)| *name);
        let possible_best =
            leads.then_some(leader).into_iter().chain(others).collect();
        let is_best = leads && all_equal && !relations.is_empty();
        let best = is_best.then_some(leader);
        Standing { leader: Some(leader), relations, possible_best, best }
    }
}

/// Returns about how many more rounds it takes to show a difference or
/// equality, whichever takes fewer. The width of an interval shrinks with the
/// square root of the number of rounds.
fn more_rounds(spread: &Spread, yardstick: &Yardstick) -> Option<u64> {
    let half = |interval: Estimate| (interval.high / interval.value).ln();
    let apart = spread.value.ln().abs();
    let to_equal = (half(spread.estimate()), yardstick.margin.ln_1p() - apart);
    let strict = yardstick.strict(spread);
    let to_differ = (half(strict), apart - yardstick.noise);
    let rounds = spread.rounds as f64;
    let needed =
        [to_equal, to_differ].into_iter().filter_map(|(half, room)| {
            let needed = rounds * (half / room).powi(2);
            (room > 0.0 && needed.is_finite()).then_some(needed)
        });
    let more = needed.reduce(f64::min)? - rounds;
    (more <= MORE_ROUNDS_MAX).then(|| more.ceil().max(1.0) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::bootstrap::Deviation;

    /// Returns a ratio whose pointwise interval is `value` times or divided by
    /// `1 + half`.
    fn spread(value: f64, half: f64) -> Spread {
        let mut unit = Deviation { error: 1.0, degrees: 7.0 };
        let (rounds, resamples) = (8, Vec::new());
        let spread = |deviation| Spread {
            value,
            rounds,
            shown: deviation,
            strict: deviation,
            resamples: resamples.clone(),
        };
        let wide = spread(unit).estimate().half_width().ln_1p();
        unit.error = half.ln_1p() / wide;
        spread(unit)
    }

    fn yardstick(noise: f64, error: f64) -> Yardstick {
        Yardstick { margin: 0.03, noise, typical: 0.0, error }
    }

    #[test]
    fn a_ratio_is_different_equal_or_undecided() {
        // The interval that decides is about 1.9 times as wide.
        let cases = [
            (1.16, 0.02, 0.00, "differs", false),
            (0.86, 0.02, 0.00, "differs", false),
            (1.16, 0.09, 0.00, "undecided", false),
            (1.16, 0.02, 0.15, "undecided", false),
            (1.16, 0.02, 0.05, "differs", false),
            (1.02, 0.005, 0.00, "differs", true),
            (1.00, 0.02, 0.00, "equal", false),
            (1.01, 0.015, 0.01, "equal", false),
            (0.98, 0.005, 0.02, "equal", false),
            (1.01, 0.03, 0.00, "undecided", false),
            (1.00, 0.04, 0.00, "undecided", false),
            (0.0, 0.04, 0.00, "differs", false),
        ];
        for (value, half, noise, expected, small) in cases {
            let yardstick = yardstick(noise, 0.0005);
            let relation = Relation::of(&spread(value, half), &yardstick);
            assert_eq!(relation.name(), expected, "{value} {half} {noise}");
            if let Relation::Differs { is_small, .. } = relation {
                assert_eq!(is_small, small, "{value} {half}");
            }
        }
    }

    #[test]
    fn the_rounds_that_it_takes_follow_from_the_nearer_decision() {
        let cases = [
            // Twice as narrow, so four times the rounds.
            (1.0, 1.03_f64.powi(2) - 1.0, 0.0, Some(24)),
            // Equality would take longer than to show the difference.
            (1.029, 0.04, 0.0, Some(5)),
            // The difference is larger than the margin, and within the noise.
            (1.05, 0.04, 0.1, None),
        ];
        for (value, half, noise, expected) in cases {
            let spread = spread(value, half);
            let found = more_rounds(&spread, &yardstick(noise, 0.05));
            assert_eq!(found, expected, "{value} {half} {noise}");
        }
    }
}
