//! The raw values of a figure of one cell: one for each turn, or one for each
//! round where turns don't have the figure.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::analysis::statistics::median;
use crate::model::figure::Figure;
use crate::model::load_report::LoadReport;
use crate::model::record::{CellRecord, Record, Round, Turn};
use crate::model::scenarios::Scenario;
use crate::model::times::Times;

/// A round, and a cycle within it; 0 stands for the whole round.
pub(crate) type Moment = (u64, u64);

/// The raw values of a figure of one cell.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    /// The figure over all rounds.
    pub(crate) value: f64,
    /// The two counts whose ratio is the figure, such as replies and time.
    pub(crate) portions: BTreeMap<Moment, [f64; 2]>,
    /// The figure of each round.
    pub(crate) rounds: BTreeMap<u64, f64>,
    /// Whether there is a value for each turn.
    pub(crate) is_in_turns: bool,
}

impl Sample {
    /// Returns the values of a figure, or `None` if it was not measured.
    pub(crate) fn of(
        record: &Record,
        scenario: &Scenario,
        entrant: &str,
        figure: Figure,
    ) -> Option<Sample> {
        let rounds = record.figure(scenario, entrant, figure);
        if rounds.is_empty() {
            return None;
        }
        let cell = record.cell(&scenario.name, entrant)?;
        let portions = match figure {
            Figure::Left => left(record, scenario, entrant)?,
            _ => match in_turns(cell, scenario, figure) {
                Some(portions) => portions,
                None => {
                    rounds.iter().map(|(r, v)| ((*r, 0), [*v, 1.0])).collect()
                }
            },
        };
        let is_in_turns = portions.keys().any(|(_, cycle)| *cycle > 0);
        let value = if let Some(times) = merged(cell, scenario, figure) {
            times as f64
        } else if is_in_turns || figure == Figure::Left {
            quotient(sum(portions.values()))
        } else {
            median(&mut rounds.values().copied().collect::<Vec<_>>())?
        };
        Some(Sample { value, portions, rounds, is_in_turns })
    }

    /// Returns the geometric mean of several contestants' figures in each turn
    /// that all of them have, or `None` if there are none.
    pub(crate) fn mean(samples: &[Rc<Sample>]) -> Option<Sample> {
        let is_in_turns = samples.iter().all(|sample| sample.is_in_turns);
        let alike: Vec<Sample> = samples
            .iter()
            .map(|sample| {
                if is_in_turns {
                    sample.as_ref().clone()
                } else {
                    sample.by_round()
                }
            })
            .collect();
        let log = |sample: &Sample, moment: &Moment| {
            let [over, under] = sample.portions.get(moment)?;
            Some((over / under).ln()).filter(|log| log.is_finite())
        };
        let moments = alike.first()?.portions.keys();
        let means = moments.filter_map(|moment| {
            let logs = alike.iter().map(|sample| log(sample, moment));
            let sum = logs.sum::<Option<f64>>()?;
            Some((*moment, [(sum / alike.len() as f64).exp(), 1.0]))
        });
        let portions: BTreeMap<Moment, [f64; 2]> = means.collect();
        let sample = Sample::from_portions(portions, is_in_turns);
        (!sample.portions.is_empty()).then_some(sample)
    }

    /// Returns the sample of a ratio of two counts.
    pub(crate) fn from_portions(
        portions: BTreeMap<Moment, [f64; 2]>,
        is_in_turns: bool,
    ) -> Sample {
        let mut by_round: BTreeMap<u64, [f64; 2]> = BTreeMap::new();
        for ((round, _), portion) in &portions {
            let all = by_round.entry(*round).or_default();
            *all = sum([*all, *portion].iter());
        }
        let rounds = by_round.into_iter();
        let rounds = rounds.map(|(r, portion)| (r, quotient(portion)));
        Sample {
            value: quotient(sum(portions.values())),
            rounds: rounds.collect(),
            portions,
            is_in_turns,
        }
    }

    /// Returns the sample with one value for each round. For a quantile, that
    /// is the one of all times of the round.
    pub(crate) fn by_round(&self) -> Sample {
        let mut sample = self.clone();
        if self.is_in_turns {
            let rounds = self.rounds.iter();
            let portions = rounds.map(|(r, value)| ((*r, 0), [*value, 1.0]));
            sample.portions = portions.collect();
            sample.is_in_turns = false;
        }
        sample
    }
}

/// Returns the counts of each turn, or `None` if a turn lacks the figure.
fn in_turns(
    cell: &CellRecord,
    scenario: &Scenario,
    figure: Figure,
) -> Option<BTreeMap<Moment, [f64; 2]>> {
    let turns = cell.rounds.iter().flat_map(|round| {
        round.turns.iter().map(move |turn| (round.round, turn))
    });
    let portions = turns.map(|(round, turn)| {
        Some(((round, turn.cycle), of_turn(turn, scenario, figure)?))
    });
    let is_in_turns = |round: &Round| !round.turns.is_empty();
    if !cell.rounds.iter().all(is_in_turns) {
        return None;
    }
    portions.collect()
}

/// Returns the two counts whose ratio is the figure of one turn.
fn of_turn(
    turn: &Turn,
    scenario: &Scenario,
    figure: Figure,
) -> Option<[f64; 2]> {
    let replies = |is_counted: &dyn Fn(usize) -> bool| {
        let groups = turn.replies.iter().enumerate();
        let groups = groups.filter(|(index, _)| is_counted(*index));
        groups.map(|(_, replies)| *replies).sum::<u64>() as f64
    };
    match figure {
        Figure::Rate => {
            let name = &scenario.measured_group;
            let own = scenario.groups.iter().position(|g| g.name == *name)?;
            let seconds = turn.window_ns as f64 / 1e9;
            Some([replies(&|index| index == own), seconds])
        }
        Figure::Cost => {
            // Clients of a second server cost this one no CPU time.
            let all = replies(&|index| {
                scenario.groups.get(index).is_some_and(|group| !group.apart)
            });
            let cpu_ns = turn.server_cpu_ns? as f64;
            (all > 0.0).then_some([cpu_ns, all])
        }
        Figure::Time | Figure::P50 => Some([turn.p50_ns? as f64, 1.0]),
        Figure::P99 => Some([turn.p99_ns? as f64, 1.0]),
        Figure::Rss
        | Figure::Threads
        | Figure::PerClient
        | Figure::Left
        | Figure::ResponseP50
        | Figure::ResponseP99
        | Figure::VoluntarySwitches
        | Figure::InvoluntarySwitches
        | Figure::Instructions
        | Figure::CacheMisses => None,
    }
}

/// Returns the rate, and the rate in the scenario `against`, of each round that
/// has both.
fn left(
    record: &Record,
    scenario: &Scenario,
    entrant: &str,
) -> Option<BTreeMap<Moment, [f64; 2]>> {
    let rates = record.figure(scenario, entrant, Figure::Rate);
    let against = record.against(scenario)?;
    let against = record.figure(against, entrant, Figure::Rate);
    let both = rates.iter().filter_map(|(round, rate)| {
        let against = against.get(round).filter(|rate| **rate > 0.0)?;
        Some(((*round, 0), [*rate, *against]))
    });
    Some(both.collect())
}

/// Returns the times of one round, if it has them.
type TimesOf<'a> = dyn Fn(&LoadReport) -> Option<Times> + 'a;

/// Returns a quantile of the times of all rounds, if the figure is one.
fn merged(
    cell: &CellRecord,
    scenario: &Scenario,
    figure: Figure,
) -> Option<u64> {
    let service = |report: &LoadReport| -> Option<Times> {
        let group = report.group(&scenario.measured_group)?;
        Some(group.service_ns.clone())
    };
    let response = |report: &LoadReport| -> Option<Times> {
        let group = report.group(&scenario.measured_group)?;
        Some(group.open.as_ref()?.response_ns.clone())
    };
    let (of, quantile): (&TimesOf<'_>, f64) = match figure {
        Figure::Time | Figure::P50 => (&service, 0.5),
        Figure::P99 => (&service, 0.99),
        Figure::ResponseP50 => (&response, 0.5),
        Figure::ResponseP99 => (&response, 0.99),
        Figure::Rate
        | Figure::Cost
        | Figure::Rss
        | Figure::Threads
        | Figure::PerClient
        | Figure::Left
        | Figure::VoluntarySwitches
        | Figure::InvoluntarySwitches
        | Figure::Instructions
        | Figure::CacheMisses => return None,
    };
    let mut all = cell.rounds.iter().filter_map(|round| of(&round.report));
    let mut times = all.next()?;
    all.for_each(|other| times.add(&other));
    times.at_quantile_ns(quantile)
}

/// Returns the sums of both counts.
pub(crate) fn sum<'a>(
    portions: impl Iterator<Item = &'a [f64; 2]>,
) -> [f64; 2] {
    portions.fold([0.0; 2], |[over, under], portion| {
        [over + portion[0], under + portion[1]]
    })
}

/// Divides two counts; 0 divided by 0 is 1, because they are equal.
pub(crate) fn quotient([over, under]: [f64; 2]) -> f64 {
    if over == under { 1.0 } else { over / under }
}
