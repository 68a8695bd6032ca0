//! A run, as it is kept: everything raw, so that every figure can be worked
//! out again.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

use crate::base::exit::Usage;
use crate::model::calibration::Calibrated;
use crate::model::contestant::Contestant;
use crate::model::faults::Faults;
use crate::model::figure::Figure;
use crate::model::invocation::Invocation;
use crate::model::load_report::{Bottleneck, LoadReport};
use crate::model::machine::Machine;
use crate::model::placement::Placement;
use crate::model::provenance::{Part, Shard};
use crate::model::reading::Reading;
use crate::model::scenarios::Scenario;
use crate::model::times::Times;

/// The version of this form.
pub(crate) const SCHEMA_VERSION: u32 = 2;

/// More rounds than anybody waits for.
pub(crate) const ROUNDS_MAX: u64 = 1_000_000;

/// How many replies must lie beyond a quantile for it to be shown.
pub(crate) const REPLIES_BEYOND: f64 = 10.0;

/// A run.
#[derive(schemars::JsonSchema, Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Record {
    /// The version of this form.
    pub(crate) schema_version: u32,
    /// Whether the run came to its end.
    pub(crate) complete: bool,
    /// When it began, in UTC.
    pub(crate) started: String,
    /// What all its random choices follow from.
    pub(crate) seed: u64,
    /// How many rounds were wanted.
    pub(crate) rounds: u64,
    /// Where it took place.
    pub(crate) machine: Machine,
    /// How the CPU time of servers is measured.
    pub(crate) cost_method: String,
    /// Which n stands for which cost.
    pub(crate) calibration: Vec<Calibrated>,
    /// Who took part.
    pub(crate) entrants: Vec<Entrant>,
    /// Who would have taken part, but for this.
    #[serde(default)]
    pub(crate) skipped: Vec<(String, String)>,
    /// What was asked.
    pub(crate) scenarios: Vec<Scenario>,
    /// What came of it, by scenario, then by entrant.
    pub(crate) cells: BTreeMap<String, BTreeMap<String, CellRecord>>,
    /// What the command line said beside that. Older records don't have it.
    #[serde(
        rename = "asked",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) invocation: Option<Invocation>,
    /// What it was joined from; nothing, if it is as it was measured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) parts: Vec<Part>,
    /// What only a load on a server elsewhere has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) shard: Option<Shard>,
}

/// One who took part.
#[derive(schemars::JsonSchema, Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Entrant {
    /// The contestant, its command as it was run.
    pub(crate) contestant: Contestant,
    /// The contestant that this one is for a second time, under another name:
    /// what differs between the two is noise.
    #[serde(rename = "again")]
    pub(crate) alias_of: Option<String>,
    /// What the contestant says of its version.
    #[serde(default = "no_version")]
    pub(crate) version: Reading<String>,
}

fn no_version() -> Reading<String> {
    Reading::missing("nobody asked for it")
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

/// One entrant under one scenario.
#[derive(schemars::JsonSchema, Clone, Debug, Deserialize, Serialize)]
pub(crate) struct CellRecord {
    /// Why it has no figures.
    pub(crate) void: Option<Void>,
    /// Why its model could not be asked that, if it is so by design.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) by_design: Option<String>,
    /// Its rounds.
    pub(crate) rounds: Vec<Round>,
    /// The server's system calls for each reply, by name: counted once, in a
    /// pass of its own that is not timed.
    #[serde(default = "no_system_calls")]
    pub(crate) system_calls: Reading<BTreeMap<String, f64>>,
    /// Rounds that this side spoilt, and how.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) missed: BTreeMap<u64, String>,
}

impl CellRecord {
    /// Leaves out a round that this side spoilt, and says whether more than
    /// half of those that were wanted are left out by now.
    pub(crate) fn leave_out(
        &mut self,
        round: u64,
        reason: String,
        wanted: u64,
    ) -> bool {
        self.missed.insert(round, reason);
        self.missed.len() as u64 * 2 > wanted
    }

    fn new() -> CellRecord {
        CellRecord {
            void: None,
            by_design: None,
            rounds: Vec::new(),
            system_calls: no_system_calls(),
            missed: BTreeMap::new(),
        }
    }
}

fn no_system_calls() -> Reading<BTreeMap<String, f64>> {
    Reading::missing("not asked for: --system-calls counts them")
}

/// Why a cell has no figures.
#[derive(schemars::JsonSchema, Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Void {
    /// The round in which it came out.
    pub(crate) round: u64,
    /// Why.
    pub(crate) reason: String,
    /// Whether the contestant is to blame, or else the instrument.
    pub(crate) contestant_failed: bool,
    /// The contestant's last log lines.
    pub(crate) log: Vec<String>,
    /// What went wrong by kind, for each client group that met anything, where
    /// it was the load that found it out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) faults: BTreeMap<String, Faults>,
}

impl Void {
    /// Returns the reason why a cell is void, of which there is neither a log
    /// nor a fault to keep.
    pub(crate) fn new(
        round: u64,
        reason: String,
        contestant_failed: bool,
    ) -> Void {
        let (log, faults) = (Vec::new(), BTreeMap::new());
        Void { round, reason, contestant_failed, log, faults }
    }
}

/// One measurement.
#[derive(schemars::JsonSchema, Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Round {
    /// The round's number.
    pub(crate) round: u64,
    /// Its place in the order of the round's measurements.
    pub(crate) place: usize,
    /// Who ran where.
    pub(crate) placement: Placement,
    /// Who held up the rate.
    pub(crate) bottleneck: Bottleneck,
    /// What the contestant can do at most, in requests a second, if a rate of
    /// the scenario is a share of it.
    pub(crate) capacity: Reading<f64>,
    /// What the load generator measured.
    pub(crate) report: LoadReport,
}

impl Record {
    /// A run that begins.
    pub(crate) fn new(seed: u64, rounds: u64, machine: Machine) -> Record {
        let now = std::time::SystemTime::now();
        Record {
            schema_version: SCHEMA_VERSION,
            complete: false,
            started: humantime::format_rfc3339_seconds(now).to_string(),
            seed,
            rounds,
            machine,
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

    /// Reads one that was written.
    ///
    /// # Errors
    ///
    /// A [`Usage`] error when it is no whole record of this form.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Record> {
        #[derive(Deserialize)]
        struct Form {
            schema_version: u32,
        }
        let text = fs::read(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let broken = |error: serde_json::Error| {
            let path = path.display();
            Usage(if error.is_eof() {
                format!("{path}: the record is cut off: {error}")
            } else {
                format!("{path}: not a record of compare: {error}")
            })
        };
        let form: Form = serde_json::from_slice(&text).map_err(broken)?;
        ensure!(
            form.schema_version == SCHEMA_VERSION,
            Usage(format!(
                "{}: a record of schema version {}; this compare reads \
                 version {SCHEMA_VERSION}",
                path.display(),
                form.schema_version
            ))
        );
        let record: Record = serde_json::from_slice(&text).map_err(broken)?;
        let cells = record.cells.values().flat_map(|row| row.values());
        let is_sound = |round: &Round| {
            round.report.window_ns > 0 && round.round <= ROUNDS_MAX
        };
        let rounds = cells.flat_map(|cell| &cell.rounds);
        ensure!(
            record.rounds <= ROUNDS_MAX && { rounds }.all(is_sound),
            Usage(format!(
                "{}: not a record of compare: a window of no length, or more \
                 than {ROUNDS_MAX} rounds",
                path.display()
            ))
        );
        Ok(record)
    }

    /// The run's name: when it began, and its seed.
    pub(crate) fn id(&self) -> String {
        let started = self.started.trim_end_matches('Z').replace(':', "-");
        format!("{started}-{}", self.seed)
    }

    /// A cell, for writing.
    pub(crate) fn cell_mut(
        &mut self,
        scenario: &str,
        entrant: &str,
    ) -> &mut CellRecord {
        let row = self.cells.entry(scenario.to_owned()).or_default();
        row.entry(entrant.to_owned()).or_insert_with(CellRecord::new)
    }

    /// A cell, if it was measured at all.
    pub(crate) fn cell(
        &self,
        scenario: &str,
        entrant: &str,
    ) -> Option<&CellRecord> {
        self.cells.get(scenario)?.get(entrant)
    }

    /// Why a model could not be asked that, if it is so by design.
    pub(crate) fn by_design(
        &self,
        scenario: &str,
        entrant: &str,
    ) -> Option<&str> {
        self.cell(scenario, entrant)?.by_design.as_deref()
    }

    /// A figure of each round, by the round's number. Empty when the cell is
    /// void, or when the figure can't be had.
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

    /// How many rounds there are figures of.
    pub(crate) fn rounds_done(&self) -> usize {
        let cells = self.cells.values().flat_map(|row| row.values());
        cells.map(|cell| cell.rounds.len()).max().unwrap_or(0)
    }

    /// The entrants that are in it to be compared.
    pub(crate) fn contestants(&self) -> impl Iterator<Item = &Contestant> {
        let entrants = self.entrants.iter();
        entrants.filter(|e| e.alias_of.is_none()).map(|e| &e.contestant)
    }

    /// The void cells, with their scenario and entrant.
    pub(crate) fn voids(&self) -> impl Iterator<Item = (&str, &str, &Void)> {
        self.cells.iter().flat_map(|(scenario, row)| {
            row.iter().filter_map(move |(entrant, cell)| {
                Some((scenario.as_str(), entrant.as_str(), cell.void.as_ref()?))
            })
        })
    }

    /// Writes it to a new file that then takes the old one's place: whatever
    /// happens, there is a whole record.
    ///
    /// # Errors
    ///
    /// When the file can't be written.
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".part");
        let part = path.with_file_name(name);
        let text = serde_json::to_string(self)?;
        let write = || {
            let mut file = fs::File::create(&part)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&part, path)
        };
        write()
            .inspect_err(|_| {
                // On a full disk, half a record is in the way.
                let _ = fs::remove_file(&part);
            })
            .with_context(|| {
                format!("cannot write the record {}", path.display())
            })
    }

    /// The scenario that another one's rate is a share of.
    pub(crate) fn against(&self, scenario: &Scenario) -> Option<&Scenario> {
        let name = scenario.against.as_ref()?;
        self.scenarios.iter().find(|other| other.name == *name)
    }
}

/// The ratio of each round that both have.
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
        // Without so many beyond it, a tail is the time of a few requests.
        let is_known = quantile <= 0.5 || beyond >= REPLIES_BEYOND;
        let time_ns = times.at_quantile_ns(quantile).filter(|_| is_known)?;
        Some(time_ns as f64)
    };
    match figure {
        Figure::Time | Figure::P50 => time(&clients.service_ns, 0.5),
        Figure::P99 => time(&clients.service_ns, 0.99),
        Figure::Rate => Some(clients.rate(report.window_ns)),
        Figure::Threads => report.server_threads.value.map(|n| n as f64),
        Figure::Rss => report.server_rss_bytes.value.map(|rss| rss as f64),
        Figure::Cost => {
            let cpu_ns = report.server_cpu_ns.value? as f64;
            // Those of a server that stands apart cost this one nothing.
            let is_apart = |name: &str| {
                scenario.groups.iter().any(|g| g.apart && g.name == name)
            };
            let groups = report.groups.iter();
            let groups = groups.filter(|group| !is_apart(&group.name));
            let replies = groups.map(|group| group.replies).sum::<u64>();
            (replies > 0).then(|| cpu_ns / replies as f64)
        }
        Figure::Left => None,
        Figure::ResponseP50 | Figure::ResponseP99 => {
            let share = if figure == Figure::ResponseP50 { 0.5 } else { 0.99 };
            time(&clients.open.as_ref()?.response_ns, share)
        }
    }
}

impl Part {
    /// A record as a part, whose rounds are as they were.
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
    fn a_ratio_is_taken_only_of_rounds_that_both_have() {
        let over = BTreeMap::from([(1, 5.0), (2, 6.0), (3, 7.0), (4, 8.0)]);
        let under = BTreeMap::from([(1, 10.0), (3, 7.0), (4, 0.0)]);
        let expected = BTreeMap::from([(1, 0.5), (3, 1.0)]);
        assert_eq!(ratios(&over, &under), expected);
    }

    #[test]
    fn a_tail_is_shown_of_as_many_times_as_it_was_taken_of() {
        let (few, many) = ([(1_000, 999)], [(1_000_000, 1_000)]);
        let cases = [
            // The server stalled: replies to what was due came later.
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
