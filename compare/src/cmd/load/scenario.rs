//! `compare load --scenario`: runs a scenario's clients against a server that
//! is already running, and keeps a record.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::anyhow;
use rustix::process::Pid;
use rustix::thread::sched_getaffinity;

use crate::analysis::units;
use crate::base::exit::Outcome;
use crate::base::interrupt::Interrupt;
use crate::base::limits;
use crate::base::stderr::note;
use crate::base::stdout;
use crate::cmd::load::args::{Load, ScenarioArgs};
use crate::load::engine::{self, LoadResult};
use crate::measure::calibration;
use crate::measure::clients;
use crate::measure::machine;
use crate::measure::processors::Processors;
use crate::model::calibration::Calibrated;
use crate::model::contestant::Contestant;
use crate::model::invocation::{self, Invocation};
use crate::model::load_plan::LoadPlan;
use crate::model::load_report::{BUSY_SHARE, Bottleneck, LoadReport};
use crate::model::machine::Machine;
use crate::model::placement::Placement;
use crate::model::provenance::Shard;
use crate::model::reading::Reading;
use crate::model::record::{Entrant, Record, Round, Void};
use crate::model::runs;
use crate::model::scenarios::Scenario;
use crate::output::load_report::text;

/// The message for a load that was interrupted too early.
pub(crate) const BEFORE_THE_WINDOW: &str =
    "interrupted before the window: nothing was measured";

/// The time after the end of the window after which a reply counts as missing.
const REPLY_GRACE: Duration = Duration::from_secs(5);

/// The time between two rounds with `--start-at`, in which clients connect.
const ROUND_GAP: Duration = engine::CONNECT_AHEAD;

/// The share of the window by which a start may be late with `--start-at`. A
/// machine that starts later measures a different window than the others.
const LATE_SHARE: f64 = 0.05;

/// Runs a scenario's clients against a server for the given number of rounds,
/// and keeps a record.
///
/// # Errors
///
/// Fails if the arguments don't fit the scenario, or if the load generator
/// fails.
pub(crate) fn run(
    mut load: Load,
    interrupt: &Interrupt,
) -> anyhow::Result<Outcome> {
    let start = load.scenario_args.start()?;
    let mut scenario = load.scenario_args.scenario()?;
    let invocation = invocation(&load);
    let calibration = complete(&mut load, &mut scenario)?;
    let ScenarioArgs { name, rounds, out, .. } = load.scenario_args.clone();
    let json = load.json;
    let mut plan = load.plan()?;
    limits::raise_open_files()?;
    limits::check_open_files(plan.connections())?;

    let name = name.unwrap_or_else(|| plan.address.to_string());
    let path = out.as_deref().map(runs::file);
    let mut run = ShardRun::new(&plan, &scenario, name, rounds, path)?;
    run.record.calibration = calibration;
    run.record.invocation = Some(invocation);
    if let Some(shard) = &mut run.record.shard {
        shard.start_at = start.map(since_1970_ns);
    }
    if let Some(folder) = &out {
        runs::create(folder)?;
    }
    run.save()?;
    run.measure(&mut plan, start, json, interrupt)?;
    if let Some(path) = &run.path {
        note!("record: {}", path.display());
    }
    if interrupt.is_requested() {
        Ok(Outcome::Interrupted)
    } else {
        run.outcome()
    }
}

/// Sets the missing options from the scenario, and the scenario's times from
/// those that are given. Returns the n that was found for each cost.
fn complete(
    load: &mut Load,
    scenario: &mut Scenario,
) -> anyhow::Result<Vec<Calibrated>> {
    scenario.window = load.duration.unwrap_or(scenario.window);
    scenario.warm_up = load.warm_up.unwrap_or(scenario.warm_up);
    load.duration = Some(scenario.window);
    load.warm_up = Some(scenario.warm_up);
    load.reply_timeout
        .get_or_insert(scenario.warm_up + scenario.window + REPLY_GRACE);
    // Machines with the same seed would send at the same moments.
    load.seed.get_or_insert_with(|| fastrand::u64(..1_000_000));
    let calibration =
        calibration::calibrations(std::slice::from_ref(scenario))?;
    for calibrated in &calibration {
        let ms = |ns: u64| units::number(ns as f64 / 1e6);
        note!(
            "note: n = {} is used for {} ms of work (it takes {} ms on this \
             machine; the server's may differ)",
            calibrated.n,
            ms(calibrated.cost_ns),
            ms(calibrated.took_ns)
        );
    }
    let groups = clients::groups(scenario, &calibration, None)
        .map_err(|failure| anyhow!("{failure}"))?;
    load.groups = groups.into_iter().map(|clients| clients.group).collect();
    Ok(calibration)
}

/// Returns the reason why a window that started `late` can't be merged with
/// those of other machines, if it is too late for that.
pub(crate) fn too_late(plan: &LoadPlan, late: Duration) -> Option<String> {
    (late > plan.window.mul_f64(LATE_SHARE)).then(|| {
        let late = Duration::from_millis(late.as_millis() as u64);
        format!(
            "the clients were connected {} after the start time; choose a \
             later --start-at",
            humantime::format_duration(late)
        )
    })
}

fn since_1970_ns(moment: SystemTime) -> u64 {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_nanos() as u64
}

/// Returns the flags as given, before defaults are filled in.
fn invocation(load: &Load) -> Invocation {
    let file = load.scenario_args.scenario.as_ref().map(PathBuf::from);
    let file = file.filter(|path| path.is_file());
    Invocation {
        scenario_files: file.into_iter().collect(),
        duration: load.duration.map(invocation::time),
        warm_up: load.warm_up.map(invocation::time),
        reply_timeout: load.reply_timeout.map(invocation::time),
        load_cpus: load.load_cpus.clone().map(Vec::from).unwrap_or_default(),
        server_pid: load.server_pid.is_some(),
        ..Invocation::default()
    }
}

/// A shard while it is being measured.
struct ShardRun {
    record: Record,
    /// Where the record is kept, if it is.
    path: Option<PathBuf>,
    scenario: String,
    name: String,
    placement: Placement,
}

impl ShardRun {
    fn new(
        plan: &LoadPlan,
        scenario: &Scenario,
        name: String,
        rounds: u64,
        path: Option<PathBuf>,
    ) -> anyhow::Result<ShardRun> {
        let allowed = Processors::allowed(None, None)?;
        let placement = Placement {
            server: Vec::new(),
            load: if plan.processors.is_empty() {
                allowed.numbers().to_vec()
            } else {
                plan.processors.clone()
            },
        };
        let machine = machine(allowed.numbers());
        let mut record = Record::new(plan.seed, rounds, machine);
        record.entrants = vec![entrant(&name)];
        record.shard = Some(Shard {
            address: plan.address.to_string(),
            groups: scenario.groups.clone(),
            start_at: None,
            windows: BTreeMap::new(),
        });
        if plan.server.is_none() {
            record.cost_method = "none: the server is elsewhere".to_owned();
        }
        record.scenarios = vec![scenario.clone()];
        let scenario = scenario.name.clone();
        Ok(ShardRun { record, path, scenario, name, placement })
    }

    fn save(&self) -> anyhow::Result<()> {
        match &self.path {
            Some(path) => self.record.write(path),
            None => Ok(()),
        }
    }

    /// Measures all rounds, until one is void or the user interrupts.
    fn measure(
        &mut self,
        plan: &mut LoadPlan,
        start: Option<SystemTime>,
        json: bool,
        interrupt: &Interrupt,
    ) -> anyhow::Result<()> {
        let (seed, rounds) = (self.record.seed, self.record.rounds);
        let period =
            plan.warm_up + plan.window + plan.reply_timeout + ROUND_GAP;
        for round in 1..=rounds {
            let start = start.map(|start| start + period * (round as u32 - 1));
            plan.seed = seed.wrapping_add(round);
            let Some(loaded) = engine::run_at(plan, start, interrupt)? else {
                note!("round {round}: {BEFORE_THE_WINDOW}");
                break;
            };
            let report = &loaded.report;
            stdout::print(&if json {
                serde_json::to_string(report)? + "\n"
            } else {
                text(plan, report)
            })?;
            let window_ns = plan.window.as_nanos() as u64;
            if interrupt.is_requested() && report.window_ns < window_ns {
                // A shorter window has fewer replies than the others, and no
                // counterpart of the same length on other machines.
                note!("round {round}: interrupted; not in the record");
                break;
            }
            self.round(round, plan, &loaded);
            self.record.complete = round == rounds;
            self.save()?;
            if self.is_void() || interrupt.is_requested() {
                break;
            }
        }
        Ok(())
    }

    fn round(&mut self, round: u64, plan: &LoadPlan, loaded: &LoadResult) {
        let LoadResult { report, began, late } = loaded;
        let late = too_late(plan, *late);
        if let Some(shard) = &mut self.record.shard
            && late.is_none()
        {
            shard.windows.insert(round, since_1970_ns(*began));
        }
        self.keep(round, plan.server, late, report);
    }

    /// Keeps a round, or the reason why it is missing or void, as `run` does.
    fn keep(
        &mut self,
        round: u64,
        server: Option<Pid>,
        late_start: Option<String>,
        report: &LoadReport,
    ) {
        let wanted = self.record.rounds;
        let cell = self.record.cell_mut(&self.scenario, &self.name);
        let void = |reason, contestant_failed| {
            let (log, faults) = (Vec::new(), report.faults());
            Some(Void { round, reason, contestant_failed, log, faults })
        };
        let late = || report.late(processors_of(server), false);
        // Without enough ports or descriptors on this side, faults of the
        // server can't be distinguished from the consequences.
        let own_fault = report.own_limit().or(late_start);
        if let (None, Some(reason)) = (&own_fault, report.server_fault()) {
            cell.void = void(reason, true);
        } else if let Some(reason) = own_fault.or_else(late) {
            note!("round {round}: {reason}");
            if cell.leave_out(round, reason.clone(), wanted) {
                cell.void = void(reason, false);
            }
            return;
        }
        let bottleneck = if report.generator_share() > BUSY_SHARE {
            Bottleneck::Generator
        } else {
            // The number of processors of the server is unknown.
            Bottleneck::Unknown
        };
        let capacity = "no rate of this scenario is a share of the capacity";
        cell.rounds.push(Round {
            round,
            place: 1,
            placement: self.placement.clone(),
            bottleneck,
            capacity: Reading::missing(capacity),
            report: report.clone(),
            turns: Vec::new(),
        });
    }

    fn is_void(&self) -> bool {
        let cell = self.record.cell(&self.scenario, &self.name);
        cell.is_some_and(|cell| cell.void.is_some())
    }

    fn outcome(&self) -> anyhow::Result<Outcome> {
        let cell = self.record.cell(&self.scenario, &self.name);
        match cell.and_then(|cell| cell.void.as_ref()) {
            None => Ok(Outcome::Done),
            Some(void) if void.contestant_failed => {
                Ok(Outcome::ContestantFailed)
            }
            Some(void) => Err(anyhow!("{}", void.reason)),
        }
    }
}

/// Returns the number of processors that the server may use, or 1 if it isn't
/// known. The CPU time of such a server isn't known either, so that the number
/// has no effect.
fn processors_of(server: Option<Pid>) -> usize {
    let set = server.and_then(|pid| sched_getaffinity(Some(pid)).ok());
    set.map_or(1, |set| set.count().max(1) as usize)
}

/// Returns this machine without what describes the server's.
fn machine(allowed: &[usize]) -> Machine {
    let here = machine::describe(Path::new("."), allowed);
    let why = "the server is on another machine";
    Machine {
        toolchain: Reading::missing(why),
        git_revision: Reading::missing(why),
        git_dirty: Reading::missing(why),
        ..here
    }
}

/// Returns an entry for a server that the user started, with only a name.
fn entrant(name: &str) -> Entrant {
    let contestant = Contestant::peer(name.to_owned(), Vec::new());
    Entrant {
        contestant,
        alias_of: None,
        version: Reading::missing("the server was started by the user"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::load_report::{GroupReport, OpenLoop};
    use crate::model::times::Times;

    /// Returns the report of an open loop that sent requests `lag` late.
    fn report(lag: Duration) -> LoadReport {
        let mut group = GroupReport::made_up("open");
        group.open = Some(OpenLoop {
            response_ns: Times::of(&[]),
            lag_ns: Times::of(&[(lag.as_nanos() as u64, 1)]),
            unanswered: 0,
        });
        LoadReport::made_up(vec![group])
    }

    fn shard_run(rounds: u64) -> ShardRun {
        ShardRun {
            record: Record::new(1, rounds, Machine::made_up(vec![0])),
            path: None,
            scenario: "open".to_owned(),
            name: "server".to_owned(),
            placement: Placement { server: Vec::new(), load: vec![0] },
        }
    }

    #[test]
    fn a_round_in_which_the_load_generator_failed_is_left_out() {
        let rounds = 4;
        let mut run = shard_run(rounds);
        let [in_time, late] = [0, 50].map(Duration::from_millis).map(report);
        let mut limited = in_time.clone();
        let faults = &mut limited.groups[0].faults;
        faults.own_limits.insert("no free port".to_owned(), 1);
        let mut kept = |round, report: &LoadReport| {
            run.keep(round, None, None, report);
            let cell = run.record.cell("open", "server").unwrap();
            assert_eq!(cell.void.is_some(), run.is_void());
            (cell.rounds.len(), cell.missed.len(), run.is_void())
        };
        assert_eq!(kept(1, &in_time), (1, 0, false));
        assert_eq!(kept(2, &late), (1, 1, false));
        assert_eq!(kept(3, &limited), (1, 2, false));
        // With more than half of the rounds missing, the cell is void.
        assert_eq!(kept(4, &late), (1, 3, true));
        assert!(run.outcome().is_err());
    }

    #[test]
    fn the_faults_of_a_server_are_kept_by_kind() {
        let mut run = shard_run(5);
        let mut report = report(Duration::ZERO);
        let faults = &mut report.groups[0].faults;
        faults.reset = 2;
        faults.errors.insert("server-full".to_owned(), 3);
        let faults = faults.clone();
        run.keep(1, None, None, &report);
        let cell = run.record.cell("open", "server").unwrap();
        let void = cell.void.as_ref().unwrap();
        assert!(void.contestant_failed);
        assert_eq!(void.faults, BTreeMap::from([("open".into(), faults)]));
    }
}
