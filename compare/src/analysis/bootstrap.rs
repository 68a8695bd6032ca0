//! The hierarchical bootstrap: how far a statistic deviates if rounds are drawn
//! again, and then the turns within each.
//!
//! The two levels answer two questions. Drawn rounds with all their turns vary
//! as much as new ones would, so they give the interval that is shown. Turns
//! that are drawn again, too, count their own variation twice. That is too wide
//! for one interval, but bounds the error where eight rounds happen to be alike,
//! so it decides whether any of the many differences of a table is shown.

use std::collections::BTreeSet;

use fastrand::Rng;

use crate::analysis::samples::{Moment, Sample, quotient};
use crate::analysis::statistics::{
    ERROR, Estimate, median, student_quantile, student_tails,
};
use crate::model::figure::Figure;
use crate::model::scenarios::{ClientGroup, Scenario};

/// The number of resamples, unless there are very many rounds.
const RESAMPLES: usize = 2_000;

/// The number of rounds that are drawn in all resamples together at most.
const DRAWN_MAX: usize = 400_000;

/// The share of the logarithms that is left out at either end, so that a turn
/// that was disturbed doesn't count.
const TRIMMED_SHARE: f64 = 0.2;

/// The largest deviation of a logarithm. A resample of turns without a reply
/// deviates infinitely.
const DEVIATION_MAX: f64 = 20.0;

/// The degrees of freedom with which Student's t distribution is practically
/// the normal distribution.
const NORMAL: usize = 100_000;

/// How often each round, and each turn, was drawn in each resample.
pub(crate) struct Draws {
    rounds: Vec<u64>,
    cycles: Vec<u64>,
    /// For each resample, the counts of each round followed by those of its
    /// turns.
    counts: Vec<Vec<u16>>,
}

/// Which draws count.
#[derive(Clone, Copy)]
enum Level {
    /// Rounds are drawn, each with all its turns.
    Rounds,
    /// Rounds are drawn, and then turns within each.
    Turns,
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

/// A standard error on a log scale, and how well it is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Deviation {
    /// The standard error.
    pub(crate) error: f64,
    /// The degrees of freedom.
    pub(crate) degrees: f64,
}

/// A statistic and how far it may deviate.
#[derive(Clone, Debug)]
pub(crate) struct Spread {
    /// The statistic.
    pub(crate) value: f64,
    /// The number of rounds that have a value.
    pub(crate) rounds: usize,
    /// The deviation of drawn rounds, for the interval that is shown.
    pub(crate) shown: Deviation,
    /// The deviation of drawn rounds and turns, for the decision whether a
    /// difference is shown.
    pub(crate) strict: Deviation,
    /// The deviation in each resample of rounds and turns, as a multiple of its
    /// standard deviation.
    pub(crate) resamples: Vec<f64>,
}

/// The values from which a statistic is computed, each with its slots in the
/// counts of a resample: that of its round, and its own.
struct Values {
    slots: Vec<[usize; 2]>,
    rounds: usize,
    /// Whether all moments have a value, so that each resample has as many.
    is_whole: bool,
    kind: Kind,
}

enum Kind {
    /// Logarithms in ascending order.
    Logs(Vec<f64>),
    /// The counts whose quotients are the figures, of one or both sides.
    Sums(Vec<[f64; 4]>),
}

impl Draws {
    /// Draws from these moments. The same seed gives the same draws.
    pub(crate) fn new(
        moments: impl Iterator<Item = Moment>,
        seed: u64,
    ) -> Draws {
        let (mut rounds, mut cycles) = (BTreeSet::new(), BTreeSet::new());
        for (round, cycle) in moments {
            rounds.insert(round);
            cycles.extend((cycle > 0).then_some(cycle));
        }
        let rounds: Vec<u64> = rounds.into_iter().collect();
        let cycles: Vec<u64> = cycles.into_iter().collect();
        let resamples = RESAMPLES.min(DRAWN_MAX / rounds.len().max(1)).max(200);
        let mut random = Rng::with_seed(seed);
        let mut draw = || {
            let width = cycles.len() + 1;
            let mut counts = vec![0; rounds.len() * width];
            for _ in 0..rounds.len() {
                let round = random.usize(..rounds.len()) * width;
                counts[round] += 1;
                for _ in 0..cycles.len() {
                    counts[round + 1 + random.usize(..cycles.len())] += 1;
                }
            }
            counts
        };
        let counts = (0..resamples).map(|_| draw()).collect();
        Draws { rounds, cycles, counts }
    }

    /// Returns the slots of a moment's round, and of the moment itself. `None`
    /// if it is not among the moments that are drawn.
    fn slots(&self, (round, cycle): Moment) -> Option<[usize; 2]> {
        let round = self.rounds.binary_search(&round).ok()?;
        let round = round * (self.cycles.len() + 1);
        if cycle == 0 {
            return Some([round, round]);
        }
        let cycle = self.cycles.binary_search(&cycle).ok()?;
        Some([round, round + 1 + cycle])
    }
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

impl Estimator {
    /// Returns what this estimates from a figure's logarithms.
    pub(crate) fn middle(self, logs: &[f64]) -> f64 {
        let mean = |logs: &[f64]| logs.iter().sum::<f64>() / logs.len() as f64;
        match self {
            Estimator::Logs => {
                let mut sorted = logs.to_vec();
                sorted.sort_by(f64::total_cmp);
                let cut = (logs.len() as f64 * TRIMMED_SHARE) as usize;
                mean(&sorted[cut..logs.len() - cut])
            }
            Estimator::Sums => {
                let values: Vec<f64> = logs.iter().map(|l| l.exp()).collect();
                mean(&values).ln()
            }
        }
    }
}

impl Deviation {
    /// Returns half the width of an interval that misses the true value with
    /// the probability `error`.
    fn half(&self, error: f64) -> f64 {
        // Fewer degrees of freedom give a wider interval.
        student_quantile(self.degrees as usize, error) * self.error
    }

    /// Returns this deviation as it is judged among similar comparisons, whose
    /// typical standard error is `typical`. A few rounds that happen to be alike
    /// make an error look small; so the typical one counts as much as `rounds`
    /// more observations would (the moderated t statistic of Smyth, 2004). What
    /// deviates more than usual is judged by its own error.
    pub(crate) fn among(&self, typical: f64, rounds: usize) -> Deviation {
        let prior = rounds as f64;
        let degrees = self.degrees + prior;
        let own = self.error.powi(2);
        let both = (self.degrees * own + prior * typical.powi(2)) / degrees;
        Deviation { error: own.max(both).sqrt(), degrees }
    }

    /// Returns the deviation of a weighted sum of independent parts; the
    /// degrees of freedom are those of Welch and Satterthwaite.
    fn sum(parts: impl Iterator<Item = (f64, Deviation)>) -> Deviation {
        let (mut variance, mut fourth) = (0.0, 0.0);
        let mut degrees = f64::INFINITY;
        for (weight, part) in parts {
            let square = (weight * part.error).powi(2);
            variance += square;
            fourth += square * square / part.degrees;
            degrees = degrees.min(part.degrees);
        }
        if fourth > 0.0 {
            degrees = variance * variance / fourth;
        }
        Deviation { error: variance.sqrt(), degrees }
    }
}

impl Spread {
    /// Returns the spread of a figure itself.
    pub(crate) fn of(sample: &Sample, draws: &Draws) -> Option<Spread> {
        let values = sample.portions.iter().map(|(moment, [over, under])| {
            (*moment, [*over, *under, 1.0, 1.0])
        });
        let mut spread =
            Values::of(values, Estimator::Sums, draws).spread(draws)?;
        spread.value = sample.value;
        Some(spread)
    }

    /// Returns the spread of the ratio of two figures. Only moments that both
    /// have count. Returns `None` if there are none, or if the second figure is
    /// 0.
    pub(crate) fn of_ratio(
        over: &Sample,
        under: &Sample,
        estimator: Estimator,
        draws: &Draws,
    ) -> Option<Spread> {
        Values::of_ratio(over, under, estimator, draws).spread(draws)
    }

    /// Returns the spread of the ratio of this figure to the same one of another
    /// run, whose rounds are independent of these.
    pub(crate) fn over(&self, other: &Spread) -> Spread {
        let reversed: Vec<f64> =
            other.resamples.iter().rev().copied().collect();
        // Both runs may have the same seed, and so the same draws.
        let other = Spread { resamples: reversed, ..other.clone() };
        let value = quotient([self.value, other.value]);
        let parts = [(1.0, self), (-1.0, &other)];
        Spread { value, ..Spread::sum(&parts) }
    }

    /// Returns the spread of a weighted geometric mean of independent ratios, or
    /// `None` if there are none.
    pub(crate) fn mean(parts: &[(f64, &Spread)]) -> Option<Spread> {
        (!parts.is_empty()).then(|| Spread::sum(parts))
    }

    /// Returns the spread of the exponential of a weighted sum of logarithms.
    fn sum(parts: &[(f64, &Spread)]) -> Spread {
        let each = parts.iter();
        let logs = each.clone().map(|(weight, part)| weight * part.value.ln());
        let shown = each.clone().map(|(weight, part)| (*weight, part.shown));
        let strict = each.clone().map(|(weight, part)| (*weight, part.strict));
        let lengths = each.clone().map(|(_, part)| part.resamples.len());
        let mut resamples = vec![0.0; lengths.min().unwrap_or(0)];
        for (weight, part) in each.clone() {
            let scale = weight * part.strict.error;
            for (sum, resample) in resamples.iter_mut().zip(&part.resamples) {
                *sum += scale * resample;
            }
        }
        standardise(&mut resamples);
        Spread {
            value: logs.sum::<f64>().exp(),
            rounds: each.map(|(_, part)| part.rounds).min().unwrap_or(0),
            shown: Deviation::sum(shown),
            strict: Deviation::sum(strict),
            resamples,
        }
    }

    /// Returns the statistic with its 95 % interval.
    pub(crate) fn estimate(&self) -> Estimate {
        self.estimate_with(ERROR)
    }

    /// Returns the statistic with an interval that misses the true value with
    /// the probability `error`.
    pub(crate) fn estimate_with(&self, error: f64) -> Estimate {
        // A single round has no interval.
        if self.rounds < 2 {
            return Estimate::exact(self.value);
        }
        Estimate::within(self.value, self.shown.half(error))
    }

    /// Returns the statistic with the interval that decides whether a difference
    /// is shown. It misses the true value with the probability `error`;
    /// `typical` is the typical error of similar comparisons.
    pub(crate) fn strict_estimate(&self, error: f64, typical: f64) -> Estimate {
        let strict = self.strict.among(typical, self.rounds);
        Estimate::within(self.value, strict.half(error))
    }
}

/// Returns the typical standard error of similar comparisons: the median.
pub(crate) fn typical_error<'a>(
    spreads: impl Iterator<Item = &'a Spread>,
) -> f64 {
    let mut errors: Vec<f64> = spreads.map(|s| s.strict.error).collect();
    median(&mut errors).unwrap_or(0.0)
}

impl Values {
    fn of_ratio(
        over: &Sample,
        under: &Sample,
        estimator: Estimator,
        draws: &Draws,
    ) -> Values {
        if over.is_in_turns != under.is_in_turns {
            let [over, under] = [over.by_round(), under.by_round()];
            return Values::of_ratio(&over, &under, estimator, draws);
        }
        let both = over.portions.iter().filter_map(|(moment, [a, b])| {
            let [c, d] = under.portions.get(moment)?;
            Some((*moment, [*a, *b, *c, *d]))
        });
        Values::of(both, estimator, draws)
    }

    fn of(
        values: impl Iterator<Item = (Moment, [f64; 4])>,
        estimator: Estimator,
        draws: &Draws,
    ) -> Values {
        let mut values: Vec<(Moment, [f64; 4], [usize; 2])> = values
            .filter_map(|(moment, counts)| {
                Some((moment, counts, draws.slots(moment)?))
            })
            .collect();
        if estimator == Estimator::Logs {
            values.retain(|(_, counts, _)| log_ratio(*counts) < f64::INFINITY);
            values.sort_by(|(_, one, _), (_, other, _)| {
                log_ratio(*one).total_cmp(&log_ratio(*other))
            });
        }
        let rounds = values.iter().map(|((round, _), ..)| *round);
        let rounds = rounds.collect::<BTreeSet<_>>().len();
        let slots = values.iter().map(|(_, _, slots)| *slots);
        let counts = values.iter().map(|(_, counts, _)| *counts);
        let kind = match estimator {
            Estimator::Logs => Kind::Logs(counts.map(log_ratio).collect()),
            Estimator::Sums => Kind::Sums(counts.collect()),
        };
        let slots: Vec<[usize; 2]> = slots.collect();
        let per_round = slots.len() / rounds.max(1);
        let is_whole = slots.len() == draws.rounds.len() * per_round
            && (per_round == 1 || per_round == draws.cycles.len());
        Values { slots, rounds, is_whole, kind }
    }

    /// Returns the logarithm of the statistic, if each value counts as often as
    /// `count_of` returns for its slots.
    fn log(&self, count_of: impl Fn([usize; 2]) -> u32) -> f64 {
        match &self.kind {
            Kind::Sums(values) => {
                let mut all = [0.0; 4];
                for (slots, counts) in self.slots.iter().zip(values) {
                    let times = f64::from(count_of(*slots));
                    for (all, count) in all.iter_mut().zip(counts) {
                        *all += times * count;
                    }
                }
                log_ratio(all)
            }
            Kind::Logs(logs) => {
                let all = if self.is_whole {
                    logs.len() as u32
                } else {
                    self.slots.iter().map(|slots| count_of(*slots)).sum()
                };
                let trimmed = (f64::from(all) * TRIMMED_SHARE) as u32;
                let (mut skip, mut take) = (trimmed, all - 2 * trimmed);
                let (mut sum, kept) = (0.0, f64::from(take));
                for (slots, log) in self.slots.iter().zip(logs) {
                    let count = count_of(*slots);
                    let skipped = count.min(skip);
                    let taken = (count - skipped).min(take);
                    skip -= skipped;
                    take -= taken;
                    if taken > 0 {
                        sum += f64::from(taken) * log;
                    } else if take == 0 {
                        break;
                    }
                }
                sum / kept
            }
        }
    }

    /// Returns the statistic's deviations in all resamples.
    fn deviations(&self, draws: &Draws, level: Level) -> Vec<f64> {
        let log = self.log(|_| 1);
        let deviations = draws.counts.iter().map(|counts| {
            let drawn = match level {
                Level::Rounds => self.log(|[round, _]| counts[round].into()),
                Level::Turns => self.log(|[_, turn]| counts[turn].into()),
            };
            // All drawn rounds may be ones that lack the figure.
            let deviation = if drawn.is_nan() { 0.0 } else { drawn - log };
            deviation.clamp(-DEVIATION_MAX, DEVIATION_MAX)
        });
        deviations.collect()
    }

    fn spread(&self, draws: &Draws) -> Option<Spread> {
        let log = self.log(|_| 1);
        if log.is_nan() || log == f64::INFINITY {
            return None;
        }
        let degrees = self.rounds.saturating_sub(1) as f64;
        let mut spread = Spread {
            value: log.exp(),
            rounds: self.rounds,
            shown: Deviation { error: 0.0, degrees },
            strict: Deviation { error: 0.0, degrees },
            resamples: Vec::new(),
        };
        if log == f64::NEG_INFINITY {
            return Some(spread);
        }
        let of_rounds = standardise(&mut self.deviations(draws, Level::Rounds));
        spread.resamples = self.deviations(draws, Level::Turns);
        let of_turns = standardise(&mut spread.resamples);
        // Rounds that are drawn again vary less than new ones would.
        let widening = self.rounds as f64 / degrees.max(1.0);
        spread.shown.error = of_rounds * widening.sqrt();
        let within = (of_turns.powi(2) - of_rounds.powi(2)).max(0.0).sqrt();
        let turns = self.slots.len().saturating_sub(self.rounds);
        spread.strict = Deviation::sum(
            [
                (1.0, spread.shown),
                (1.0, Deviation { error: within, degrees: turns as f64 }),
            ]
            .into_iter()
            .filter(|(_, part)| part.error > 0.0),
        );
        if spread.strict.error == 0.0 {
            spread.strict = spread.shown;
        }
        Some(spread)
    }
}

/// The largest deviation of several comparisons in each resample, from which
/// follows how strictly each of them must be judged.
#[derive(Default)]
pub(crate) struct Family {
    largest: Vec<f64>,
}

impl Family {
    /// Adds a comparison.
    pub(crate) fn add(&mut self, spread: &Spread) {
        let resamples = &spread.resamples;
        if self.largest.len() < resamples.len() {
            self.largest.resize(resamples.len(), 0.0);
        }
        for (largest, one) in self.largest.iter_mut().zip(resamples) {
            *largest = largest.max(one.abs());
        }
    }

    /// Returns the error of a single comparison with which the probability that
    /// any of them is false is 5 %. Comparisons that deviate together count
    /// less than independent ones.
    pub(crate) fn error_of_each(mut self) -> f64 {
        self.largest.sort_by(f64::total_cmp);
        let rank = (self.largest.len() as f64 * (1.0 - ERROR)) as usize;
        let critical = self.largest.get(rank).copied().unwrap_or(0.0);
        student_tails(NORMAL, critical).min(ERROR)
    }
}

/// Returns the median of values of different rounds with its interval, or
/// `None` if there are no values. The same seed gives the same interval.
pub(crate) fn of_rounds(values: &[f64], seed: u64) -> Option<Estimate> {
    let value = median(&mut values.to_vec())?;
    let numbered = values.iter().zip(1..);
    let portions =
        numbered.map(|(value, round)| ((round, 0), [*value, 1.0])).collect();
    let sample = Sample { value, ..Sample::from_portions(portions, false) };
    let draws = Draws::new(sample.portions.keys().copied(), seed);
    let spread = Spread::of(&sample, &draws);
    Some(spread.map_or(Estimate::exact(value), |spread| spread.estimate()))
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
