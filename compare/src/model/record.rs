//! The record of a run (`run.json`): all raw measurements, from which every
//! figure can be computed again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::base::exit::Usage;
use crate::base::file;
use crate::base::printable::one_line;
use crate::model::bounded::Bounded;
use crate::model::calibration::Calibrated;
use crate::model::contestant::Contestant;
use crate::model::faults::Faults;
use crate::model::figure::Figure;
use crate::model::invocation::Invocation;
use crate::model::load_report::{Bottleneck, Counts, LoadReport};
use crate::model::machine::Machine;
use crate::model::placement::Placement;
use crate::model::provenance::{Part, Shard};
use crate::model::reading::Reading;
use crate::model::scenarios::Scenario;
use crate::model::times::Times;

/// What some editors write before the text of a file.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// The version of the record's schema.
pub(crate) const SCHEMA_VERSION: u32 = 3;

/// The oldest version that can be read. Records of version 2 have one window in
/// each round and no turns.
const SCHEMA_VERSION_MIN: u32 = 2;

/// The most rounds of a record, as a sanity check of its file.
const ROUNDS_MAX: u64 = 1_000_000;

/// How many replies must be slower than a tail quantile for it to be shown.
pub(crate) const REPLIES_BEYOND: f64 = 10.0;

/// The record of a run.
#[derive(schemars::JsonSchema, Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Record {
    /// The version of the record's schema.
    pub(crate) schema_version: u32,
    /// Whether the run was completed.
    pub(crate) complete: bool,
    /// When the run began, in UTC.
    pub(crate) started: String,
    /// The seed of all random choices of the run.
    pub(crate) seed: u64,
    /// How many rounds the run was to have.
    pub(crate) rounds: u64,
    /// The numbers of rounds after which `compare advise` judged the
    /// contestants. Those that were decided have no further rounds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) judged_after: Vec<u64>,
    /// The machine on which the run took place.
    pub(crate) machine: Machine,
    /// How the servers' CPU time was measured.
    pub(crate) cost_method: String,
    /// The n that was found for each cost.
    pub(crate) calibration: Vec<Calibrated>,
    /// The contestants that took part.
    pub(crate) entrants: Vec<Entrant>,
    /// The contestants that could not take part, with the reason.
    #[serde(default)]
    pub(crate) skipped: Vec<(String, String)>,
    /// The scenarios that were measured.
    pub(crate) scenarios: Vec<Scenario>,
    /// The measurements, by scenario, then by contestant.
    pub(crate) cells: BTreeMap<String, BTreeMap<String, CellRecord>>,
    /// The flags that affected the measurement. Older records lack them.
    #[serde(
        rename = "asked",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) invocation: Option<Invocation>,
    /// The runs or shards that this record was merged from; empty, if it
    /// wasn't merged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) parts: Vec<Part>,
    /// What only `compare load` records: the load on a server that was started
    /// by other means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) shard: Option<Shard>,
}

/// A contestant that took part in a run.
#[derive(schemars::JsonSchema, Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Entrant {
    /// The contestant, with its command as it was run.
    pub(crate) contestant: Contestant,
    /// If this is an alias, the name of the contestant that takes part once
    /// more: any difference between the two is noise.
    #[serde(rename = "again")]
    pub(crate) alias_of: Option<String>,
    /// The version that the contestant prints.
    #[serde(default = "no_version")]
    pub(crate) version: Reading<String>,
}

fn no_version() -> Reading<String> {
    Reading::missing("not recorded")
}

impl Entrant {
    /// Returns a contestant that takes part under its own name.
    pub(crate) fn new(
        contestant: Contestant,
        version: Reading<String>,
    ) -> Entrant {
        Entrant { contestant, alias_of: None, version }
    }
}

/// The measurements of one contestant under one scenario.
#[derive(schemars::JsonSchema, Clone, Debug, Deserialize, Serialize)]
pub(crate) struct CellRecord {
    /// Why the cell has no valid measurement; none, if it has one.
    pub(crate) void: Option<Void>,
    /// Why the contestant's model can't serve this scenario, by design; none,
    /// if it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) by_design: Option<String>,
    /// The measurement of each round.
    pub(crate) rounds: Vec<Round>,
    /// The server's system calls per reply, by name, counted once in a separate
    /// pass that is not timed.
    #[serde(default = "no_system_calls")]
    pub(crate) system_calls: Reading<BTreeMap<String, f64>>,
    /// The server's allocations per reply, counted once in a separate pass that
    /// is not timed. Only `compare budgets` counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) allocations: Option<Reading<f64>>,
    /// The load generator's replies per CPU second as a share of those of a
    /// minimal client in C, by pair of measurements. Only `compare budgets`
    /// measures them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) efficiency: Option<Reading<Vec<f64>>>,
    /// The rounds that are left out because `compare` itself failed, or because
    /// the contestant no longer started, with the reason, by round number.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) missed: BTreeMap<u64, String>,
}

impl CellRecord {
    /// Leaves out a round in which the load generator failed. Returns `true` if
    /// more than half of the wanted rounds are left out by now.
    pub(crate) fn leave_out(
        &mut self,
        round: u64,
        reason: String,
        wanted: u64,
    ) -> bool {
        self.missed.insert(round, reason);
        self.missed.len() as u64 * 2 > wanted
    }

    /// Returns `true` if a round has counts of the processors, or the reason why
    /// they are missing.
    pub(crate) fn has_counts(&self) -> bool {
        self.rounds.iter().any(|round| round.report.counts.is_some())
    }

    fn new() -> CellRecord {
        CellRecord {
            void: None,
            by_design: None,
            rounds: Vec::new(),
            system_calls: no_system_calls(),
            allocations: None,
            efficiency: None,
            missed: BTreeMap::new(),
        }
    }
}

fn no_system_calls() -> Reading<BTreeMap<String, f64>> {
    Reading::missing("not counted; use --system-calls")
}

/// Why a cell has no valid measurement.
#[derive(schemars::JsonSchema, Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Void {
    /// The round in which the cell became void.
    pub(crate) round: u64,
    /// The reason.
    pub(crate) reason: String,
    /// `true` if the contestant failed, `false` if `compare` itself did.
    pub(crate) contestant_failed: bool,
    /// The last lines of the contestant's log.
    pub(crate) log: Vec<String>,
    /// The number of faults by kind, for each client group that had any; empty,
    /// if the failure wasn't found by the load generator.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) faults: BTreeMap<String, Faults>,
}

impl Void {
    /// Returns the reason why a cell is void, without a log and without
    /// faults.
    pub(crate) fn new(
        round: u64,
        reason: String,
        contestant_failed: bool,
    ) -> Void {
        let (log, faults) = (Vec::new(), BTreeMap::new());
        Void { round, reason, contestant_failed, log, faults }
    }
}

/// The measurement of one cell in one round.
#[derive(schemars::JsonSchema, Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Round {
    /// The round's number.
    pub(crate) round: u64,
    /// The position of the contestant in the order of the round, from 1. In this
    /// order, the servers are started or, without turns, measured.
    pub(crate) place: usize,
    /// The processors of the server and of the load generator.
    pub(crate) placement: Placement,
    /// What limited the rate.
    pub(crate) bottleneck: Bottleneck,
    /// The contestant's capacity in requests per second, measured if a rate of
    /// the scenario is a share of it.
    pub(crate) capacity: Reading<f64>,
    /// What the load generator measured. If the round consists of turns, counts
    /// and histograms are those of all turns, added up.
    pub(crate) report: LoadReport,
    /// The turns of the round, in the order in which they were played. Empty if
    /// the cell was measured in one window.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) turns: Vec<Turn>,
}

/// The measurement of one cell in one turn: a short window in which the clients
/// of all other contestants were silent.
#[derive(schemars::JsonSchema, Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Turn {
    /// The number of the cycle, from 1. In each cycle, each contestant has one
    /// turn.
    pub(crate) cycle: u64,
    /// The position of the turn in its cycle, from 1.
    pub(crate) place: usize,
    /// The length of the measured part of the turn.
    pub(crate) window_ns: u64,
    /// The correct replies in the window, for each client group of the
    /// scenario, in its order.
    pub(crate) replies: Vec<u64>,
    /// The CPU time of the server's process tree in the window, if it is known.
    pub(crate) server_cpu_ns: Option<u64>,
    /// The CPU time of the load generator's busiest thread in the window.
    pub(crate) generator_busiest_ns: u64,
    /// The median service time of the measured group, if there was a reply.
    pub(crate) p50_ns: Option<u64>,
    /// The 99th percentile of the service times of the measured group, if there
    /// were enough replies.
    pub(crate) p99_ns: Option<u64>,
}

impl Turn {
    /// Returns `true` if this can be one of so many turns that were added up to
    /// the report.
    fn is_of(&self, report: &LoadReport, turns: u64) -> bool {
        self.window_ns > 0
            && self.replies.len() == report.groups.len()
            && (1..=turns).contains(&self.cycle)
    }
}

#[cfg(test)]
impl Round {
    /// Returns a round without turns, in which neither side was the bottleneck.
    pub(crate) fn made_up(round: u64, report: LoadReport) -> Round {
        Round {
            round,
            place: 1,
            placement: Placement { server: vec![0], load: vec![1] },
            bottleneck: Bottleneck::Neither,
            capacity: Reading::missing("not asked"),
            report,
            turns: Vec::new(),
        }
    }
}

impl Record {
    /// Returns the record of a run that begins now.
    pub(crate) fn new(seed: u64, rounds: u64, machine: Machine) -> Record {
        let now = std::time::SystemTime::now();
        Record {
            schema_version: SCHEMA_VERSION,
            complete: false,
            started: humantime::format_rfc3339_seconds(now).to_string(),
            seed,
            rounds,
            judged_after: Vec::new(),
            machine,
            // Runs with different methods are not merged: a change of these
            // words would look like another method.
            cost_method: "clock_getcpuclockid(3) of each process of the \
                          server's tree, at both ends of the window; not \
                          known where processes came or went in it"
                .to_owned(),
            calibration: Vec::new(),
            entrants: Vec::new(),
            skipped: Vec::new(),
            scenarios: Vec::new(),
            cells: BTreeMap::new(),
            invocation: None,
            parts: Vec::new(),
            shard: None,
        }
    }

    /// Reads a record from a file.
    ///
    /// # Errors
    ///
    /// Returns a [`Usage`] error if the file is not a complete record of this
    /// schema version.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Record> {
        let text = fs::read(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let usage = |what| Usage(format!("{}: {what}", path.display()));
        Ok(Record::parse(&text).map_err(usage)?)
    }

    /// Parses a record.
    ///
    /// # Errors
    ///
    /// Returns what is wrong if the text is not a complete record of this
    /// schema version.
    pub(crate) fn parse(text: &[u8]) -> Result<Record, String> {
        #[derive(Deserialize)]
        struct Header {
            schema_version: u32,
            #[serde(default, rename = "cells")]
            _cells: Option<Bounded>,
        }
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        let broken = |error: serde_json::Error| {
            let is_cut_off = error.is_eof();
            let error = one_line(&error.to_string());
            if is_cut_off {
                format!("the record is cut off: {error}")
            } else {
                format!("not a record of compare: {error}")
            }
        };
        let Header { schema_version, .. } =
            serde_json::from_slice(text).map_err(broken)?;
        if !(SCHEMA_VERSION_MIN..=SCHEMA_VERSION).contains(&schema_version) {
            return Err(format!(
                "a record of schema version {schema_version}; this compare \
                 reads versions {SCHEMA_VERSION_MIN} to {SCHEMA_VERSION}"
            ));
        }
        let record: Record = serde_json::from_slice(text).map_err(broken)?;
        if !record.is_sound() {
            return Err(format!(
                "not a record of compare: a window has no length, a turn \
                 doesn't fit its scenario, or there are more than \
                 {ROUNDS_MAX} rounds"
            ));
        }
        Ok(record)
    }

    /// Returns `true` if figures can be computed from all rounds and turns.
    fn is_sound(&self) -> bool {
        let is_sound = |name: &String, round: &Round| {
            let mut scenarios = self.scenarios.iter();
            let scenario = scenarios.find(|other| other.name == *name);
            let turns = scenario.map_or(0, |scenario| scenario.turns);
            let mut all = round.turns.iter();
            round.report.window_ns > 0
                && all.all(|turn| turn.is_of(&round.report, turns))
        };
        let is_row_sound = |(name, row): (_, &BTreeMap<_, CellRecord>)| {
            let mut rounds = row.values().flat_map(|cell| &cell.rounds);
            rounds.all(|round| is_sound(name, round))
        };
        self.numbers_of_rounds().all(|round| round <= ROUNDS_MAX)
            && self.cells.iter().all(is_row_sound)
    }

    /// Returns everything that is a number of rounds, or of one round.
    fn numbers_of_rounds(&self) -> impl Iterator<Item = u64> {
        let cells = self.cells.values().flat_map(|row| row.values());
        let in_cells = cells.flat_map(|cell| {
            let measured = cell.rounds.iter().map(|round| round.round);
            let void = cell.void.iter().map(|void| void.round);
            measured.chain(void).chain(cell.missed.keys().copied())
        });
        let shards = self.parts.iter().filter_map(|part| part.shard.as_ref());
        let shards = self.shard.iter().chain(shards);
        let windows = shards.flat_map(|shard| shard.windows.keys().copied());
        let parts =
            self.parts.iter().flat_map(|part| [part.first_round, part.rounds]);
        let judged_after = self.judged_after.iter().copied();
        [self.rounds]
            .into_iter()
            .chain(in_cells)
            .chain(windows)
            .chain(parts)
            .chain(judged_after)
    }

    /// Returns `true` if something was measured.
    pub(crate) fn has_rounds(&self) -> bool {
        let mut cells = self.cells.values().flat_map(BTreeMap::values);
        cells.any(|cell| !cell.rounds.is_empty())
    }

    /// Returns the limit for the p99 that `compare advise` was given, if any. A
    /// merged record has that of its first part.
    pub(crate) fn slo(&self) -> Option<Duration> {
        let parts = self.parts.iter();
        let mut all = parts.filter_map(|part| part.invocation.as_ref());
        let invocation = self.invocation.as_ref().or_else(|| all.next())?;
        invocation.mix.as_ref()?.slo
    }

    /// Returns the run's name: when it began, and its seed.
    pub(crate) fn id(&self) -> String {
        let started = self.started.trim_end_matches('Z').replace(':', "-");
        format!("{started}-{}", self.seed)
    }

    /// Returns a cell for writing; creates it if it doesn't exist.
    pub(crate) fn cell_mut(
        &mut self,
        scenario: &str,
        entrant: &str,
    ) -> &mut CellRecord {
        let row = self.cells.entry(scenario.to_owned()).or_default();
        row.entry(entrant.to_owned()).or_insert_with(CellRecord::new)
    }

    /// Returns a cell, or `None` if it was not part of the run.
    pub(crate) fn cell(
        &self,
        scenario: &str,
        entrant: &str,
    ) -> Option<&CellRecord> {
        self.cells.get(scenario)?.get(entrant)
    }

    /// Returns the reason why the contestant's model can't serve this scenario,
    /// by design, or `None` if it can.
    pub(crate) fn by_design(
        &self,
        scenario: &str,
        entrant: &str,
    ) -> Option<&str> {
        self.cell(scenario, entrant)?.by_design.as_deref()
    }

    /// Returns a figure's value in each round, by round number. The map is
    /// empty if the cell is void or the figure was not measured.
    pub(crate) fn figure(
        &self,
        scenario: &Scenario,
        entrant: &str,
        figure: Figure,
    ) -> BTreeMap<u64, f64> {
        if figure == Figure::Left {
            let Some(against) = self.against(scenario) else {
                return BTreeMap::new();
            };
            let rate = self.figure(scenario, entrant, Figure::Rate);
            return ratios(&rate, &self.figure(against, entrant, Figure::Rate));
        }
        if figure == Figure::PerClient {
            return self.per_client(scenario, entrant);
        }
        let cell = self.cell(&scenario.name, entrant);
        let valid = cell.filter(|cell| cell.void.is_none());
        valid
            .into_iter()
            .flat_map(|cell| &cell.rounds)
            .filter_map(|round| {
                let value = of_report(&round.report, scenario, figure)?;
                Some((round.round, value))
            })
            .collect()
    }

    /// Returns the memory per silent client of each round in bytes: the
    /// difference to the point of the sweep with the fewest clients, divided by
    /// the difference of their numbers. Rounds in which the memory did not
    /// grow, or no client got a reply, are left out.
    fn per_client(
        &self,
        scenario: &Scenario,
        entrant: &str,
    ) -> BTreeMap<u64, f64> {
        let clients = |scenario: &Scenario| {
            let groups = scenario.groups.iter().filter(|group| group.silent);
            groups.map(|group| group.connections).sum::<usize>() as f64
        };
        let points = self.scenarios.iter();
        let points = points.filter(|other| other.base() == scenario.base());
        let fewest = points.min_by(|a, b| clients(a).total_cmp(&clients(b)));
        let Some(fewest) = fewest else { return BTreeMap::new() };
        let more = clients(scenario) - clients(fewest);
        let before = self.figure(fewest, entrant, Figure::Rss);
        let with = self.figure(scenario, entrant, Figure::Rss);
        let cell = self.cell(&scenario.name, entrant);
        let rounds = cell.iter().flat_map(|cell| &cell.rounds);
        // A reply to a client that connected last shows that the server has
        // accepted the others.
        let accepted: BTreeSet<u64> = rounds
            .filter(|one| one.report.groups.iter().any(|g| g.replies > 0))
            .map(|one| one.round)
            .collect();
        let grown = with.into_iter().filter_map(|(round, bytes)| {
            let grown = bytes - before.get(&round)?;
            let is_known = accepted.contains(&round) && grown > 0.0;
            (more > 0.0 && is_known).then(|| (round, grown / more))
        });
        grown.collect()
    }

    /// Returns the number of rounds that were measured.
    pub(crate) fn rounds_done(&self) -> usize {
        let cells = self.cells.values().flat_map(|row| row.values());
        cells.map(|cell| cell.rounds.len()).max().unwrap_or(0)
    }

    /// Returns the contestants, without the alias that measures the noise.
    pub(crate) fn contestants(&self) -> impl Iterator<Item = &Contestant> {
        let entrants = self.entrants.iter();
        entrants.filter(|e| e.alias_of.is_none()).map(|e| &e.contestant)
    }

    /// Returns the void cells, each with the names of its scenario and
    /// contestant.
    pub(crate) fn voids(&self) -> impl Iterator<Item = (&str, &str, &Void)> {
        self.cells.iter().flat_map(|(scenario, row)| {
            row.iter().filter_map(move |(entrant, cell)| {
                Some((scenario.as_str(), entrant.as_str(), cell.void.as_ref()?))
            })
        })
    }

    /// Writes the record to a new file, which then replaces the old one, so
    /// that there is a complete record at any time.
    ///
    /// # Errors
    ///
    /// Returns an error if the file can't be written.
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string(self)?;
        file::write_whole(path, text.as_bytes()).with_context(|| {
            format!("cannot write the record {}", path.display())
        })
    }

    /// Returns the baseline of a scenario, if it has one.
    pub(crate) fn against(&self, scenario: &Scenario) -> Option<&Scenario> {
        let name = scenario.against.as_ref()?;
        self.scenarios.iter().find(|other| other.name == *name)
    }
}

/// Returns the ratio of each round that both maps contain.
pub(crate) fn ratios(
    over: &BTreeMap<u64, f64>,
    under: &BTreeMap<u64, f64>,
) -> BTreeMap<u64, f64> {
    over.iter()
        .filter_map(|(round, value)| {
            let under = under.get(round).filter(|under| **under > 0.0)?;
            Some((*round, value / under))
        })
        .collect()
}

fn of_report(
    report: &LoadReport,
    scenario: &Scenario,
    figure: Figure,
) -> Option<f64> {
    let clients = report.group(&scenario.measured_group)?;
    let time = |times: &Times, quantile: f64| {
        let beyond = (1.0 - quantile) * times.count() as f64;
        // With fewer replies beyond it, a tail quantile is the time of a few
        // single requests.
        let is_known = quantile <= 0.5 || beyond >= REPLIES_BEYOND;
        let time_ns = times.at_quantile_ns(quantile).filter(|_| is_known)?;
        Some(time_ns as f64)
    };
    let per_reply = |count: &Reading<u64>| {
        let groups = report.groups.iter();
        let replies = groups.map(|group| (group.name.as_str(), group.replies));
        let replies = replies_of_server(replies, scenario);
        (replies > 0).then_some(count.value? as f64 / replies as f64)
    };
    match figure {
        Figure::Time | Figure::P50 => time(&clients.service_ns, 0.5),
        Figure::P99 => time(&clients.service_ns, 0.99),
        Figure::Rate => Some(clients.rate(report.window_ns)),
        Figure::Threads => report.server_threads.value.map(|n| n as f64),
        Figure::Rss => report.server_rss_bytes.value.map(|rss| rss as f64),
        Figure::Cost => per_reply(&report.server_cpu_ns),
        Figure::VoluntarySwitches => {
            per_reply(&report.server_switches_voluntary)
        }
        Figure::InvoluntarySwitches => {
            per_reply(&report.server_switches_involuntary)
        }
        Figure::Instructions => {
            counted(report, scenario, |counts| &counts.instructions)
        }
        Figure::CacheMisses => {
            counted(report, scenario, |counts| &counts.cache_misses)
        }
        Figure::Left | Figure::PerClient => None,
        Figure::ResponseP50 | Figure::ResponseP99 => {
            let share = if figure == Figure::ResponseP50 { 0.5 } else { 0.99 };
            time(&clients.open.as_ref()?.response_ns, share)
        }
    }
}

/// Returns what the processors counted per reply.
fn counted(
    report: &LoadReport,
    scenario: &Scenario,
    count: impl Fn(&Counts) -> &Reading<u64>,
) -> Option<f64> {
    let counts = report.counts.as_ref()?;
    let names = scenario.groups.iter().map(|group| group.name.as_str());
    let replies = names.zip(counts.replies.iter().copied());
    let replies = replies_of_server(replies, scenario);
    (replies > 0).then_some(count(counts).value? as f64 / replies as f64)
}

/// Adds up the replies of client groups, given by name. Clients of a second
/// server cost the measured one nothing.
fn replies_of_server<'a>(
    replies: impl Iterator<Item = (&'a str, u64)>,
    scenario: &Scenario,
) -> u64 {
    let is_apart =
        |name: &str| scenario.groups.iter().any(|g| g.apart && g.name == name);
    let replies = replies.filter(|(name, _)| !is_apart(name));
    replies.map(|(_, count)| count).sum()
}

impl Part {
    /// Returns the part that stands for a whole record.
    pub(crate) fn of(record: &Record, file: &str) -> Part {
        Part {
            id: record.id(),
            file: file.to_owned(),
            started: record.started.clone(),
            seed: record.seed,
            complete: record.complete,
            first_round: 1,
            rounds: record.rounds,
            machine: record.machine.clone(),
            calibration: record.calibration.clone(),
            invocation: record.invocation.clone(),
            shard: record.shard.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::load_report::{GroupReport, OpenLoop};
    use crate::model::scenarios;

    #[test]
    fn a_record_whose_turns_do_not_fit_its_scenario_is_refused() {
        let scenario = scenarios::read_one(Path::new(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../bench/scenarios/perf2.toml"
        )))
        .unwrap();
        let good = Turn {
            cycle: scenario.turns,
            place: 1,
            window_ns: 1,
            replies: vec![1],
            server_cpu_ns: None,
            generator_busiest_ns: 0,
            p50_ns: None,
            p99_ns: None,
        };
        let is_sound = |window_ns, turn: Turn| {
            let mut record = Record::new(1, 1, Machine::made_up(vec![0]));
            record.scenarios.push(scenario.clone());
            let group = GroupReport::made_up(&scenario.measured_group);
            let report = LoadReport::made_up(vec![group]);
            record.cell_mut(&scenario.name, "server").rounds.push(Round {
                turns: vec![turn],
                ..Round::made_up(1, LoadReport { window_ns, ..report })
            });
            record.is_sound()
        };
        assert!(is_sound(1, good.clone()));
        assert!(!is_sound(0, good.clone()));
        let bad = [
            Turn { window_ns: 0, ..good.clone() },
            Turn { replies: vec![1, 1], ..good.clone() },
            Turn { cycle: scenario.turns + 1, ..good.clone() },
            Turn { cycle: 0, ..good },
        ];
        for turn in bad {
            assert!(!is_sound(1, turn.clone()), "{turn:?}");
        }
    }

    #[test]
    fn a_record_whose_numbers_would_overflow_is_refused() {
        let good = Record::new(u64::MAX, 1, Machine::made_up(vec![0]));
        let error = |change: &dyn Fn(&mut Record)| {
            let mut record = good.clone();
            let report = LoadReport::made_up(vec![GroupReport::made_up("a")]);
            let round = Round::made_up(1, report);
            record.cell_mut("a", "server").rounds.push(round);
            change(&mut record);
            let text = serde_json::to_vec(&record).unwrap();
            Record::parse(&text).map_or_else(|what| what, |_| String::new())
        };
        assert_eq!(error(&|_| ()), "");
        // Found by a fuzz test: these are added up.
        let unfinished = error(&|record| {
            let rounds = &mut record.cell_mut("a", "server").rounds;
            rounds[0].report.groups[0].unfinished = u64::MAX;
        });
        assert!(unfinished.contains("is too large"), "{unfinished}");
        let too_late = ROUNDS_MAX + 1;
        let changes: [&dyn Fn(&mut Record); 3] = [
            &|record| record.judged_after = vec![too_late],
            &|record| {
                let void = Void::new(too_late, String::new(), false);
                record.cell_mut("a", "server").void = Some(void);
            },
            &|record| {
                let missed = &mut record.cell_mut("a", "server").missed;
                missed.insert(too_late, String::new());
            },
        ];
        for change in changes {
            assert!(error(change).contains("more than 1000000 rounds"));
        }
    }

    #[test]
    fn only_rounds_that_both_maps_contain_have_a_ratio() {
        let over = BTreeMap::from([(1, 5.0), (2, 6.0), (3, 7.0), (4, 8.0)]);
        let under = BTreeMap::from([(1, 10.0), (3, 7.0), (4, 0.0)]);
        let expected = BTreeMap::from([(1, 0.5), (3, 1.0)]);
        assert_eq!(ratios(&over, &under), expected);
    }

    #[test]
    fn counts_are_divided_by_the_replies_of_the_measured_server() {
        let scenario = scenarios::read_one(Path::new(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../bench/scenarios/apart.toml"
        )))
        .unwrap();
        let groups = [("long", 5), ("short", 100)].map(|(name, replies)| {
            GroupReport { replies, ..GroupReport::made_up(name) }
        });
        let mut report = LoadReport::made_up(groups.to_vec());
        let known = |count| Reading::from(Ok(count));
        report.server_switches_voluntary = known(198);
        report.server_switches_involuntary = known(0);
        // The turn in which the processors count is another one.
        report.counts = Some(Counts {
            replies: vec![7, 10],
            instructions: known(123_450),
            cache_misses: Reading::missing("not counted"),
        });
        let figure = |figure| of_report(&report, &scenario, figure);
        assert_eq!(figure(Figure::VoluntarySwitches), Some(1.98));
        assert_eq!(figure(Figure::InvoluntarySwitches), Some(0.0));
        assert_eq!(figure(Figure::Instructions), Some(12_345.0));
        assert_eq!(figure(Figure::CacheMisses), None);
        let report = LoadReport { counts: None, ..report.clone() };
        assert_eq!(of_report(&report, &scenario, Figure::Instructions), None);
    }

    #[test]
    fn each_p99_needs_ten_times_beyond_it_in_its_own_histogram() {
        let (few, many) = ([(1_000, 999)], [(1_000_000, 1_000)]);
        let cases = [
            // The server stalled: the replies to requests that were due in
            // the window came after it.
            (few, many, None, Some(1e6)),
            (many, few, Some(1e6), None),
        ];
        let scenario = scenarios::read_one(Path::new(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../bench/scenarios/load-curve.toml"
        )))
        .unwrap();
        for (service, response, service_p99, response_p99) in cases {
            let mut group = GroupReport::made_up(&scenario.measured_group);
            group.replies = service[0].1;
            group.service_ns = Times::of(&service);
            group.open = Some(OpenLoop {
                response_ns: Times::of(&response),
                lag_ns: Times::of(&[]),
                unanswered: 0,
            });
            let report = LoadReport::made_up(vec![group]);
            let figure = |figure| {
                let time_ns = of_report(&report, &scenario, figure)?;
                // The histogram has three digits.
                Some((time_ns / 1e3).round() * 1e3)
            };
            assert_eq!(figure(Figure::P99), service_p99);
            assert_eq!(figure(Figure::ResponseP99), response_p99);
        }
    }
}
