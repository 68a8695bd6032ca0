//! Measures contestants under scenarios, round by round, and keeps the record.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use crate::base::exit::{Outcome, Usage};
use crate::base::interrupt::Interrupt;
use crate::base::limits;
use crate::base::stdout;
use crate::measure::build;
use crate::measure::calibration::{calibrate, calibrate_by};
use crate::measure::cell::{Cell, Clients, Failure};
use crate::measure::processors::{CpuList, Processors};
use crate::measure::programs;
use crate::measure::progress::Progress;
use crate::model::calibration::Calibrated;
use crate::model::contestants::{AGAIN, Contestant, Framing, Trait};
use crate::model::invocation::{self, Asked};
use crate::model::load_plan::{Group, Pace};
use crate::model::machine::Machine;
use crate::model::placement::Cpus;
use crate::model::reading::Known;
use crate::model::record::{Entrant, Record, Round, Void};
use crate::model::runs::{self, Turn};
use crate::model::scenarios::Scenario;

/// Rounds, if nobody says otherwise: the fewest that give an interval.
pub(crate) const ROUNDS: u64 = 5;

/// Rounds with `--quick`.
const ROUNDS_QUICK: u64 = 3;

/// How long system calls are counted.
const TRACED_WINDOW: Duration = Duration::from_millis(500);

/// How long a contestant is timed at least, to calibrate a cost.
const CALIBRATED_WINDOW_MIN: Duration = Duration::from_millis(100);

/// As many clients as wait in the backlog of our servers until it is their
/// turn.
const CLIENTS_THAT_QUEUE_MAX: usize = 1_000;

/// How to measure, whatever it is.
#[derive(Args, Debug)]
pub(crate) struct How {
    /// How often everything is measured [default: 5; of claims, 7]
    #[arg(long, value_name = "N",
          value_parser = clap::value_parser!(u64).range(1..=10_000))]
    rounds: Option<u64>,
    /// Three rounds instead of more; of claims, the short ones alone
    #[arg(long, conflicts_with = "rounds")]
    pub(crate) quick: bool,
    /// How long each measurement takes [default: the scenario's]
    #[arg(long, value_name = "TIME", value_parser = positive_duration)]
    duration: Option<Duration>,
    /// Repeats the random choices of a run
    #[arg(long)]
    seed: Option<u64>,
    /// The folder to keep everything in, raw, after each round [default: a
    /// new one in runs/]
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// The servers' processors, as 0,2-3
    #[arg(long, value_name = "LIST")]
    server_cpus: Option<CpuList>,
    /// The load generator's processors
    #[arg(long, value_name = "LIST")]
    load_cpus: Option<CpuList>,
    /// No progress on stderr
    #[arg(long)]
    quiet: bool,
}

/// What to measure.
pub(crate) struct Plan {
    /// Who takes part.
    pub(crate) contestants: Vec<Contestant>,
    /// Who would, but for this.
    pub(crate) skipped: Vec<(String, String)>,
    /// What they are asked.
    pub(crate) scenarios: Vec<Scenario>,
    /// Only these cells, by scenario and contestant; without it, all of them,
    /// and those of a contestant that takes part twice.
    pub(crate) cells: Option<BTreeSet<(String, String)>>,
    /// How often, if nobody says otherwise.
    pub(crate) rounds: u64,
    /// The scenarios under which system calls are counted, too.
    pub(crate) traced: Vec<Scenario>,
    /// What the command line said beside that.
    pub(crate) asked: Asked,
}

/// What was measured, and where it is kept.
pub(crate) struct Measured {
    /// The record.
    pub(crate) record: Record,
    path: PathBuf,
    saved: anyhow::Result<()>,
}

impl How {
    /// The processors that servers and load may use.
    ///
    /// # Errors
    ///
    /// When the lists of the command line can't be had here.
    pub(crate) fn processors(&self) -> anyhow::Result<Processors> {
        Processors::allowed(self.server_cpus.clone(), self.load_cpus.clone())
    }

    /// Sets the windows that the command line asks for.
    fn set_windows(&self, scenarios: &mut [Scenario]) {
        if let Some(window) = self.duration {
            scenarios.iter_mut().for_each(|s| s.window = window);
        }
    }

    /// Adds to what was asked.
    fn tell(&self, asked: Asked) -> Asked {
        let list = |list: &Option<CpuList>| {
            list.clone().map(Vec::from).unwrap_or_default()
        };
        Asked {
            duration: self.duration.map(invocation::time),
            server_cpus: list(&self.server_cpus),
            load_cpus: list(&self.load_cpus),
            ..asked
        }
    }
}

impl Plan {
    /// Measures it all; `None` when interrupted before the first round.
    ///
    /// # Errors
    ///
    /// When that is not possible here, or not now.
    pub(crate) fn measure(
        mut self,
        how: &How,
        root: &Path,
        interrupt: &Interrupt,
    ) -> anyhow::Result<Option<Measured>> {
        let processors = how.processors()?;
        how.set_windows(&mut self.scenarios);
        how.set_windows(&mut self.traced);
        let _turn = Turn::take()?;
        limits::raise_open_files()?;
        limits::check_files_of_servers()?;
        let progress = Progress::new(how.quiet);
        if !build::build(&mut self.contestants, root, &progress, interrupt)? {
            return Ok(None);
        }
        let Plan { cells, traced, .. } = &self;
        let (cells, traced) = (cells.clone(), traced.clone());
        let mut record = self.record(how, root, &processors)?;
        let folder = runs::folder(root, how.out.as_deref(), &record);
        runs::create(&folder)?;
        let path = runs::file(&folder);
        record.write(&path)?;
        let mut measuring = Measuring {
            path: &path,
            processors: &processors,
            interrupt,
            progress: &progress,
            seed: record.seed,
            cells,
            failed_to_start: HashMap::new(),
            not_calibrated: HashMap::new(),
            capacities: HashMap::new(),
            own_system_calls: HashMap::new(),
        };
        progress.measure(
            measuring.cells_of(&record) * record.rounds as usize
                + record.contestants().count() * traced.len(),
        );
        record.complete = measuring.calibrate(&mut record)
            && measuring.rounds(&mut record)
            && measuring.system_calls(traced, &mut record);
        let saved = record.write(&path);
        progress.clear();
        Ok(Some(Measured { record, path, saved }))
    }

    fn record(
        self,
        how: &How,
        root: &Path,
        processors: &Processors,
    ) -> anyhow::Result<Record> {
        let seed = how.seed.unwrap_or_else(|| {
            // Short enough to be typed again.
            fastrand::u64(..1_000_000)
        });
        let rounds = if how.quick { ROUNDS_QUICK } else { self.rounds };
        let rounds = how.rounds.unwrap_or(rounds);
        let machine = Machine::here(root, processors.numbers());
        let mut record = Record::new(seed, rounds, machine);
        record.calibration = calibrations(&self.scenarios)?;
        record.entrants = match self.cells {
            None => with_twin(self.contestants),
            Some(_) => self.contestants.into_iter().map(Entrant::of).collect(),
        };
        record.skipped = self.skipped;
        record.scenarios = self.scenarios;
        record.asked = Some(how.tell(self.asked));
        Ok(record)
    }
}

impl Measured {
    /// Prints what came of it, and where it is kept.
    ///
    /// # Errors
    ///
    /// When it could not be kept, or printed.
    pub(crate) fn print(self, text: &str) -> anyhow::Result<()> {
        let kept = match self.saved {
            Ok(()) => format!("record: {}\n", self.path.display()),
            Err(_) => String::new(),
        };
        stdout::print(&(text.to_owned() + &kept))?;
        // Only now: what was measured is worth more than the file.
        self.saved
    }

    /// Says on stderr where it is kept, for those whose stdout is taken.
    ///
    /// # Errors
    ///
    /// When it could not be kept.
    pub(crate) fn say_where(self) -> anyhow::Result<()> {
        self.saved?;
        eprintln!("record: {}", self.path.display());
        Ok(())
    }
}

/// What stays the same from round to round.
struct Measuring<'a> {
    /// Where the record is kept.
    path: &'a Path,
    processors: &'a Processors,
    interrupt: &'a Interrupt,
    progress: &'a Progress,
    seed: u64,
    /// Only these cells, by scenario and contestant, if it isn't all.
    cells: Option<BTreeSet<(String, String)>>,
    /// Entrants that are not tried again, and why.
    failed_to_start: HashMap<String, String>,
    /// Contestants that failed when it was to be found which n stands for a
    /// cost, and how.
    not_calibrated: HashMap<String, Failure>,
    /// What a contestant can do at most, by round, contestant and scenario.
    capacities: HashMap<(u64, String, String), f64>,
    /// The system calls that a contestant needs to start and to end.
    own_system_calls: HashMap<String, BTreeMap<String, u64>>,
}

impl Measuring<'_> {
    /// Whether a cell is to be measured.
    fn wants(&self, scenario: &Scenario, contestant: &Contestant) -> bool {
        let key = || (scenario.name.clone(), contestant.name.clone());
        self.cells.as_ref().is_none_or(|cells| cells.contains(&key()))
    }

    /// How many cells are to be measured in a round.
    fn cells_of(&self, record: &Record) -> usize {
        let wanted = |scenario: &Scenario| {
            let entrants = record.entrants.iter();
            entrants.filter(|e| self.wants(scenario, &e.contestant)).count()
        };
        record.scenarios.iter().map(wanted).sum()
    }

    /// Finds out which n stands for each cost with those whose fib is not
    /// ours; `false` when interrupted.
    fn calibrate(&mut self, record: &mut Record) -> bool {
        let mut fibs: Vec<String> =
            record.contestants().filter_map(|c| c.fib.clone()).collect();
        fibs.sort_unstable();
        fibs.dedup();
        for cost in costs(&record.scenarios) {
            for fib in &fibs {
                let theirs = |c: &&Contestant| c.fib.as_ref() == Some(fib);
                let theirs: Vec<Contestant> =
                    record.contestants().filter(theirs).cloned().collect();
                self.progress.say(&format!("what {cost:?} is with {fib}"));
                let mut failures = Vec::new();
                let mut found = None;
                for contestant in &theirs {
                    let time = |n| self.time(contestant, n, cost);
                    match calibrate_by(fib, cost, time) {
                        Ok(calibrated) => found = Some(calibrated),
                        Err(Failure::Interrupted) => return false,
                        Err(failure) => failures.push((contestant, failure)),
                    }
                    if found.is_some() {
                        break;
                    }
                }
                let mut ours = record.calibration.iter();
                let ours = ours.find(|c| c.is_of(cost, None)).cloned();
                for (contestant, failure) in failures {
                    let name = &contestant.name;
                    let note = format!("{name}, for n of {cost:?}: {failure}");
                    self.progress.note(&note);
                    let Failure::Instrument(_) = failure else {
                        self.not_calibrated.insert(name.clone(), failure);
                        continue;
                    };
                    let (None, Some(ours)) = (&found, &ours) else { continue };
                    // Better the n of all others than none: whoever answers
                    // it from a table will be told so.
                    match self.time(contestant, ours.n, cost) {
                        Ok(took) => {
                            let took_ns = took.as_nanos() as u64;
                            let fib = Some(fib.clone());
                            found = Some(Calibrated { took_ns, fib, ..*ours });
                        }
                        Err(Failure::Interrupted) => return false,
                        // Its cells say that the n is not known.
                        Err(Failure::Instrument(_)) => {}
                        Err(failure) => {
                            self.not_calibrated.insert(name.clone(), failure);
                        }
                    }
                }
                record.calibration.extend(found);
            }
        }
        true
    }

    /// How long a contestant takes to answer an n, when nobody else asks, with
    /// time enough for one that takes `at_most`.
    fn time(
        &mut self,
        contestant: &Contestant,
        n: u8,
        at_most: Duration,
    ) -> Result<Duration, Failure> {
        let name = "calibration".to_owned();
        let group = Group {
            name,
            n,
            connections: 1,
            pace: Pace::EAGER,
            elsewhere: None,
        };
        let cell = Cell {
            contestant,
            groups: vec![Clients { group, is_apart: false }],
            warm_up: Duration::ZERO,
            window: CALIBRATED_WINDOW_MIN.max(at_most * 4),
            placement: self.processors.place(Cpus::Split),
            seed: self.seed,
        };
        let report = cell.measure(self.interrupt)?;
        let group = report.group("calibration");
        // The shortest is the one that nothing disturbed.
        let time_ns = group.and_then(|g| g.service_ns.at_quantile_ns(0.0));
        let why = || Failure::Instrument(format!("no reply to n = {n}"));
        time_ns.map(Duration::from_nanos).ok_or_else(why)
    }

    /// Measures all rounds; `false` when interrupted.
    fn rounds(&mut self, record: &mut Record) -> bool {
        let mut random = fastrand::Rng::with_seed(record.seed);
        for round in 1..=record.rounds {
            let mut order = record.entrants.clone();
            random.shuffle(&mut order);
            if !self.round(round, &order, record) {
                return false;
            }
            // The disk may have room again before the next round is over.
            if let Err(error) = record.write(self.path) {
                self.progress.note(&format!("{error:#}"));
            }
        }
        true
    }

    /// Counts the system calls of each contestant under these scenarios;
    /// `false` when interrupted.
    fn system_calls(
        &mut self,
        traced: Vec<Scenario>,
        record: &mut Record,
    ) -> bool {
        let contestants: Vec<Contestant> =
            record.contestants().cloned().collect();
        for scenario in traced {
            for contestant in &contestants {
                let name = contestant.name.as_str();
                self.progress.say(&format!(
                    "system calls of {name} in {}",
                    scenario.name
                ));
                let counted = self.counted(contestant, &scenario, record);
                let kept = record.cell_mut(&scenario.name, name);
                kept.system_calls = Known::from(match counted {
                    Err(Failure::Interrupted) => return false,
                    counted => counted.map_err(|failure| failure.to_string()),
                });
                self.progress.done();
            }
        }
        true
    }

    fn counted(
        &mut self,
        contestant: &Contestant,
        scenario: &Scenario,
        record: &mut Record,
    ) -> Result<BTreeMap<String, f64>, Failure> {
        let missing = |reason: &str| Failure::Instrument(reason.to_owned());
        if !programs::is_in_path("strace") {
            return Err(missing("strace is not here"));
        }
        if scenario.groups.iter().any(|group| group.apart) {
            return Err(missing("two servers at once are not traced"));
        }
        if scenario.groups.iter().any(|group| group.load.is_some()) {
            return Err(missing("a traced server has another capacity"));
        }
        let kept = record.cell_mut(&scenario.name, &contestant.name);
        if kept.void.is_some() || kept.by_design.is_some() {
            return Err(missing("it could not be measured"));
        }
        let fib = contestant.fib.as_deref();
        let cell = Cell {
            contestant,
            groups: groups(scenario, &record.calibration, fib)?,
            warm_up: Duration::ZERO,
            window: TRACED_WINDOW,
            placement: self.processors.place(scenario.cpus),
            seed: self.seed,
        };
        // To start and to end takes system calls that no request needs.
        let own = match self.own_system_calls.get(&contestant.name) {
            Some(own) => own.clone(),
            None => cell.count_own_system_calls(self.interrupt)?,
        };
        let counted = cell.count_system_calls(&own, self.interrupt);
        self.own_system_calls.insert(contestant.name.clone(), own);
        counted
    }

    /// Measures each entrant under each scenario; `false` when interrupted.
    ///
    /// Scenario by scenario: those who are compared are measured one after
    /// the other, so that what changes slowly changes for all.
    fn round(
        &mut self,
        round: u64,
        order: &[Entrant],
        record: &mut Record,
    ) -> bool {
        let mut place = 0;
        for scenario in record.scenarios.clone() {
            for Entrant { contestant, .. } in order {
                place += 1;
                let name = contestant.name.as_str();
                if !self.wants(&scenario, contestant) {
                    continue;
                }
                self.progress.say(&format!("{} of {name}", scenario.name));
                if !self.cell(round, place, contestant, &scenario, record) {
                    return false;
                }
                self.progress.done();
            }
        }
        true
    }

    fn cell(
        &mut self,
        round: u64,
        place: usize,
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
            // What was measured before holds.
            if kept.rounds.is_empty() {
                kept.void = Some(Void {
                    round,
                    reason: reason.clone(),
                    contestant_failed: true,
                    log: Vec::new(),
                    faults: BTreeMap::new(),
                });
            } else {
                kept.missed.insert(round, reason.clone());
            }
            return true;
        }
        if let Some(reason) = beyond_design(contestant, scenario) {
            kept.by_design = Some(reason);
            return true;
        }
        let measured =
            self.measure(round, contestant, scenario, &record.calibration);
        let wanted = record.rounds;
        let kept = record.cell_mut(&scenario.name, name);
        let note = |reason: &str| {
            let scenario = &scenario.name;
            let text = format!("{name} in {scenario}, round {round}: {reason}");
            self.progress.note(&text);
        };
        let void = |reason, contestant_failed, log, faults| {
            Some(Void { round, reason, contestant_failed, log, faults })
        };
        match measured {
            Ok(mut measured) => {
                measured.place = place;
                kept.rounds.push(measured);
            }
            Err(Failure::Interrupted) => return false,
            Err(Failure::Instrument(reason)) => {
                note(&reason);
                if kept.miss(round, reason.clone(), wanted) {
                    let (log, faults) = (Vec::new(), BTreeMap::new());
                    kept.void = void(reason, false, log, faults);
                }
            }
            Err(Failure::Start(reason)) => {
                let reason = format!("it did not start: {reason}");
                note(&reason);
                let (log, faults) = (Vec::new(), BTreeMap::new());
                kept.void = void(reason.clone(), true, log, faults);
                self.failed_to_start.insert(name.to_owned(), reason);
            }
            Err(Failure::Contestant { reason, log, faults }) => {
                note(&reason);
                kept.void = void(reason, true, log, faults);
            }
        }
        true
    }

    fn measure(
        &mut self,
        round: u64,
        contestant: &Contestant,
        scenario: &Scenario,
        calibration: &[Calibrated],
    ) -> Result<Round, Failure> {
        let placement = self.processors.place(scenario.cpus);
        let fib = contestant.fib.as_deref();
        let name = contestant.name.as_str();
        let name = name.strip_suffix(AGAIN).unwrap_or(name);
        if scenario.groups.iter().any(|group| group.cost.is_some())
            && let Some(why) = self.not_calibrated.get(name)
        {
            return Err(why.clone());
        }
        let mut cell = Cell {
            contestant,
            groups: groups(scenario, calibration, fib)?,
            warm_up: scenario.warm_up,
            window: scenario.window,
            placement: placement.clone(),
            seed: self.seed.wrapping_add(round),
        };
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
        let capacity = Known::from(capacity.ok_or_else(|| {
            "no rate of this scenario is a share of it".to_owned()
        }));
        Ok(Round { round, place: 0, placement, bottleneck, capacity, report })
    }

    /// How many requests a second a contestant can answer at most: what the
    /// same clients get from it when they ask as fast as they can. Measured
    /// once a round, if a scenario needs it.
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
        let group = report.group(&scenario.of);
        let capacity =
            group.map(|group| group.rate(report.window_ns)).unwrap_or(0.0);
        if capacity <= 0.0 {
            let reason = "no reply at full load: its capacity is not known";
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

/// Why a scenario asks for what a contestant can't do by design, if it does.
fn beyond_design(
    contestant: &Contestant,
    scenario: &Scenario,
) -> Option<String> {
    let is_pipelined =
        scenario.groups.iter().any(|group| group.depth.unwrap_or(1) > 1);
    if is_pipelined && contestant.framing == Framing::Talk {
        let why = "it takes whatever one read returns for one request";
        return Some(why.to_owned());
    }
    let clients: usize =
        scenario.groups.iter().map(|group| group.connections).sum();
    let is_beyond = contestant.is(Trait::OneClientAtATime)
        && clients > CLIENTS_THAT_QUEUE_MAX;
    is_beyond.then(|| {
        format!(
            "it serves one client at a time, and {clients} do not fit into \
             its backlog"
        )
    })
}

/// How a run ended.
pub(crate) fn outcome(record: &Record) -> Outcome {
    outcome_but_for(record, |_| false)
}

/// The same, whatever came of those entrants that are excused.
pub(crate) fn outcome_but_for(
    record: &Record,
    is_excused: impl Fn(&str) -> bool,
) -> Outcome {
    if !record.complete {
        return Outcome::Interrupted;
    }
    let voids = record.voids().filter(|(_, entrant, _)| !is_excused(entrant));
    let mut voids = voids.map(|(_, _, void)| void).peekable();
    if voids.peek().is_none() {
        Outcome::Done
    } else if voids.any(|void| void.contestant_failed) {
        Outcome::ContestantFailed
    } else {
        Outcome::InstrumentFailed
    }
}

/// The contestants, and one of them a second time.
fn with_twin(contestants: Vec<Contestant>) -> Vec<Entrant> {
    let mut entrants: Vec<Entrant> =
        contestants.into_iter().map(Entrant::of).collect();
    let is_usual =
        |entrant: &&Entrant| !entrant.contestant.is(Trait::OneClientAtATime);
    let usual = entrants.iter().find(is_usual).or(entrants.first());
    let twin = usual.cloned().map(|mut twin| {
        twin.again = Some(twin.contestant.name.clone());
        twin.contestant.name += AGAIN;
        twin
    });
    entrants.extend(twin);
    entrants
}

/// Finds the n for each cost that a scenario asks for.
///
/// # Errors
///
/// When a cost is more than that of any n that the servers answer.
pub(crate) fn calibrations(
    scenarios: &[Scenario],
) -> Result<Vec<Calibrated>, Usage> {
    costs(scenarios).into_iter().map(calibrate).collect()
}

/// The costs that scenarios ask for, each once.
fn costs(scenarios: &[Scenario]) -> Vec<Duration> {
    let groups = scenarios.iter().flat_map(|scenario| &scenario.groups);
    let mut costs: Vec<Duration> =
        groups.filter_map(|group| group.cost).collect();
    costs.sort_unstable();
    costs.dedup();
    costs
}

/// The scenario's client groups, every cost as an n that stands for it with
/// this fib, and every load as fast as can be.
///
/// # Errors
///
/// When it is not known which n that is.
pub(crate) fn groups(
    scenario: &Scenario,
    calibration: &[Calibrated],
    fib: Option<&str>,
) -> Result<Vec<Clients>, Failure> {
    let n_of = |cost: Duration| {
        let known = calibration.iter().find(|known| known.is_of(cost, fib));
        known.map(|known| known.n).ok_or_else(|| {
            let cost = humantime::format_duration(cost);
            Failure::Instrument(format!("which n takes {cost} is not known"))
        })
    };
    let groups = scenario.groups.iter().map(|group| {
        let n = match (group.n, group.cost) {
            (Some(n), _) => n,
            (None, Some(cost)) => n_of(cost)?,
            // Those that are silent ask for nothing.
            (None, None) => 0,
        };
        Ok(Clients {
            group: Group {
                name: group.name.clone(),
                n,
                connections: group.connections,
                pace: group.pace(),
                elsewhere: None,
            },
            is_apart: group.apart,
        })
    });
    groups.collect()
}

/// A time that is not 0, as flags take it.
pub(crate) fn positive_duration(text: &str) -> Result<Duration, String> {
    match limits::time(text)? {
        Duration::ZERO => Err("must not be 0".into()),
        duration => Ok(duration),
    }
}
