//! The findings of a run: estimates, how contestants compare, bottlenecks, and
//! the reasons why figures are suspect.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

use crate::analysis::bootstrap::{self, Draws, Estimator, Family, Spread};
use crate::analysis::difference::{
    self, GENERATOR_WAS_BUSY, MARGIN, ROUNDS_MIN, TOO_FEW_ROUNDS,
};
use crate::analysis::relation::Yardstick;
pub(crate) use crate::analysis::relation::{Relation, Standing};
use crate::analysis::samples::Sample;
use crate::analysis::statistics::{Estimate, median};
use crate::model::contestant::Contestant;
use crate::model::figure::Figure;
use crate::model::load_report::{BUSY_SHARE, GroupReport};
use crate::model::record::{Record, Round};
use crate::model::scenarios::Scenario;

/// The share of the machine's time, taken by other processes or by the
/// hypervisor, above which a figure is suspect.
const DISTURBED_SHARE: f64 = 0.05;

/// The share of the time, for which a control group stopped the run, above
/// which a figure is suspect. While it is stopped, each reply waits for up to a
/// period of the group, 100 ms by default.
const THROTTLED_SHARE: f64 = 0.01;

/// The share of the requests without a time above which a service time is
/// suspect: a tenth of those from which the 99th percentile is taken.
const UNFINISHED_SHARE: f64 = 0.001;

/// The least time of all processors, over all rounds, from which shares of it
/// are known: the kernel states it in ticks of 10 ms at both ends of each round.
const MACHINE_KNOWN_NS: u64 = 1_000_000_000;

/// The reason why a comparison is open between contestants that computed
/// different n.
const ANOTHER_N: &str = "they computed different n";

/// The reason why a figure is suspect.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Doubt {
    /// The hypervisor took this share of the machine's time.
    Stolen(f64),
    /// Processes other than the server and the load generator took this share
    /// of the machine's time.
    Foreign(f64),
    /// A control group stopped the run for this share of the time.
    Throttled(f64),
    /// The load generator occupied its core for this share of the window.
    BusyGenerator(f64),
    /// This share of the clients got no reply in the whole window, so their
    /// wait isn't included.
    Starved(f64),
    /// This share of the requests had no reply when their turn ended, so their
    /// times aren't included.
    Unfinished(f64),
    /// This share of the requests was never answered.
    Unanswered(f64),
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = match self {
            Doubt::Stolen(share) | Doubt::Foreign(share) => share,
            Doubt::BusyGenerator(share) | Doubt::Throttled(share) => share,
            Doubt::Starved(share) | Doubt::Unanswered(share) => share,
            Doubt::Unfinished(share) => share,
        };
        match share * 100.0 {
            // One request in ten thousand must not be printed as 0 %.
            percent if percent < 1.0 => {
                write!(f, "{} (under 1 %)", self.reason())
            }
            percent => write!(f, "{} ({percent:.0} %)", self.reason()),
        }
    }
}

impl Doubt {
    /// Returns the reason without the share.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Doubt::Stolen(_) => {
                "the hypervisor took more than 5 % of the machine's time"
            }
            Doubt::Foreign(_) => {
                "other processes took more than 5 % of the machine's time"
            }
            Doubt::Throttled(_) => {
                "a control group's CPU quota stopped the run for more than \
                 1 % of the time"
            }
            Doubt::Starved(_) => {
                "some clients got no reply, so their wait isn't included"
            }
            Doubt::Unfinished(_) => {
                "some replies came after the end of their turn, so their \
                 times aren't included"
            }
            Doubt::Unanswered(_) => {
                "some requests were never answered, so the true time is \
                 longer"
            }
            Doubt::BusyGenerator(_) => {
                "the load generator occupied its core for more than 95 % of \
                 the window"
            }
        }
    }
}

/// The findings of one run, computed from its record on demand.
pub(crate) struct Findings<'a> {
    record: &'a Record,
    margin: f64,
    draws: RefCell<HashMap<String, Rc<Draws>>>,
    samples: RefCell<HashMap<CellFigure, Option<Rc<Sample>>>>,
    spreads: RefCell<HashMap<Pair, Option<Rc<Spread>>>>,
    /// By table, the error of a single comparison with which that of the table
    /// is 5 %.
    errors: RefCell<HashMap<String, f64>>,
}

/// A scenario, a contestant and a figure.
type CellFigure = (String, String, Figure);

/// A scenario, two contestants and a figure.
type Pair = (String, [String; 2], Figure);

impl<'a> Findings<'a> {
    /// Returns the findings of the run in `record`, with the usual margin.
    pub(crate) fn of(record: &'a Record) -> Findings<'a> {
        Findings::with_margin(record, MARGIN)
    }

    /// Returns the findings of the run in `record`. Figures that differ by less
    /// than the share `margin` are equal.
    pub(crate) fn with_margin(record: &'a Record, margin: f64) -> Findings<'a> {
        Findings {
            record,
            margin,
            draws: RefCell::default(),
            samples: RefCell::default(),
            spreads: RefCell::default(),
            errors: RefCell::default(),
        }
    }

    /// Returns the share by which equal figures may differ.
    pub(crate) fn margin(&self) -> f64 {
        self.margin
    }

    /// Returns a figure of one contestant, if it was measured.
    pub(crate) fn estimate(
        &self,
        scenario: &Scenario,
        entrant: &str,
        figure: Figure,
    ) -> Option<Estimate> {
        let spread = self.spread(scenario, entrant, figure)?;
        Some(spread.estimate())
    }

    /// Returns the ratio of the alias to the contestant that takes part under
    /// it a second time. Any difference between the two is noise.
    pub(crate) fn self_relation(
        &self,
        scenario: &Scenario,
        figure: Figure,
    ) -> Option<Estimate> {
        let (alias, first) = self.alias()?;
        let spread = self.ratio(scenario, [alias, first], figure)?;
        Some(spread.estimate())
    }

    /// Returns the name of the alias under which a contestant takes part a
    /// second time, and the name of that contestant.
    pub(crate) fn alias(&self) -> Option<(&'a str, &'a str)> {
        self.record.entrants.iter().find_map(|entrant| {
            let first = entrant.alias_of.as_deref()?;
            Some((entrant.contestant.name.as_str(), first))
        })
    }

    /// Compares `other` with `base`, turn by turn, or round by round if they
    /// were not measured in turns. Returns `None` if one of them has no figure.
    pub(crate) fn relation(
        &self,
        scenario: &Scenario,
        other: &str,
        base: &str,
        figure: Figure,
    ) -> Option<Relation> {
        let spread = self.ratio(scenario, [other, base], figure)?;
        if [other, base].iter().any(|n| self.computes_another_n(scenario, n)) {
            return Some(Relation::Open(ANOTHER_N));
        }
        if spread.rounds < ROUNDS_MIN {
            return Some(Relation::Open(TOO_FEW_ROUNDS));
        }
        let yardstick = self.yardstick(scenario, figure);
        let relation = Relation::of(&spread, &yardstick);
        let is_bound = [base, other]
            .map(|name| self.is_lower_bound(scenario, name, figure));
        let is_open = relation.times().is_some_and(|times| {
            difference::is_open(times, !relation.is_different(), is_bound)
        });
        Some(if is_open {
            Relation::Open(GENERATOR_WAS_BUSY)
        } else {
            relation
        })
    }

    /// Compares all contestants with the one that has the best value.
    pub(crate) fn standing(
        &self,
        scenario: &Scenario,
        figure: Figure,
    ) -> Standing<'a> {
        let ranked = self.ranked(scenario, figure);
        let names = ranked.iter().map(|(name, _)| *name);
        // In an open loop, the scenario sets the rate, not the contestant.
        if figure == Figure::Rate && scenario.is_offered() {
            return Standing::undecided(names.collect());
        }
        let Some(leader) = names.clone().next() else {
            return Standing::undecided(Vec::new());
        };
        let relations = names.skip(1).filter_map(|name| {
            let relation = self.relation(scenario, name, leader, figure)?;
            Some((name, relation))
        });
        Standing::of(leader, relations.collect(), figure)
    }

    /// Returns what the ratios of a figure are judged by.
    fn yardstick(&self, scenario: &Scenario, figure: Figure) -> Yardstick {
        let noise = self.self_relation(scenario, figure);
        let column = self.column(scenario, figure);
        Yardstick {
            margin: self.margin,
            noise: noise.map_or(0.0, |noise| noise.value.ln().abs()),
            typical: bootstrap::typical_error(column.iter().map(Rc::as_ref)),
            error: self.error(scenario),
        }
    }

    /// Returns the error of a single comparison with which the probability of
    /// any false difference in the scenario's table is 5 %. A scenario that is
    /// only measured on request is a table of its own.
    fn error(&self, scenario: &Scenario) -> f64 {
        let table = table_of(scenario);
        if let Some(known) = self.errors.borrow().get(table) {
            return *known;
        }
        let mut family = Family::default();
        let scenarios = self.record.scenarios.iter();
        for scenario in scenarios.filter(|other| table_of(other) == table) {
            for &figure in &scenario.figures {
                let column = self.column(scenario, figure);
                column.iter().for_each(|ratio| family.add(ratio));
            }
        }
        let error = family.error_of_each();
        self.errors.borrow_mut().insert(table.to_owned(), error);
        error
    }

    /// Returns the ratios that the table shows of a figure: of each contestant
    /// to the leader, and of the alias to its contestant.
    fn column(&self, scenario: &Scenario, figure: Figure) -> Vec<Rc<Spread>> {
        let ranked = self.ranked(scenario, figure);
        let mut names = ranked.iter().map(|(name, _)| *name);
        let leader = names.next();
        let others = names.filter_map(|other| Some([other, leader?]));
        let alias = self.alias().map(<[&str; 2]>::from);
        let pairs = others.chain(alias);
        pairs.filter_map(|pair| self.ratio(scenario, pair, figure)).collect()
    }

    /// Returns the ratio of two contestants' figures.
    pub(crate) fn ratio(
        &self,
        scenario: &Scenario,
        pair: [&str; 2],
        figure: Figure,
    ) -> Option<Rc<Spread>> {
        let key = (scenario.name.clone(), pair.map(str::to_owned), figure);
        if let Some(known) = self.spreads.borrow().get(&key) {
            return known.clone();
        }
        let [over, under] =
            pair.map(|name| self.sample(scenario, name, figure));
        let spread = over.zip(under).and_then(|(over, under)| {
            let estimator = Estimator::of(scenario, figure);
            let draws = self.draws(scenario);
            Spread::of_ratio(&over, &under, estimator, &draws)
        });
        let spread = spread.map(Rc::new);
        self.spreads.borrow_mut().insert(key, spread.clone());
        spread
    }

    /// Returns the ratio of a contestant's figure to the geometric mean of those
    /// of others.
    pub(crate) fn ratio_to_mean(
        &self,
        scenario: &Scenario,
        entrant: &str,
        others: &[&str],
        figure: Figure,
    ) -> Option<Spread> {
        let own = self.sample(scenario, entrant, figure)?;
        let others = others.iter();
        let others: Option<Vec<Rc<Sample>>> =
            others.map(|name| self.sample(scenario, name, figure)).collect();
        let mean = Sample::mean(&others?)?;
        let estimator = Estimator::of(scenario, figure);
        Spread::of_ratio(&own, &mean, estimator, &self.draws(scenario))
    }

    /// Returns a figure of one contestant, and how far it may deviate.
    pub(crate) fn spread(
        &self,
        scenario: &Scenario,
        entrant: &str,
        figure: Figure,
    ) -> Option<Spread> {
        let sample = self.sample(scenario, entrant, figure)?;
        // Further rounds of other contestants must not change the interval.
        if self.record.judged_after.len() > 1 && !sample.is_in_turns {
            let moments = sample.portions.keys().copied();
            return Spread::of(&sample, &Draws::new(moments, self.record.seed));
        }
        Spread::of(&sample, &self.draws(scenario))
    }

    /// Returns the raw values of a figure.
    pub(crate) fn sample(
        &self,
        scenario: &Scenario,
        entrant: &str,
        figure: Figure,
    ) -> Option<Rc<Sample>> {
        let key = (scenario.name.clone(), entrant.to_owned(), figure);
        if let Some(known) = self.samples.borrow().get(&key) {
            return known.clone();
        }
        let sample = Sample::of(self.record, scenario, entrant, figure);
        let sample = sample.map(Rc::new);
        self.samples.borrow_mut().insert(key, sample.clone());
        sample
    }

    /// Returns the draws for a scenario. The figures of all its contestants are
    /// drawn together; those of other scenarios are independent.
    pub(crate) fn draws(&self, scenario: &Scenario) -> Rc<Draws> {
        let mut draws = self.draws.borrow_mut();
        if let Some(known) = draws.get(&scenario.name) {
            return known.clone();
        }
        let row = self.record.cells.get(&scenario.name);
        let cells = row.into_iter().flat_map(|row| row.values());
        let moments = cells.flat_map(|cell| &cell.rounds).flat_map(|round| {
            let cycles = round.turns.iter().map(|turn| turn.cycle);
            cycles.chain([0]).map(move |cycle| (round.round, cycle))
        });
        let mut names = self.record.cells.keys();
        let place = names.position(|name| *name == scenario.name);
        let seed = self.record.seed.wrapping_add(place.unwrap_or(0) as u64);
        let drawn = Rc::new(Draws::new(moments, seed));
        draws.insert(scenario.name.clone(), drawn.clone());
        drawn
    }

    /// Returns `true` if a figure is only a lower bound because the load
    /// generator was the bottleneck.
    pub(crate) fn is_lower_bound(
        &self,
        scenario: &Scenario,
        entrant: &str,
        figure: Figure,
    ) -> bool {
        figure == Figure::Rate
            && self.busy_generator(scenario, entrant).is_some()
    }

    /// Returns the reasons why a figure is suspect. A void cell has no figure,
    /// so it has no reasons either, and a count per reply is not a time that
    /// anything could disturb. A rate for which the load generator was the
    /// bottleneck isn't suspect, but a lower bound.
    pub(crate) fn doubts(
        &self,
        scenario: &Scenario,
        entrant: &str,
        figure: Figure,
    ) -> Vec<Doubt> {
        if self.estimate(scenario, entrant, figure).is_none() {
            return Vec::new();
        }
        if figure.is_count() {
            return Vec::new();
        }
        let (stolen, foreign) = self.machine_shares(scenario, entrant);
        let busy = match figure {
            // These are valid, or for the rate a lower bound, however busy the
            // load generator is.
            Figure::Cost
            | Figure::Rss
            | Figure::PerClient
            | Figure::Threads
            | Figure::Rate
            | Figure::VoluntarySwitches
            | Figure::InvoluntarySwitches
            | Figure::Instructions
            | Figure::CacheMisses => None,
            Figure::Left => {
                let against = self.record.against(scenario);
                let busy = [Some(scenario), against].into_iter().flatten();
                let mut busy =
                    busy.filter_map(|s| self.busy_generator(s, entrant));
                busy.next()
            }
            Figure::Time
            | Figure::P50
            | Figure::P99
            | Figure::ResponseP50
            | Figure::ResponseP99 => self.busy_generator(scenario, entrant),
        };
        let doubts = [
            disturbing(stolen).map(Doubt::Stolen),
            disturbing(foreign).map(Doubt::Foreign),
            self.throttled(scenario, entrant).map(Doubt::Throttled),
            busy.map(Doubt::BusyGenerator),
            self.starved(scenario, entrant, figure).map(Doubt::Starved),
            self.unfinished(scenario, entrant, figure).map(Doubt::Unfinished),
            self.unanswered(scenario, entrant, figure).map(Doubt::Unanswered),
        ];
        doubts.into_iter().flatten().collect()
    }

    /// Returns `true` if the hypervisor or other processes took so much of the
    /// machine's time that a cell can't be compared with another run's.
    pub(crate) fn was_disturbed(
        &self,
        scenario: &Scenario,
        entrant: &str,
    ) -> bool {
        let (stolen, foreign) = self.machine_shares(scenario, entrant);
        let throttled = self.throttled(scenario, entrant);
        disturbing(stolen).or(disturbing(foreign)).or(throttled).is_some()
    }

    /// Returns for which share of the time a control group stopped the run, if
    /// that matters.
    fn throttled(&self, scenario: &Scenario, entrant: &str) -> Option<f64> {
        let cell = self.record.cell(&scenario.name, entrant)?;
        let times = cell.rounds.iter().filter_map(|r| r.report.machine.value);
        let (mut throttled, mut all) = (0, 0);
        for machine in times {
            throttled += machine.throttled_ns?;
            all += machine.all_ns;
        }
        let machine = &self.record.machine;
        let processors = machine.processors_online.value;
        let processors =
            processors.unwrap_or(machine.processors_allowed.len()).max(1);
        let share = (throttled * processors as u64) as f64 / all as f64;
        (share > THROTTLED_SHARE).then_some(share)
    }

    /// Returns the largest share, in any round, of clients without a reply in
    /// the whole window. Returns `None` if there were none, or if the figure
    /// isn't a service time: only those leave out the wait of such clients.
    pub(crate) fn starved(
        &self,
        scenario: &Scenario,
        entrant: &str,
        figure: Figure,
    ) -> Option<f64> {
        let groups = self.timed_groups(scenario, entrant, figure);
        let shares =
            groups.map(|group| group.starved as f64 / group.connections as f64);
        shares.reduce(f64::max).filter(|share| *share > 0.0)
    }

    /// Returns the share of requests, over all rounds, that had no reply when
    /// their turn ended, if it is so large that service times are suspect.
    fn unfinished(
        &self,
        scenario: &Scenario,
        entrant: &str,
        figure: Figure,
    ) -> Option<f64> {
        let groups = self.timed_groups(scenario, entrant, figure);
        let (mut unfinished, mut all) = (0, 0);
        for group in groups {
            unfinished += group.unfinished;
            all += group.unfinished + group.service_ns.count();
        }
        let share = unfinished as f64 / all.max(1) as f64;
        (share > UNFINISHED_SHARE).then_some(share)
    }

    /// Returns the reports of the measured group in all rounds, if the figure
    /// is a service time.
    fn timed_groups(
        &self,
        scenario: &Scenario,
        entrant: &str,
        figure: Figure,
    ) -> impl Iterator<Item = &'a GroupReport> {
        let is_timed =
            matches!(figure, Figure::Time | Figure::P50 | Figure::P99);
        let cell = self.record.cell(&scenario.name, entrant);
        let rounds = cell.filter(|_| is_timed).map(|cell| cell.rounds.iter());
        let name = scenario.measured_group.clone();
        rounds
            .into_iter()
            .flatten()
            .filter_map(move |round| round.report.group(&name))
    }

    /// Returns the largest share, in any round, of requests that were never
    /// answered. Returns `None` if there were none, or if the figure isn't a
    /// response time: only those include such requests, with the time that the
    /// load generator waited for them.
    fn unanswered(
        &self,
        scenario: &Scenario,
        entrant: &str,
        figure: Figure,
    ) -> Option<f64> {
        if !matches!(figure, Figure::ResponseP50 | Figure::ResponseP99) {
            return None;
        }
        let cell = self.record.cell(&scenario.name, entrant)?;
        let rounds = cell.rounds.iter();
        let shares = rounds.filter_map(|round| {
            let open =
                round.report.group(&scenario.measured_group)?.open.as_ref()?;
            let all = open.response_ns.count();
            (open.unanswered > 0).then(|| open.unanswered as f64 / all as f64)
        });
        shares.reduce(f64::max)
    }

    /// Returns the contestants with their figure, the best one first.
    /// Contestants whose figure can't be compared are left out: those with
    /// clients that got no reply, and those that computed a different n.
    pub(crate) fn ranked(
        &self,
        scenario: &Scenario,
        figure: Figure,
    ) -> Vec<(&'a str, Estimate)> {
        let names = self.record.contestants().map(|c| c.name.as_str());
        let mut found: Vec<(&str, Estimate)> = names
            .filter_map(|name| {
                Some((name, self.estimate(scenario, name, figure)?))
            })
            .collect();
        found
            .retain(|(name, _)| self.starved(scenario, name, figure).is_none());
        found.retain(|(name, _)| !self.computes_another_n(scenario, name));
        found.sort_by(|(_, one), (_, other)| {
            figure.better_first(one.value, other.value)
        });
        found
    }

    /// Returns `true` if a contestant computed a different n from the first
    /// one, because its `fib` was calibrated separately. Its times can't be
    /// compared with those of the others.
    pub(crate) fn computes_another_n(
        &self,
        scenario: &Scenario,
        name: &str,
    ) -> bool {
        let measured = scenario.measured();
        let Some(cost) = measured.and_then(|group| group.cost) else {
            return false;
        };
        let n_of = |contestant: &Contestant| {
            let mut known = self.record.calibration.iter();
            let fib = contestant.fib.as_deref();
            known.find(|known| known.is_for(cost, fib)).map(|known| known.n)
        };
        let mut contestants = self.record.contestants();
        let first = contestants.next().and_then(n_of);
        let mut contestants = self.record.contestants();
        let own = contestants.find(|c| c.name == name).and_then(n_of);
        own != first
    }

    /// Returns the shares of the machine's time that were taken by the
    /// hypervisor, and by processes other than those of the run. They are
    /// summed over the rounds because the kernel counts in ticks. `None` means
    /// that a share is unknown.
    fn machine_shares(
        &self,
        scenario: &Scenario,
        entrant: &str,
    ) -> (Option<f64>, Option<f64>) {
        let cell = self.record.cell(&scenario.name, entrant);
        let (mut stolen, mut all) = (0, 0);
        let (mut busy, mut own, mut known) = (0, 0, 0);
        for round in cell.iter().flat_map(|cell| &cell.rounds) {
            let Some(machine) = round.report.machine.value else { continue };
            stolen += machine.stolen_ns;
            all += machine.all_ns;
            if let Some(own_ns) = own_ns(round, scenario) {
                busy += machine.busy_ns;
                own += own_ns;
                known += machine.all_ns;
            }
        }
        let share = |part: u64, all: u64| {
            (all >= MACHINE_KNOWN_NS).then(|| part as f64 / all as f64)
        };
        (share(stolen, all), share(busy.saturating_sub(own), known))
    }

    /// Returns the share of the window for which the load generator occupied
    /// its core, if it was the bottleneck.
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
}

/// Returns the name of the table that a scenario belongs to: its own if it is
/// only measured on request, and otherwise that of the default run.
fn table_of(scenario: &Scenario) -> &str {
    if scenario.on_request { scenario.base() } else { "" }
}

/// Returns the CPU time of the run's own processes while the times of the
/// machine were taken, if it is known.
fn own_ns(round: &Round, scenario: &Scenario) -> Option<u64> {
    let report = &round.report;
    let machine = report.machine.value?;
    // The CPU time of a contestant's second server isn't recorded, and older
    // records have times of the machine in each turn, which are too short.
    let is_in_turns = !round.turns.is_empty();
    if is_in_turns || scenario.groups.iter().any(|group| group.apart) {
        return machine.own_ns;
    }
    Some(report.server_cpu_ns.value? + report.generator_cpu_ns)
}

/// Returns the share if it is so large that figures are suspect.
fn disturbing(share: Option<f64>) -> Option<f64> {
    share.filter(|share| *share > DISTURBED_SHARE)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::model::load_report::{LoadReport, MachineTimes, OpenLoop};
    use crate::model::machine::Machine;
    use crate::model::placement::Placement;
    use crate::model::reading::Reading;
    use crate::model::record::Turn;
    use crate::model::scenarios;
    use crate::model::times::Times;

    /// Returns the doubts about a figure of a server with these clients.
    fn doubts(
        scenario: &Scenario,
        group: GroupReport,
        figure: Figure,
    ) -> Vec<Doubt> {
        let machine = Machine::made_up(vec![0]);
        let mut record = Record::new(1, 1, machine);
        record.cell_mut(&scenario.name, "server").rounds.push(Round {
            placement: Placement { server: vec![0], load: vec![0] },
            ..Round::made_up(1, LoadReport::made_up(vec![group]))
        });
        Findings::of(&record).doubts(scenario, "server", figure)
    }

    fn load_curve() -> Scenario {
        let path = Path::new(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../bench/scenarios/load-curve.toml"
        ));
        scenarios::read_one(path).unwrap()
    }

    #[test]
    fn requests_without_a_reply_in_their_turn_make_service_times_suspect() {
        let scenario = load_curve();
        let doubts = |unfinished, figure| {
            let mut group = GroupReport::made_up(&scenario.measured_group);
            group.service_ns = Times::of(&[(1_000, 10_000 - unfinished)]);
            group.unfinished = unfinished;
            doubts(&scenario, group, figure)
        };
        assert_eq!(doubts(10, Figure::P99), []);
        assert_eq!(doubts(11, Figure::P99), [Doubt::Unfinished(0.0011)]);
        assert_eq!(doubts(11, Figure::Rate), []);
    }

    #[test]
    fn unanswered_requests_make_response_times_suspect() {
        let scenario = load_curve();
        let doubts = |unanswered, figure| {
            let mut group = GroupReport::made_up(&scenario.measured_group);
            group.service_ns = Times::of(&[(1_000, 2_000)]);
            group.open = Some(OpenLoop {
                response_ns: Times::of(&[(1_000, 2_000)]),
                lag_ns: Times::of(&[]),
                unanswered,
            });
            doubts(&scenario, group, figure)
        };
        let figures = [Figure::ResponseP50, Figure::ResponseP99];
        for figure in figures {
            assert_eq!(doubts(0, figure), []);
            assert_eq!(doubts(200, figure), [Doubt::Unanswered(0.1)]);
        }
        assert_eq!(doubts(200, Figure::P99), []);
        let one = Doubt::Unanswered(1.0 / 2_000.0).to_string();
        assert!(one.ends_with("(under 1 %)"), "{one}");
    }

    #[test]
    fn a_busy_machine_is_found_if_its_times_are_long_enough() {
        let ms = |ms: u64| ms * 1_000_000;
        let times = |busy, own, all| {
            let [busy_ns, all_ns] = [busy, all].map(ms);
            MachineTimes {
                busy_ns,
                stolen_ns: 0,
                all_ns,
                throttled_ns: None,
                own_ns: own,
            }
        };
        let turn = Turn {
            cycle: 1,
            place: 1,
            window_ns: ms(200),
            replies: vec![1],
            server_cpu_ns: Some(ms(40)),
            generator_busiest_ns: ms(40),
            p50_ns: None,
            p99_ns: None,
        };
        let (alone, turns) = (Vec::new(), vec![turn]);
        // The server and the load generator used 40 ms each in two rounds.
        let cases = [
            // Too short.
            (times(140, None, 499), &alone, false),
            // A neighbour on a quarter of one of two processors.
            (times(155, None, 600), &alone, true),
            (times(100, None, 600), &alone, false),
            // In the turns of the other contestants, their processes are busy.
            (times(500, Some(ms(410)), 600), &turns, true),
            (times(430, Some(ms(410)), 600), &turns, false),
            (times(250, Some(ms(110)), 499), &turns, false),
            (times(400, None, 600), &turns, false),
        ];
        let scenario = scenarios::read_one(Path::new(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../bench/scenarios/perf2.toml"
        )))
        .unwrap();
        for (machine, turns, is_disturbed) in cases {
            let mut record = Record::new(1, 2, Machine::made_up(vec![0, 1]));
            for round in [1, 2] {
                let group = GroupReport::made_up(&scenario.measured_group);
                let mut report = LoadReport::made_up(vec![group]);
                report.generator_cpu_ns = ms(40);
                report.server_cpu_ns = Reading::from(Ok(ms(40)));
                report.machine = Reading::from(Ok(machine));
                record.cell_mut(&scenario.name, "server").rounds.push(Round {
                    turns: turns.clone(),
                    ..Round::made_up(round, report)
                });
            }
            let findings = Findings::of(&record);
            let found = findings.was_disturbed(&scenario, "server");
            assert_eq!(found, is_disturbed, "{machine:?}");
        }
    }

    #[test]
    fn a_run_that_its_control_group_stopped_is_suspect() {
        let scenario = load_curve();
        let doubts = |throttled_ns| {
            let mut record = Record::new(1, 1, Machine::made_up(vec![0]));
            let mut group = GroupReport::made_up(&scenario.measured_group);
            group.service_ns = Times::of(&[(1_000, 10_000)]);
            let mut report = LoadReport::made_up(vec![group]);
            report.machine = Reading::from(Ok(MachineTimes {
                busy_ns: 0,
                stolen_ns: 0,
                all_ns: 1_000_000,
                throttled_ns,
                own_ns: None,
            }));
            let round = Round::made_up(1, report);
            record.cell_mut(&scenario.name, "server").rounds.push(round);
            Findings::of(&record).doubts(&scenario, "server", Figure::P99)
        };
        assert_eq!(doubts(None), []);
        assert_eq!(doubts(Some(10_000)), []);
        assert_eq!(doubts(Some(200_000)), [Doubt::Throttled(0.2)]);
    }
}
