//! The operating curve of the analysis: how often it finds differences of a
//! known size, and how often it finds one where there is none, in simulated
//! tables.

use std::collections::BTreeMap;
use std::thread;

use fastrand::Rng;

use crate::analysis::bootstrap::{self, Draws, Estimator, Family, Spread};
use crate::analysis::relation::{Relation, Yardstick};
use crate::analysis::samples::{Moment, Sample};
use crate::model::record::Record;

/// The number of contestants of a table; one of them takes part twice.
pub(crate) const CONTESTANTS: usize = 11;

/// The number of figures of a table.
pub(crate) const FIGURES: usize = 7;

/// The figure of a simulated table that is compared by sums.
const BY_SUMS: usize = 5;

/// The figure of a simulated table that has a single turn in each of its few
/// rounds.
const BY_ROUND: usize = 6;

/// The number of rounds of that figure.
pub(crate) const FEW_ROUNDS: u64 = 5;

/// The number of rounds of a table.
pub(crate) const ROUNDS: u64 = 8;

/// The number of turns of each contestant in a round.
pub(crate) const TURNS: u64 = 5;

/// The number of rounds of a recorded figure that its deviations can be drawn
/// from.
const RECORDED_MIN: usize = 5;

/// The differences that are planted, as shares.
pub(crate) const PLANTED: [f64; 5] = [0.0, 0.03, 0.035, 0.05, 0.16];

/// The noise of the simulated tables.
pub(crate) enum Noise {
    /// Random noise of known size.
    Model(Model),
    /// The deviations of a recorded run, by figure, drawn again.
    Recorded(Vec<Deviations>),
}

/// Random noise on a log scale, from normal distributions with these standard
/// deviations.
pub(crate) struct Model {
    /// From cycle to cycle, for all contestants alike: the drift.
    pub(crate) drift: f64,
    /// From turn to turn of one contestant. Half of its variance is common to
    /// all figures of a turn.
    pub(crate) turn: f64,
    /// From start to start of one contestant.
    pub(crate) start: f64,
    /// The share of turns that are disturbed.
    pub(crate) disturbed: f64,
    /// The share of its figure that a disturbed turn loses at most.
    pub(crate) loss: f64,
}

/// The noise that is simulated by default.
pub(crate) const MODEL: Model =
    Model { drift: 0.05, turn: 0.03, start: 0.01, disturbed: 0.05, loss: 0.3 };

/// The deviations of a figure in a recorded run, on a log scale: for each
/// contestant, by moment.
pub(crate) struct Deviations {
    is_in_turns: bool,
    estimator: Estimator,
    contestants: Vec<BTreeMap<Moment, f64>>,
}

/// The outcomes of the comparisons with one planted difference.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outcomes {
    pub(crate) differs: usize,
    pub(crate) equal: usize,
    pub(crate) undecided: usize,
}

/// The results of a simulation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Curve {
    /// The number of tables.
    pub(crate) tables: usize,
    /// The number of tables with a difference, although all contestants are
    /// equal.
    pub(crate) false_tables: usize,
    /// The number of intervals of a contestant's ratio to itself.
    pub(crate) intervals: usize,
    /// The number of those intervals that contain 1.
    pub(crate) covered: usize,
    /// The outcomes for each planted difference.
    pub(crate) outcomes: [Outcomes; PLANTED.len()],
}

/// A figure of a simulated table: the values of all contestants, and of the
/// alias of the first one.
struct Column {
    estimator: Estimator,
    samples: Vec<Sample>,
}

/// The comparisons of a figure.
struct Compared {
    /// The alias with its contestant.
    own: Spread,
    /// Each other contestant with the one that has the best value.
    others: Vec<Spread>,
    /// Two contestants that were chosen beforehand.
    pair: Spread,
}

/// Simulates a number of tables, and judges them with a margin.
pub(crate) fn simulate(
    noise: &Noise,
    tables: usize,
    margin: f64,
    seed: u64,
) -> Curve {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let parts = (0..threads).map(|part| {
            scope.spawn(move || {
                let mut curve = Curve::default();
                for table in (part..tables).step_by(threads) {
                    curve.add(noise, margin, seed + table as u64);
                }
                curve
            })
        });
        let parts: Vec<_> = parts.collect();
        let mut curve = Curve::default();
        for part in parts {
            curve.merge(&part.join().expect("a simulation doesn't panic"));
        }
        curve
    })
}

impl Curve {
    /// Adds a table. The difference is planted by multiplication, which changes
    /// no deviation, so that one table serves all of them.
    fn add(&mut self, noise: &Noise, margin: f64, seed: u64) {
        let mut random = Rng::with_seed(seed);
        let columns = noise.table(&mut random);
        let draws: Vec<Draws> = columns
            .iter()
            .map(|column| {
                let moments = column.samples[0].portions.keys().copied();
                Draws::new(moments, seed)
            })
            .collect();
        let compared: Vec<Compared> = columns
            .iter()
            .zip(&draws)
            .map(|(column, draws)| Compared::of(column, draws))
            .collect();
        let mut family = Family::default();
        for one in &compared {
            family.add(&one.own);
            one.others.iter().for_each(|spread| family.add(spread));
        }
        let error = family.error_of_each();
        let mut is_false = false;
        for one in &compared {
            is_false |= self.add_figure(one, margin, error);
        }
        self.tables += 1;
        self.false_tables += usize::from(is_false);
    }

    /// Adds a figure of a table. Returns `true` if a difference was shown.
    fn add_figure(
        &mut self,
        compared: &Compared,
        margin: f64,
        error: f64,
    ) -> bool {
        let Compared { own, others, pair } = compared;
        let interval = own.estimate();
        self.intervals += 1;
        self.covered +=
            usize::from((interval.low..=interval.high).contains(&1.0));
        let noise = own.value.ln().abs();
        let typical = bootstrap::typical_error(others.iter().chain([own]));
        let yardstick = Yardstick { margin, noise, typical, error };
        for (planted, outcomes) in PLANTED.iter().zip(&mut self.outcomes) {
            let value = pair.value * (1.0 + planted);
            let spread = Spread { value, ..pair.clone() };
            outcomes.add(&Relation::of(&spread, &yardstick));
        }
        others
            .iter()
            .any(|spread| Relation::of(spread, &yardstick).is_different())
    }

    fn merge(&mut self, other: &Curve) {
        self.tables += other.tables;
        self.false_tables += other.false_tables;
        self.intervals += other.intervals;
        self.covered += other.covered;
        for (own, other) in self.outcomes.iter_mut().zip(other.outcomes) {
            own.differs += other.differs;
            own.equal += other.equal;
            own.undecided += other.undecided;
        }
    }

    /// Returns the share of tables with a false difference.
    pub(crate) fn false_share(&self) -> f64 {
        self.false_tables as f64 / self.tables as f64
    }
}

impl Outcomes {
    fn add(&mut self, relation: &Relation) {
        match relation {
            Relation::Differs { .. } => self.differs += 1,
            Relation::Equal { .. } => self.equal += 1,
            Relation::Undecided { .. } | Relation::Open(_) => {
                self.undecided += 1;
            }
        }
    }
}

impl Compared {
    fn of(column: &Column, draws: &Draws) -> Compared {
        let Column { estimator, samples } = column;
        let ratio = |over: usize, under: usize| {
            let [over, under] = [over, under].map(|index| &samples[index]);
            Spread::of_ratio(over, under, *estimator, draws)
                .expect("all contestants have values")
        };
        let value = |index: &usize| samples[*index].value;
        let leader = (0..CONTESTANTS)
            .min_by(|one, other| value(one).total_cmp(&value(other)))
            .expect("a table has contestants");
        let others = (0..CONTESTANTS).filter(|other| *other != leader);
        Compared {
            own: ratio(CONTESTANTS, 0),
            others: others.map(|other| ratio(other, leader)).collect(),
            // Any two will do, as long as the data don't choose them.
            pair: ratio(2, 1),
        }
    }
}

impl Noise {
    /// Returns the deviations of a recorded run: of each contestant, from the
    /// mean of all in the same turn or round.
    pub(crate) fn recorded(record: &Record) -> Option<Noise> {
        let mut figures = Vec::new();
        for scenario in &record.scenarios {
            for &figure in &scenario.figures {
                let names = record.entrants.iter();
                let names = names.map(|e| e.contestant.name.as_str());
                let samples = names.filter_map(|name| {
                    Sample::of(record, scenario, name, figure)
                });
                let samples: Vec<Sample> = samples.collect();
                let estimator = Estimator::of(scenario, figure);
                figures.extend(Deviations::of(&samples, estimator));
            }
        }
        (!figures.is_empty()).then_some(Noise::Recorded(figures))
    }

    fn table(&self, random: &mut Rng) -> Vec<Column> {
        match self {
            Noise::Model(model) => model.table(random),
            Noise::Recorded(figures) => {
                let mut columns = Vec::new();
                for index in 0..FIGURES {
                    columns.push(figures[index % figures.len()].column(random));
                }
                columns
            }
        }
    }
}

impl Model {
    /// Returns a table in which five figures are compared turn by turn, one by
    /// its sums over all turns, and one by few rounds of a single turn.
    fn table(&self, random: &mut Rng) -> Vec<Column> {
        let moments: Vec<Moment> = (1..=ROUNDS)
            .flat_map(|round| (1..=TURNS).map(move |cycle| (round, cycle)))
            .collect();
        let drift = moments.iter().map(|_| self.drift * normal(random));
        let drift: Vec<f64> = drift.collect();
        let estimator = |figure| match figure {
            BY_SUMS => Estimator::Sums,
            _ => Estimator::Logs,
        };
        let mut columns: Vec<Column> = (0..FIGURES)
            .map(|figure| Column {
                estimator: estimator(figure),
                samples: Vec::new(),
            })
            .collect();
        for _ in 0..=CONTESTANTS {
            let common = drift.iter().map(|drift| drift + self.half(random));
            let common: Vec<f64> = common.collect();
            for (figure, column) in columns.iter_mut().enumerate() {
                let starts = (0..ROUNDS).map(|_| self.start * normal(random));
                let starts: Vec<f64> = starts.collect();
                let logs =
                    moments.iter().zip(&common).map(|(moment, common)| {
                        let own = self.half(random) + self.lost(random);
                        (*moment, common + own + starts[moment.0 as usize - 1])
                    });
                let is_kept = |(moment, _): &(Moment, f64)| {
                    figure != BY_ROUND || is_of_few(*moment)
                };
                let sample = sample(logs.filter(is_kept).collect());
                column.samples.push(match figure {
                    BY_ROUND => sample.by_round(),
                    _ => sample,
                });
            }
        }
        columns
    }

    /// Returns a number with half the variance of a turn.
    fn half(&self, random: &mut Rng) -> f64 {
        self.turn * 0.5_f64.sqrt() * normal(random)
    }

    /// Returns what a turn loses, if it is disturbed.
    fn lost(&self, random: &mut Rng) -> f64 {
        let is_disturbed = random.f64() < self.disturbed;
        if is_disturbed { random.f64() * self.loss } else { 0.0 }
    }
}

/// Returns `true` for the turns of a figure that has few.
fn is_of_few((round, cycle): Moment) -> bool {
    round <= FEW_ROUNDS && cycle == 1
}

impl Deviations {
    /// Returns the deviations from the mean of all contestants, so that each of
    /// these is equal to the others. `None` if there are too few rounds.
    fn of(samples: &[Sample], estimator: Estimator) -> Option<Deviations> {
        let first = samples.first()?;
        let is_in_turns = first.is_in_turns;
        let moments = first.portions.keys().filter(|moment| {
            samples.iter().all(|sample| {
                let portion = sample.portions.get(*moment);
                portion.is_some_and(|[over, under]| over * under > 0.0)
            })
        });
        let moments: Vec<Moment> = moments.copied().collect();
        let mean =
            |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let logs: Vec<Vec<f64>> = samples
            .iter()
            .map(|sample| {
                let logs =
                    moments.iter().map(|moment| &sample.portions[moment]);
                logs.map(|[over, under]| (over / under).ln()).collect()
            })
            .collect();
        let means: Vec<f64> = (0..moments.len())
            .map(|at| mean(&logs.iter().map(|l| l[at]).collect::<Vec<_>>()))
            .collect();
        let contestants = logs.iter().map(|logs| {
            let apart: Vec<f64> =
                logs.iter().zip(&means).map(|(log, mean)| log - mean).collect();
            let middle = estimator.middle(&apart);
            let apart = apart.into_iter().map(|apart| apart - middle);
            moments.iter().copied().zip(apart).collect()
        });
        let contestants: Vec<BTreeMap<Moment, f64>> = contestants.collect();
        let mut rounds: Vec<u64> = moments.iter().map(|(r, _)| *r).collect();
        rounds.dedup();
        let deviations = Deviations { is_in_turns, estimator, contestants };
        (rounds.len() >= RECORDED_MIN).then_some(deviations)
    }

    /// Returns a simulated figure: each contestant has the deviations of one of
    /// the run's contestants, in rounds that are drawn again.
    fn column(&self, random: &mut Rng) -> Column {
        let known = self.contestants[0].keys().map(|(round, _)| *round);
        let known: Vec<u64> = known.collect();
        let samples = (0..=CONTESTANTS).map(|_| {
            let chosen = random.usize(..self.contestants.len());
            let source = &self.contestants[chosen];
            let drawn = (0..ROUNDS).map(|_| known[random.usize(..known.len())]);
            let drawn: Vec<u64> = drawn.collect();
            let logs = (1..).zip(&drawn).flat_map(|(round, drawn)| {
                let turns = source.range((*drawn, 0)..=(*drawn, u64::MAX));
                turns.map(move |((_, cycle), log)| ((round, *cycle), *log))
            });
            let mut sample = sample(logs.collect());
            sample.is_in_turns = self.is_in_turns;
            sample
        });
        Column { estimator: self.estimator, samples: samples.collect() }
    }
}

/// Returns a sample with these logarithms.
fn sample(logs: Vec<(Moment, f64)>) -> Sample {
    let portions: BTreeMap<Moment, [f64; 2]> =
        logs.into_iter().map(|(at, log)| (at, [log.exp(), 1.0])).collect();
    Sample::from_portions(portions, true)
}

/// Returns a normally distributed number, by the method of Box and Muller.
fn normal(random: &mut Rng) -> f64 {
    let radius = (-2.0 * (1.0 - random.f64()).ln()).sqrt();
    radius * (2.0 * std::f64::consts::PI * random.f64()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_contestants_rarely_differ_and_a_large_difference_is_found() {
        let curve = simulate(&Noise::Model(MODEL), 8, 0.03, 1);
        assert!(curve.false_tables <= 1, "{curve:?}");
        assert!(curve.covered * 100 >= curve.intervals * 88, "{curve:?}");
        let [equal, .., large] = curve.outcomes;
        assert_eq!(equal.differs, 0, "{curve:?}");
        // Those that aren't found are those of the figure with few rounds.
        assert!(large.undecided <= curve.tables, "{curve:?}");
        assert!(large.differs >= curve.tables * (FIGURES - 1), "{curve:?}");
    }
}
