//! What a run says: estimates, noise, ties, and who held whom up.

use std::collections::BTreeMap;
use std::fmt;

use crate::load::report::BUSY_SHARE;
use crate::record::{Record, ratios};
use crate::scenarios::{Figure, Scenario};
use crate::statistics::{Estimate, median};
use crate::verdict::{self, ROUNDS_MIN};

/// Above this share of the machine's time, others disturb.
const DISTURBED_SHARE: f64 = 0.05;

/// An interval that is a larger share of its median is wide.
const WIDE_SHARE: f64 = 0.25;

/// How one contestant's figure stands to the best one's.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Standing {
    /// No difference that is more than noise.
    Tied,
    /// This many times as much.
    Times(Estimate),
}

/// Why a figure that was measured should not be leaned on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Doubt {
    /// The hypervisor took this share of the machine's time.
    Stolen(f64),
    /// Others than the server and its load used this share of it.
    Foreign(f64),
    /// The interval is this share of the median wide.
    Wide(f64),
    /// The load generator was on its cores for this share of the window.
    BusyGenerator(f64),
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, share) = match self {
            Doubt::Stolen(share) => {
                ("the hypervisor took part of the machine's time", share)
            }
            Doubt::Foreign(share) => {
                ("others used part of the machine's time", share)
            }
            Doubt::Wide(share) => {
                ("the interval is wide for its median", share)
            }
            Doubt::BusyGenerator(share) => {
                ("the load generator was busy nearly all of the time", share)
            }
        };
        write!(f, "{what} ({:.0} %)", share * 100.0)
    }
}

/// A record, read.
pub(crate) struct Findings<'a> {
    record: &'a Record,
}

impl<'a> Findings<'a> {
    /// Of this run.
    pub(crate) fn of(record: &'a Record) -> Findings<'a> {
        Findings { record }
    }

    /// A figure of one contestant.
    pub(crate) fn estimate(
        &self,
        scenario: &Scenario,
        entrant: &str,
        figure: Figure,
    ) -> Option<Estimate> {
        let values = self.record.figure(scenario, entrant, figure);
        self.estimate_of(&values)
    }

    /// How far apart two runs of the same server came out, as a share: what
    /// is less is noise.
    pub(crate) fn noise_floor(
        &self,
        scenario: &Scenario,
        figure: Figure,
    ) -> Option<f64> {
        let (again, first) = self.twin()?;
        let ratios = ratios(
            &self.record.figure(scenario, again, figure),
            &self.record.figure(scenario, first, figure),
        );
        let Estimate { low, high, .. } = self.estimate_of(&ratios)?;
        Some(distance(low).max(distance(high)).exp_m1())
    }

    /// The entrant that takes part a second time, and who it is.
    pub(crate) fn twin(&self) -> Option<(&'a str, &'a str)> {
        self.record.entrants.iter().find_map(|entrant| {
            let first = entrant.again.as_deref()?;
            Some((entrant.contestant.name.as_str(), first))
        })
    }

    /// How `other` stands to `best`, by the ratio of each round.
    pub(crate) fn standing(
        &self,
        scenario: &Scenario,
        other: &str,
        best: &str,
        figure: Figure,
    ) -> Option<Standing> {
        let ratios = ratios(
            &self.record.figure(scenario, other, figure),
            &self.record.figure(scenario, best, figure),
        );
        if ratios.len() < ROUNDS_MIN {
            return None;
        }
        let times = self.estimate_of(&ratios)?;
        let floor = self.noise_floor(scenario, figure).unwrap_or(0.0);
        Some(match verdict::is_tie(&times, floor) {
            true => Standing::Tied,
            false => Standing::Times(times),
        })
    }

    /// Why a figure should not be leaned on, if there is a reason. A void cell
    /// has no figure, and so no doubt.
    pub(crate) fn doubts(
        &self,
        scenario: &Scenario,
        entrant: &str,
        figure: Figure,
    ) -> Vec<Doubt> {
        let Some(estimate) = self.estimate(scenario, entrant, figure) else {
            return Vec::new();
        };
        let shares = self.machine_shares(scenario, entrant);
        let (stolen, foreign) = shares.unwrap_or((0.0, 0.0));
        let width = (estimate.high - estimate.low) / estimate.median;
        let busy = self.busy_generator(scenario, entrant);
        // What it costs the server holds, however busy its clients are.
        let busy =
            busy.filter(|_| !matches!(figure, Figure::Cost | Figure::Rss));
        let doubts = [
            (stolen > DISTURBED_SHARE).then_some(Doubt::Stolen(stolen)),
            (foreign > DISTURBED_SHARE).then_some(Doubt::Foreign(foreign)),
            (width > WIDE_SHARE).then_some(Doubt::Wide(width)),
            busy.map(Doubt::BusyGenerator),
        ];
        doubts.into_iter().flatten().collect()
    }

    /// The contestants that none is better than, beyond the noise, by this
    /// figure: the best one first, then those that tie with it.
    pub(crate) fn best(
        &self,
        scenario: &Scenario,
        figure: Figure,
    ) -> Vec<&'a str> {
        let mut found: Vec<(&str, f64)> = self
            .record
            .contestants()
            .filter_map(|contestant| {
                let name = contestant.name.as_str();
                let estimate = self.estimate(scenario, name, figure)?;
                Some((name, estimate.median))
            })
            .collect();
        found.sort_by(|(_, one), (_, other)| {
            let order = one.total_cmp(other);
            if figure.more_is_better() { order.reverse() } else { order }
        });
        let Some(&(best, _)) = found.first() else { return Vec::new() };
        let ties = |name: &str| {
            let standing = self.standing(scenario, name, best, figure);
            standing == Some(Standing::Tied)
        };
        let others = found[1..].iter().map(|(name, _)| *name);
        [best].into_iter().chain(others.filter(|name| ties(name))).collect()
    }

    /// The shares of the machine's time that went to the hypervisor, and to
    /// others than the server and its load. Added up over the rounds, because
    /// the kernel counts in ticks; `None` where it can't be known.
    fn machine_shares(
        &self,
        scenario: &Scenario,
        entrant: &str,
    ) -> Option<(f64, f64)> {
        let rounds = &self.record.cell(&scenario.name, entrant)?.rounds;
        let (mut stolen, mut busy, mut ours, mut all) = (0, 0, 0, 0);
        for round in rounds {
            let report = &round.report;
            let machine = report.machine.value?;
            stolen += machine.stolen_ns;
            busy += machine.busy_ns;
            all += machine.all_ns;
            ours += report.server_cpu_ns.value? + report.generator_cpu_ns;
        }
        if all == 0 {
            return None;
        }
        // The second server of a contestant is not among what is ours.
        let is_apart = scenario.groups.iter().any(|group| group.apart);
        let foreign = if is_apart { 0 } else { busy.saturating_sub(ours) };
        let share = |part: u64| part as f64 / all as f64;
        Some((share(stolen), share(foreign)))
    }

    /// The share of its core that the load generator was on, if that was so
    /// high that the rate is only a lower bound.
    pub(crate) fn busy_generator(
        &self,
        scenario: &Scenario,
        entrant: &str,
    ) -> Option<f64> {
        let cell = self.record.cell(&scenario.name, entrant)?;
        let rounds = cell.rounds.iter();
        let mut shares: Vec<f64> =
            rounds.map(|round| round.report.generator_share()).collect();
        median(&mut shares).filter(|share| *share > BUSY_SHARE)
    }

    fn estimate_of(&self, by_round: &BTreeMap<u64, f64>) -> Option<Estimate> {
        let values: Vec<f64> = by_round.values().copied().collect();
        Estimate::of(&values, self.record.seed)
    }
}

/// How far a ratio is from 1: as far as its inverse, and without a limit on
/// either side.
fn distance(ratio: f64) -> f64 {
    ratio.ln().abs()
}
