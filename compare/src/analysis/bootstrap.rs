//! The bootstrap: how far a statistic deviates if rounds are drawn again.

use fastrand::Rng;

use crate::analysis::samples::{Moment, Sample, quotient};
use crate::analysis::statistics::{
    ERROR, Estimate, median, student_quantile, student_tails,
};
use crate::model::figure::Figure;
use crate::model::scenarios::{ClientGroup, Scenario};

/// The number of resamples.
pub(crate) const RESAMPLES: usize = 2_000;

/// The share of the logarithms that is left out at either end, so that a turn
/// that was disturbed doesn't count.
const TRIMMED_SHARE: f64 = 0.2;

/// The largest deviation of a logarithm. A resample of turns without a reply
/// deviates infinitely.
const DEVIATION_MAX: f64 = 20.0;

/// The degrees of freedom with which Student's t distribution is practically
/// the normal distribution.
const NORMAL: usize = 100_000;

/// How often each round was drawn in each resample.
pub(crate) struct Draws {
    counts: Vec<Vec<u32>>,
}

impl Draws {
    /// Draws `rounds` rounds again, with replacement, in each resample. The
    /// same seed gives the same draws.
    pub(crate) fn new(rounds: u64, seed: u64) -> Draws {
        let mut random = Rng::with_seed(seed);
        let rounds = rounds as usize;
        let mut draw = || {
            let mut counts = vec![0; rounds + 1];
            (0..rounds).for_each(|_| counts[random.usize(1..=rounds)] += 1);
            counts
        };
        Draws { counts: (0..RESAMPLES).map(|_| draw()).collect() }
    }
}

/// How the values of the turns are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Estimator {
    /// The trimmed mean of the logarithms of the ratios of each turn.
    Logs,
    /// The ratio of the sums over all turns. For figures that jump between two
    /// states: their trimmed mean would hide one of the two.
    Sums,
}

impl Estimator {
    /// Returns the estimator for a figure.
    pub(crate) fn of(scenario: &Scenario, figure: Figure) -> Estimator {
        let sends = |group: &&ClientGroup| !group.silent;
        let is_mixed = scenario.groups.iter().filter(sends).count() > 1;
        match figure {
            Figure::Left => Estimator::Sums,
            Figure::Rate | Figure::Cost if is_mixed => Estimator::Sums,
            _ => Estimator::Logs,
        }
    }
}

/// The values from which a statistic is computed, each with its round.
enum Values {
    /// Logarithms in ascending order.
    Logs(Vec<(usize, f64)>),
    /// The counts whose quotients are the figures, of one or both sides.
    Sums(Vec<(usize, [f64; 4])>),
}

/// A statistic and how far it deviates in the resamples, on a log scale.
pub(crate) struct Spread {
    /// The statistic.
    pub(crate) value: f64,
    /// The number of rounds that have a value.
    pub(crate) rounds: usize,
    /// The standard error of the statistic's logarithm.
    pub(crate) error: f64,
    /// The deviation of the logarithm in each resample, as a multiple of the
    /// standard error.
    pub(crate) deviations: Vec<f64>,
}

impl Spread {
    /// Returns the spread of a figure itself.
    pub(crate) fn of(sample: &Sample, draws: &Draws) -> Option<Spread> {
        let sums = sample.portions.iter().map(|((round, _), [over, under])| {
            (*round as usize, [*over, *under, 1.0, 1.0])
        });
        let mut spread = Values::Sums(sums.collect()).spread(draws)?;
        spread.value = sample.value;
        Some(spread)
    }

    /// Returns the spread of the ratio of two figures. Only moments that both
    /// have count. Returns `None` if there are none.
    pub(crate) fn of_ratio(
        over: &Sample,
        under: &Sample,
        estimator: Estimator,
        draws: &Draws,
    ) -> Option<Spread> {
        if over.is_in_turns != under.is_in_turns {
            let [over, under] = [over.by_round(), under.by_round()];
            return Spread::of_ratio(&over, &under, estimator, draws);
        }
        let both = over.portions.iter().filter_map(|(moment, over)| {
            let under = under.portions.get(moment)?;
            Some((*moment, *over, *under))
        });
        Values::of(both, estimator).spread(draws)
    }

    /// Returns the spread of the ratio of this figure to the same one of another
    /// run, whose rounds are independent of these.
    pub(crate) fn over(&self, other: &Spread) -> Spread {
        let error = self.error.hypot(other.error);
        // Both runs may have the same seed, and so the same draws.
        let pairs = self.deviations.iter().zip(other.deviations.iter().rev());
        let deviations = pairs.map(|(own, others)| {
            let deviation = own * self.error - others * other.error;
            if error > 0.0 { deviation / error } else { 0.0 }
        });
        Spread {
            value: quotient([self.value, other.value]),
            rounds: self.rounds.min(other.rounds),
            error,
            deviations: deviations.collect(),
        }
    }

    /// Returns the spread of a weighted geometric mean, or `None` if there is
    /// nothing to average.
    pub(crate) fn mean<'a>(
        parts: impl Iterator<Item = (f64, &'a Spread)>,
    ) -> Option<Spread> {
        let parts: Vec<(f64, &Spread)> = parts.collect();
        let rounds = parts.iter().map(|(_, part)| part.rounds).min()?;
        let logs = parts.iter().map(|(weight, part)| weight * part.value.ln());
        let mut deviations = vec![0.0; RESAMPLES];
        for (weight, part) in &parts {
            let scale = weight * part.error;
            for (sum, deviation) in deviations.iter_mut().zip(&part.deviations)
            {
                *sum += scale * deviation;
            }
        }
        let error = standardise(&mut deviations);
        Some(Spread {
            value: logs.sum::<f64>().exp(),
            rounds,
            error,
            deviations,
        })
    }

    /// Returns the statistic with its 95 % interval.
    pub(crate) fn estimate(&self) -> Estimate {
        self.estimate_at(ERROR)
    }

    /// Returns the statistic with the interval that misses the true value with
    /// the probability `error`.
    pub(crate) fn estimate_at(&self, error: f64) -> Estimate {
        // A single round has no interval.
        let Some(degrees) = self.rounds.checked_sub(1).filter(|d| *d > 0)
        else {
            return Estimate::exact(self.value);
        };
        let half = student_quantile(degrees, error) * self.error;
        Estimate::within(self.value, half)
    }
}

impl Values {
    fn of(
        both: impl Iterator<Item = (Moment, [f64; 2], [f64; 2])>,
        estimator: Estimator,
    ) -> Values {
        match estimator {
            Estimator::Sums => Values::Sums(
                both.map(|((round, _), [a, b], [c, d])| {
                    (round as usize, [a, b, c, d])
                })
                .collect(),
            ),
            Estimator::Logs => {
                let logs = both.map(|((round, _), [a, b], [c, d])| {
                    let log = log_ratio([a, b, c, d]);
                    (round as usize, log)
                });
                let mut logs: Vec<(usize, f64)> =
                    logs.filter(|(_, log)| !log.is_nan()).collect();
                logs.sort_by(|(_, one), (_, other)| one.total_cmp(other));
                Values::Logs(logs)
            }
        }
    }

    /// Returns the logarithm of the statistic, if each round counts as often as
    /// `count_of` returns.
    fn log(&self, count_of: impl Fn(usize) -> u32) -> f64 {
        match self {
            Values::Sums(sums) => {
                let mut all = [0.0; 4];
                for (round, counts) in sums {
                    let times = f64::from(count_of(*round));
                    for (all, count) in all.iter_mut().zip(counts) {
                        *all += times * count;
                    }
                }
                log_ratio(all)
            }
            Values::Logs(logs) => {
                let counts = logs.iter().map(|(round, _)| count_of(*round));
                let all: u32 = counts.sum();
                let trimmed = (f64::from(all) * TRIMMED_SHARE) as u32;
                let (mut skip, mut take) = (trimmed, all - 2 * trimmed);
                let (mut sum, kept) = (0.0, f64::from(take));
                for (round, log) in logs {
                    let count = count_of(*round);
                    let skipped = count.min(skip);
                    let taken = (count - skipped).min(take);
                    skip -= skipped;
                    take -= taken;
                    if taken > 0 {
                        sum += f64::from(taken) * log;
                    }
                }
                sum / kept
            }
        }
    }

    fn spread(&self, draws: &Draws) -> Option<Spread> {
        let mut rounds: Vec<usize> = match self {
            Values::Sums(sums) => {
                sums.iter().map(|(round, _)| *round).collect()
            }
            Values::Logs(logs) => {
                logs.iter().map(|(round, _)| *round).collect()
            }
        };
        rounds.sort_unstable();
        rounds.dedup();
        let log = self.log(|_| 1);
        if rounds.is_empty() || log.is_nan() {
            return None;
        }
        let rounds = rounds.len();
        let deviations = draws.counts.iter().map(|counts| {
            let drawn = self.log(|round| counts[round]);
            let deviation = drawn - log;
            // All drawn rounds may be ones that lack the figure.
            if deviation.is_nan() { 0.0 } else { deviation }
        });
        let deviations =
            deviations.map(|d| d.clamp(-DEVIATION_MAX, DEVIATION_MAX));
        let mut deviations: Vec<f64> = deviations.collect();
        let error = standardise(&mut deviations);
        // Rounds that are drawn again vary less than new ones would.
        let widening = rounds as f64 / (rounds as f64 - 1.0).max(1.0);
        let error = error * widening.sqrt();
        Some(Spread { value: log.exp(), rounds, error, deviations })
    }
}

/// Returns the median of values of different rounds with its interval, or
/// `None` if there are no values. The same seed gives the same interval.
pub(crate) fn of_rounds(values: &[f64], seed: u64) -> Option<Estimate> {
    let value = median(&mut values.to_vec())?;
    let numbered = values.iter().zip(1..);
    let portions =
        numbered.map(|(value, round)| ((round, 0), [*value, 1.0])).collect();
    let sample = Sample { value, portions, is_in_turns: false };
    let draws = Draws::new(values.len() as u64, seed);
    Some(match Spread::of(&sample, &draws) {
        Some(spread) => spread.estimate(),
        None => Estimate::exact(value),
    })
}

/// Returns the error of a single comparison with which the probability that any
/// of several is false is 5 %. The largest deviation of all decides, so that
/// comparisons that deviate together count less.
pub(crate) fn error_of_each(spreads: &[&Spread]) -> f64 {
    let resamples = spreads.iter().map(|spread| spread.deviations.len());
    let resamples = resamples.max().unwrap_or(0);
    let largest = (0..resamples).map(|resample| {
        let all = spreads.iter();
        let all = all.filter_map(|spread| spread.deviations.get(resample));
        all.map(|deviation| deviation.abs()).fold(0.0, f64::max)
    });
    let mut largest: Vec<f64> = largest.collect();
    largest.sort_by(f64::total_cmp);
    let rank = (resamples as f64 * (1.0 - ERROR)) as usize;
    let critical = largest.get(rank).copied().unwrap_or(0.0);
    student_tails(NORMAL, critical).min(ERROR)
}

/// Returns the standard deviation, and expresses the deviations as multiples of
/// it.
fn standardise(deviations: &mut [f64]) -> f64 {
    let squares = deviations.iter().map(|d| d * d).sum::<f64>();
    let error = (squares / deviations.len() as f64).sqrt();
    if error > 0.0 {
        deviations.iter_mut().for_each(|d| *d /= error);
    }
    error
}

/// Returns the logarithm of the ratio of two quotients. Two figures of 0 are
/// equal.
fn log_ratio([a, b, c, d]: [f64; 4]) -> f64 {
    let [over, under] = [a / b, c / d];
    if over == under { 0.0 } else { over.ln() - under.ln() }
}
