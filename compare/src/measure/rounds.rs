//! Measuring contestants under scenarios, round by round.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::base::interrupt::{Interrupt, Watch};
use crate::measure::calibrator::Calibrator;
use crate::measure::cell::{Cell, if_not_suspended};
use crate::measure::clients::groups;
use crate::measure::duration::{expected_duration, first_cycle, in_words};
use crate::measure::failure::Failure;
use crate::measure::further::{FurtherRounds, rounds_that_fit};
use crate::measure::processors::Processors;
use crate::measure::programs;
use crate::measure::progress::Progress;
use crate::measure::session::Session;
use crate::measure::surroundings::Surroundings;
use crate::model::calibration::Calibrated;
use crate::model::contestant::{Contestant, Framing, ModelTrait};
use crate::model::contestants::ALIAS_SUFFIX;
use crate::model::load_report::Counts;
use crate::model::reading::Reading;
use crate::model::record::{Entrant, Record, Round, Void};
use crate::model::scenarios::Scenario;

/// The length of the window in which system calls are counted.
const TRACED_WINDOW: Duration = Duration::from_millis(500);

/// The reason why the processors count nothing in some scenarios.
const NOT_IN_TURNS: &str = "they are only counted where contestants are \
                            measured in turns";

/// How many clients fit into the backlog of the project's servers.
const CLIENTS_THAT_QUEUE_MAX: usize = 1_000;

/// The state of a measurement over all rounds.
pub(crate) struct Measurement<'a> {
    /// The path of the record.
    pub(crate) path: &'a Path,
    pub(crate) processors: &'a Processors,
    pub(crate) interrupt: &'a Interrupt,
    /// Whether this process was suspended since the round began.
    pub(crate) watch: Watch<'a>,
    pub(crate) progress: &'a Progress,
    pub(crate) seed: u64,
    /// The cells to measure, by scenario and contestant; all, if `None`.
    pub(crate) cells: Option<BTreeSet<(String, String)>>,
    /// Whether cells that the rounds leave undecided have further rounds.
    pub(crate) further: Option<FurtherRounds>,
    /// The contestants that did not start and are not tried again, with the
    /// reason.
    pub(crate) failed_to_start: HashMap<String, String>,
    /// The contestants that failed during calibration, with the failure.
    pub(crate) not_calibrated: HashMap<String, Failure>,
    /// The capacities of contestants, by round, contestant and scenario.
    pub(crate) capacities: HashMap<(u64, String, String), f64>,
    /// The system calls that a contestant needs to start and to stop.
    pub(crate) own_system_calls:
        HashMap<(String, Option<usize>), BTreeMap<String, u64>>,
}

impl Measurement<'_> {
    /// Returns `true` if a cell should be measured.
    fn is_wanted(&self, scenario: &Scenario, contestant: &Contestant) -> bool {
        let key = || (scenario.name.clone(), contestant.name.clone());
        self.cells.as_ref().is_none_or(|cells| cells.contains(&key()))
    }

    /// Returns the number of cells to measure in all rounds.
    pub(crate) fn cells_of(&self, record: &Record) -> usize {
        let cells = |s: &Scenario| {
            self.cells_in(s, record) * s.rounds_of(record.rounds) as usize
        };
        record.scenarios.iter().map(cells).sum()
    }

    /// Returns how long all rounds are expected to take.
    pub(crate) fn expected_duration(&self, record: &Record) -> Duration {
        let of_scenario = |scenario: &Scenario| {
            let cells = self.cells_in(scenario, record);
            expected_duration(scenario, cells, record.rounds)
        };
        record.scenarios.iter().map(of_scenario).sum()
    }

    fn cells_in(&self, scenario: &Scenario, record: &Record) -> usize {
        let entrants = record.entrants.iter();
        entrants.filter(|e| self.is_wanted(scenario, &e.contestant)).count()
    }

    /// Calibrates, measures all rounds, and counts the system calls under the
    /// scenarios `traced`. Breaks if interrupted.
    pub(crate) fn measure_all(
        &mut self,
        traced: Vec<Scenario>,
        record: &mut Record,
    ) -> ControlFlow<()> {
        let mut calibrator = Calibrator {
            processors: self.processors,
            interrupt: self.interrupt,
            progress: self.progress,
            seed: self.seed,
            failures: HashMap::new(),
        };
        calibrator.calibrate(record)?;
        self.not_calibrated = calibrator.failures;
        self.rounds(1, record)?;
        self.further_rounds(record)?;
        self.system_calls(traced, record)
    }

    /// Measures the rounds from `first` on. Breaks if interrupted.
    fn rounds(&mut self, first: u64, record: &mut Record) -> ControlFlow<()> {
        let seed = record.seed.wrapping_add(first - 1);
        let mut random = fastrand::Rng::with_seed(seed);
        let began = Instant::now();
        for round in first..=record.rounds {
            let mut order = record.entrants.clone();
            random.shuffle(&mut order);
            self.round(round, &order, record, &mut random)?;
            // Not fatal: the disk may have space again after the next round.
            if let Err(error) = record.write(self.path) {
                self.progress.note(&format!("{error:#}"));
            }
            let rounds = first..=record.rounds;
            self.progress.round_done(round, rounds, began.elapsed());
        }
        ControlFlow::Continue(())
    }

    /// Measures further rounds of the undecided cells until all are decided or
    /// the time is up. Breaks if interrupted.
    fn further_rounds(&mut self, record: &mut Record) -> ControlFlow<()> {
        let Some(FurtherRounds { budget, undecided }) = self.further else {
            return ControlFlow::Continue(());
        };
        let mut left = budget.saturating_sub(self.expected_duration(record));
        loop {
            record.judged_after.push(record.rounds);
            let cells = undecided(record);
            let names: Vec<&str> =
                cells.iter().map(|(_, name)| name.as_str()).collect();
            let names = names.join(", ");
            self.cells = Some(cells);
            let of_one = self.round_duration(record);
            let more = rounds_that_fit(record.rounds, of_one, left);
            if more == 0 {
                return ControlFlow::Continue(());
            }
            let plural = if more == 1 { "" } else { "s" };
            let takes = of_one.saturating_mul(more as u32);
            self.progress.announce(&format!(
                "undecided: {names}: {more} more round{plural}, about {}",
                in_words(takes)
            ));
            let first = record.rounds + 1;
            record.rounds += more;
            let cells = record.scenarios.iter();
            let cells: usize = cells.map(|s| self.cells_in(s, record)).sum();
            self.progress.measure(cells * more as usize);
            let began = Instant::now();
            self.rounds(first, record)?;
            left = left.saturating_sub(began.elapsed());
        }
    }

    /// Returns how long one round of the wanted cells is expected to take.
    fn round_duration(&self, record: &Record) -> Duration {
        let of_scenario = |scenario| {
            expected_duration(scenario, self.cells_in(scenario, record), 1)
        };
        record.scenarios.iter().map(of_scenario).sum()
    }

    /// Counts the system calls of each contestant under these scenarios. Breaks
    /// if interrupted.
    fn system_calls(
        &mut self,
        traced: Vec<Scenario>,
        record: &mut Record,
    ) -> ControlFlow<()> {
        let contestants: Vec<Contestant> =
            record.contestants().cloned().collect();
        for scenario in traced {
            for contestant in &contestants {
                let name = contestant.name.as_str();
                self.progress.show(&format!(
                    "counting system calls of {name} in {}",
                    scenario.name
                ));
                let counted =
                    self.count_system_calls(contestant, &scenario, record);
                if let Err(Failure::Interrupted) = counted {
                    return ControlFlow::Break(());
                }
                let counted = counted.map_err(|failure| failure.to_string());
                let kept = record.cell_mut(&scenario.name, name);
                kept.system_calls = Reading::from(counted);
                self.progress.done();
            }
        }
        ControlFlow::Continue(())
    }

    fn count_system_calls(
        &mut self,
        contestant: &Contestant,
        scenario: &Scenario,
        record: &mut Record,
    ) -> Result<BTreeMap<String, f64>, Failure> {
        let missing = |reason: &str| Failure::Instrument(reason.to_owned());
        if !programs::is_in_path("strace") {
            return Err(missing("strace not found in PATH"));
        }
        if scenario.groups.iter().any(|group| group.apart) {
            return Err(missing("a group `apart` can't be traced"));
        }
        if scenario.groups.iter().any(|group| group.load.is_some()) {
            return Err(missing("a server's capacity is lower under strace"));
        }
        let kept = record.cell_mut(&scenario.name, &contestant.name);
        if kept.void.is_some() || kept.by_design.is_some() {
            return Err(missing("the cell could not be measured"));
        }
        let fib = contestant.fib.as_deref();
        let cell = Cell {
            contestant,
            groups: groups(scenario, &record.calibration, fib)?,
            warm_up: Duration::ZERO,
            window: TRACED_WINDOW,
            placement: self.processors.place(scenario.cpus),
            workers: scenario.workers,
            seed: self.seed,
        };
        // The system calls to start and to stop don't belong to any request.
        let key = (contestant.name.clone(), scenario.workers);
        let own = match self.own_system_calls.get(&key) {
            Some(own) => own.clone(),
            None => cell.count_own_system_calls(self.interrupt)?,
        };
        let counted = cell.count_system_calls(&own, self.interrupt);
        self.own_system_calls.insert(key, own);
        counted
    }

    /// Measures each contestant under each scenario. Breaks if interrupted.
    ///
    /// Proceeds scenario by scenario: the contestants that are compared are
    /// measured in turns or one after the other, so that changes of the machine
    /// affect all of them.
    fn round(
        &mut self,
        round: u64,
        order: &[Entrant],
        record: &mut Record,
        random: &mut Rng,
    ) -> ControlFlow<()> {
        for scenario in record.scenarios.clone() {
            if round > scenario.rounds_of(record.rounds) {
                continue;
            }
            if scenario.alone.is_none() {
                self.in_turns(round, order, &scenario, record, random)?;
            } else {
                self.one_by_one(round, order, &scenario, record)?;
            }
        }
        ControlFlow::Continue(())
    }

    /// Measures each contestant in one window.
    fn one_by_one(
        &mut self,
        round: u64,
        order: &[Entrant],
        scenario: &Scenario,
        record: &mut Record,
    ) -> ControlFlow<()> {
        for (index, Entrant { contestant, .. }) in order.iter().enumerate() {
            let name = contestant.name.as_str();
            if !self.is_wanted(scenario, contestant) {
                continue;
            }
            self.progress.show(&format!("{name} in {}", scenario.name));
            self.cell(round, index + 1, contestant, scenario, record)?;
            self.progress.done();
        }
        ControlFlow::Continue(())
    }

    /// Measures the contestants in turns: their processes live side by side,
    /// and in each cycle, each of them has one turn.
    fn in_turns(
        &mut self,
        round: u64,
        order: &[Entrant],
        scenario: &Scenario,
        record: &mut Record,
        random: &mut Rng,
    ) -> ControlFlow<()> {
        self.progress.show(&format!("round {round} of {}", scenario.name));
        // Servers close connections that were idle while all were suspended.
        self.watch = self.interrupt.watch();
        let mut sessions = self.open(round, order, scenario, record)?;
        let surroundings = Surroundings::read();
        for cycle in first_cycle(scenario)..=scenario.turns {
            random.shuffle(&mut sessions);
            let mut place = 0;
            sessions =
                self.each(round, scenario, record, sessions, |session| {
                    place += 1;
                    session.turn(cycle, place, scenario, self.interrupt)
                })?;
        }
        let machine = surroundings.times();
        let sessions = self.count(round, scenario, record, sessions)?;
        for session in sessions {
            let name = session.cell.contestant.name.clone();
            let result = session.end(round, machine.clone(), self.interrupt);
            match if_not_suspended(&self.watch, self.interrupt, result) {
                Ok(measured) => {
                    record.cell_mut(&scenario.name, &name).rounds.push(measured)
                }
                Err(failure) => {
                    self.keep(failure, round, &name, scenario, record)?;
                }
            }
            self.progress.done();
        }
        ControlFlow::Continue(())
    }

    /// Lets the processors count for each contestant, unless they did so in an
    /// earlier round: counts don't drift.
    fn count<'e>(
        &mut self,
        round: u64,
        scenario: &Scenario,
        record: &mut Record,
        sessions: Vec<Session<'e>>,
    ) -> ControlFlow<(), Vec<Session<'e>>> {
        let row = record.cells.get(&scenario.name).into_iter().flatten();
        let counted = row.filter(|(_, cell)| cell.has_counts());
        let counted: BTreeSet<String> =
            counted.map(|(name, _)| name.clone()).collect();
        let interrupt = self.interrupt;
        self.each(round, scenario, record, sessions, |session| {
            if counted.contains(&session.cell.contestant.name) {
                return Ok(());
            }
            session.count(interrupt)
        })
    }

    /// Opens the sessions of all contestants that can be measured.
    fn open<'e>(
        &mut self,
        round: u64,
        order: &'e [Entrant],
        scenario: &Scenario,
        record: &mut Record,
    ) -> ControlFlow<(), Vec<Session<'e>>> {
        let mut sessions = Vec::new();
        for (index, Entrant { contestant, .. }) in order.iter().enumerate() {
            if !self.is_wanted(scenario, contestant) {
                continue;
            }
            if self.is_out(round, contestant, scenario, record) {
                self.progress.done();
                continue;
            }
            let opened = self
                .prepare(round, contestant, scenario, &record.calibration)
                .and_then(|cell| {
                    Session::open(cell, index + 1, self.interrupt)
                });
            match opened {
                Ok(session) => sessions.push(session),
                Err(failure) => {
                    let name = contestant.name.as_str();
                    self.keep(failure, round, name, scenario, record)?;
                    self.progress.done();
                }
            }
        }
        let interrupt = self.interrupt;
        self.each(round, scenario, record, sessions, |session| {
            session.connected(interrupt)
        })
    }

    /// Calls `work` with each session. Keeps the sessions for which it
    /// succeeds, and the failures of the others, whose processes are ended at
    /// once.
    fn each<'e>(
        &mut self,
        round: u64,
        scenario: &Scenario,
        record: &mut Record,
        sessions: Vec<Session<'e>>,
        mut work: impl FnMut(&mut Session<'e>) -> Result<(), Failure>,
    ) -> ControlFlow<(), Vec<Session<'e>>> {
        let mut kept = Vec::new();
        for mut session in sessions {
            let result = work(&mut session);
            match if_not_suspended(&self.watch, self.interrupt, result) {
                Ok(()) => kept.push(session),
                Err(failure) => {
                    let name = session.cell.contestant.name.as_str();
                    self.keep(failure, round, name, scenario, record)?;
                    self.progress.done();
                }
            }
        }
        ControlFlow::Continue(kept)
    }

    /// Measures a cell, unless it is void, and records the result. Breaks if
    /// interrupted.
    fn cell(
        &mut self,
        round: u64,
        place: usize,
        contestant: &Contestant,
        scenario: &Scenario,
        record: &mut Record,
    ) -> ControlFlow<()> {
        let name = contestant.name.as_str();
        if self.is_out(round, contestant, scenario, record) {
            return ControlFlow::Continue(());
        }
        match self.measure(round, contestant, scenario, &record.calibration) {
            Ok(measured) => {
                let kept = record.cell_mut(&scenario.name, name);
                let mut measured = Round { place, ..measured };
                if !kept.has_counts() {
                    let missing = Counts::missing(NOT_IN_TURNS);
                    measured.report.counts = Some(missing);
                }
                kept.rounds.push(measured);
                ControlFlow::Continue(())
            }
            Err(failure) => self.keep(failure, round, name, scenario, record),
        }
    }

    /// Returns `true` if a cell is not measured in this round, and records the
    /// reason.
    fn is_out(
        &self,
        round: u64,
        contestant: &Contestant,
        scenario: &Scenario,
        record: &mut Record,
    ) -> bool {
        let name = contestant.name.as_str();
        let kept = record.cell_mut(&scenario.name, name);
        if kept.void.is_some() {
            return true;
        }
        if let Some(reason) = self.failed_to_start.get(name) {
            // The rounds that were measured before remain valid.
            if kept.rounds.is_empty() {
                kept.void = Some(Void::new(round, reason.clone(), true));
            } else {
                kept.missed.insert(round, reason.clone());
            }
            return true;
        }
        kept.by_design = beyond_design(contestant, scenario);
        kept.by_design.is_some()
    }

    /// Records why a cell has no measurement in a round. Breaks if interrupted.
    fn keep(
        &mut self,
        failure: Failure,
        round: u64,
        name: &str,
        scenario: &Scenario,
        record: &mut Record,
    ) -> ControlFlow<()> {
        let wanted = record.rounds;
        let kept = record.cell_mut(&scenario.name, name);
        let reason = failure.to_string();
        let void = |contestant_failed| {
            Some(Void::new(round, reason.clone(), contestant_failed))
        };
        match failure {
            Failure::Interrupted => return ControlFlow::Break(()),
            Failure::Instrument(_) => {
                if kept.leave_out(round, reason.clone(), wanted) {
                    kept.void = void(false);
                }
            }
            Failure::Start(_) => {
                kept.void = void(true);
                self.failed_to_start.insert(name.to_owned(), reason.clone());
            }
            Failure::Contestant { log, faults, .. } => {
                kept.void = void(true).map(|void| Void { log, faults, ..void });
            }
        }
        let scenario = &scenario.name;
        let text = format!("{name} in {scenario}, round {round}: {reason}");
        self.progress.note(&text);
        ControlFlow::Continue(())
    }

    /// Returns the cell to measure.
    fn prepare<'c>(
        &self,
        round: u64,
        contestant: &'c Contestant,
        scenario: &Scenario,
        calibration: &[Calibrated],
    ) -> Result<Cell<'c>, Failure> {
        let fib = contestant.fib.as_deref();
        let name = contestant.name.as_str();
        let name = name.strip_suffix(ALIAS_SUFFIX).unwrap_or(name);
        if scenario.groups.iter().any(|group| group.cost.is_some())
            && let Some(why) = self.not_calibrated.get(name)
        {
            return Err(why.clone());
        }
        Ok(Cell {
            contestant,
            groups: groups(scenario, calibration, fib)?,
            warm_up: scenario.warm_up,
            window: scenario.window,
            placement: self.processors.place(scenario.cpus),
            workers: scenario.workers,
            seed: self.seed.wrapping_add(round),
        })
    }

    fn measure(
        &mut self,
        round: u64,
        contestant: &Contestant,
        scenario: &Scenario,
        calibration: &[Calibrated],
    ) -> Result<Round, Failure> {
        let mut cell =
            self.prepare(round, contestant, scenario, calibration)?;
        let placement = cell.placement.clone();
        let capacity = self.capacity(round, &cell, scenario)?;
        if let Some(capacity) = capacity {
            cell.set_load(scenario, capacity);
        }
        let report = cell.measure(self.interrupt)?;
        let processors = placement.server.len();
        if let Some(late) = report.late(processors, placement.is_shared()) {
            return Err(Failure::Instrument(late));
        }
        let bottleneck = report.bottleneck(processors);
        let capacity = Reading::from(capacity.ok_or_else(|| {
            "no rate of this scenario is a share of the capacity".to_owned()
        }));
        Ok(Round {
            round,
            place: 0,
            placement,
            bottleneck,
            capacity,
            report,
            turns: Vec::new(),
        })
    }

    /// Returns the contestant's capacity in requests per second: the rate of
    /// the same clients when they send as fast as they can. It is measured once
    /// per round, if the scenario needs it.
    fn capacity(
        &mut self,
        round: u64,
        cell: &Cell<'_>,
        scenario: &Scenario,
    ) -> Result<Option<f64>, Failure> {
        if scenario.groups.iter().all(|group| group.load.is_none()) {
            return Ok(None);
        }
        let base = scenario.base().to_owned();
        let key = (round, cell.contestant.name.clone(), base);
        if let Some(capacity) = self.capacities.get(&key) {
            return Ok(Some(*capacity));
        }
        let report = cell.measure(self.interrupt)?;
        let group = report.group(&scenario.measured_group);
        let capacity =
            group.map(|group| group.rate(report.window_ns)).unwrap_or(0.0);
        if capacity <= 0.0 {
            let reason = "no reply at full load: the capacity is unknown";
            return Err(Failure::Contestant {
                reason: reason.to_owned(),
                log: Vec::new(),
                faults: BTreeMap::new(),
            });
        }
        self.capacities.insert(key, capacity);
        Ok(Some(capacity))
    }
}

/// Returns the reason why a contestant can't serve a scenario by design, or
/// `None` if it can.
fn beyond_design(
    contestant: &Contestant,
    scenario: &Scenario,
) -> Option<String> {
    let is_pipelined =
        scenario.groups.iter().any(|group| group.depth.unwrap_or(1) > 1);
    if is_pipelined && contestant.framing == Framing::Talk {
        let why = "it treats the bytes of one read as one request";
        return Some(why.to_owned());
    }
    let sets_workers = scenario
        .workers
        .is_some_and(|number| contestant.with_workers(number).is_none());
    if sets_workers {
        return Some("it has no number of workers to set".to_owned());
    }
    let clients: usize =
        scenario.groups.iter().map(|group| group.connections).sum();
    let is_beyond = contestant.is(ModelTrait::OneClientAtATime)
        && clients > CLIENTS_THAT_QUEUE_MAX;
    is_beyond.then(|| {
        format!(
            "it serves one client at a time, and {clients} clients don't fit \
             into its backlog"
        )
    })
}
