//! Comparisons of servers whose costs have a known ratio, measured in turns and
//! judged like those of a run.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Context;

use crate::analysis::findings::{Findings, Relation};
use crate::analysis::statistics::Estimate;
use crate::base::interrupt::Interrupt;
use crate::cmd::selftest::cases::{RIVALS, ResultLine, Rival, faulty};
use crate::measure::machine;
use crate::measure::processors::Processors;
use crate::measure::programs;
use crate::measure::progress::Progress;
use crate::measure::rounds::Measurement;
use crate::model::contestants::ALIAS_SUFFIX;
use crate::model::figure::Figure;
use crate::model::record::{Entrant, Record};
use crate::model::scenarios::Scenario;

/// The server with which the others are compared.
const FIRST: &str = "first";

/// The number of rounds of a duel: as many as in a run.
const ROUNDS: u64 = 8;

/// A server that spins this many times before each reply, to measure the cost
/// of a spin where it is spent: it is higher than that of the loop alone.
const PROBE: &str = "probe";

const PROBE_SPINS: u64 = 3_000;

/// The number of rounds in which the cost of a spin is measured.
const ROUNDS_OF_PROBE: u64 = 2;

/// The largest half width, as a share, of the interval of a server's ratio to
/// itself. With a wider one, two servers could not be called equal.
const HALF_WIDTH_MAX: f64 = 0.03;

/// The scenario: that of `perf2-crowd`, with more turns.
const SCENARIO: &str = r#"
name = "duel"
question = "Which costs more?"
expectation = "The server that works longer."
analysis = "None."
cpus = "split"
warm_up = "15ms"
window = "25ms"
turns = 8
of = "clients"
figures = ["cost"]

[[group]]
name = "clients"
connections = 64
n = 1
"#;

/// What is needed to measure known servers in turns.
pub(crate) struct Duel<'a> {
    pub(crate) processors: &'a Processors,
    pub(crate) interrupt: &'a Interrupt,
    pub(crate) progress: &'a Progress,
}

impl Duel<'_> {
    /// Measures the first server and its rivals, and checks the verdicts on
    /// them; `None` if interrupted.
    pub(crate) fn check(&self) -> anyhow::Result<Option<Vec<ResultLine>>> {
        let Some(per_share) = self.spins_per_share()? else {
            return Ok(None);
        };
        let mut entrants = vec![entrant(FIRST, 0)?];
        for rival in &RIVALS {
            let spins = (rival.extra * per_share).round() as u64;
            entrants.push(entrant(rival.name, spins)?);
        }
        let alias = entrant(&format!("{FIRST}{ALIAS_SUFFIX}"), 0)?;
        let alias_of = Some(FIRST.to_owned());
        entrants.push(Entrant { alias_of, ..alias });
        let Some(record) = self.run(ROUNDS, entrants)? else {
            return Ok(None);
        };
        lines(&record).map(Some)
    }

    /// Returns how many spins cost as much as a reply of the first server, here
    /// and now; `None` if interrupted.
    fn spins_per_share(&self) -> anyhow::Result<Option<f64>> {
        let entrants = vec![entrant(FIRST, 0)?, entrant(PROBE, PROBE_SPINS)?];
        let Some(record) = self.run(ROUNDS_OF_PROBE, entrants)? else {
            return Ok(None);
        };
        let findings = Findings::of(&record);
        let cost = |name| {
            let scenario = &record.scenarios[0];
            let cost = findings.estimate(scenario, name, Figure::Cost);
            cost.context("the cost of a known server could not be measured")
        };
        let (first, probe) = (cost(FIRST)?.value, cost(PROBE)?.value);
        anyhow::ensure!(
            probe > first,
            "a server that spins {PROBE_SPINS} times before each reply did \
             not cost more than one that doesn't"
        );
        Ok(Some(first / (probe - first) * PROBE_SPINS as f64))
    }

    /// Returns a run of the known servers; `None` if interrupted.
    fn run(
        &self,
        rounds: u64,
        entrants: Vec<Entrant>,
    ) -> anyhow::Result<Option<Record>> {
        let numbers = self.processors.numbers();
        let machine = machine::describe(Path::new("."), numbers);
        let mut record = Record::new(0, rounds, machine);
        let scenario: Scenario =
            toml::from_str(SCENARIO).context("the duel is not a scenario")?;
        record.scenarios.push(scenario);
        record.entrants = entrants;
        let folder = tempfile::tempdir()?;
        let mut measurement = Measurement {
            path: &folder.path().join("run.json"),
            processors: self.processors,
            interrupt: self.interrupt,
            watch: self.interrupt.watch(),
            progress: self.progress,
            seed: record.seed,
            cells: None,
            failed_to_start: HashMap::new(),
            not_calibrated: HashMap::new(),
            capacities: HashMap::new(),
            own_system_calls: HashMap::new(),
            further: None,
        };
        let flow = measurement.measure_all(Vec::new(), &mut record);
        Ok(flow.is_continue().then_some(record))
    }
}

/// Returns the known server that spins this number of times in each reply.
fn entrant(name: &str, spins: u64) -> anyhow::Result<Entrant> {
    let mut contestant = faulty(&["--spin", &spins.to_string()])?;
    contestant.name = name.to_owned();
    Ok(programs::entrant(contestant))
}

/// Returns the verdicts on the rivals.
fn lines(record: &Record) -> anyhow::Result<Vec<ResultLine>> {
    let scenario = &record.scenarios[0];
    let findings = Findings::of(record);
    let mut lines = Vec::new();
    for rival in &RIVALS {
        let relation = findings
            .relation(scenario, rival.name, FIRST, Figure::Cost)
            .context("a known server could not be compared")?;
        lines.extend(judged(rival, &relation));
    }
    let itself = findings
        .self_relation(scenario, Figure::Cost)
        .context("a known server could not be compared with itself")?;
    let half = itself.half_width();
    let percent = |share: f64| format!("{:.1}", share * 100.0);
    lines.push(ResultLine {
        what: RIVALS[0].what.to_owned(),
        check: "half width".to_owned(),
        expected: format!("0–{} %", percent(HALF_WIDTH_MAX)),
        measured: format!("{} %", percent(half)),
        passed: half <= HALF_WIDTH_MAX,
    });
    // It belongs to the first rival, which costs the same, too.
    let last = lines.len() - 1;
    lines[2..=last].rotate_right(1);
    Ok(lines)
}

/// Returns the lines for a rival whose cost relates like this to that of the
/// first server.
fn judged(rival: &Rival, relation: &Relation) -> [ResultLine; 2] {
    let times = relation.times().copied();
    let times = times.unwrap_or(Estimate::exact(f64::NAN));
    let Estimate { value, low, high } = times;
    let (least, most) = rival.bounds;
    let ratio = ResultLine {
        what: rival.what.to_owned(),
        check: "ratio of costs".to_owned(),
        expected: format!("{least}–{most}"),
        measured: format!("{value:.3} [{low:.3}, {high:.3}]"),
        passed: (least..=most).contains(&value),
    };
    let costs_more = rival.extra > 0.0;
    let measured = match relation {
        Relation::Differs { times, .. } if times.value > 1.0 => "costs more",
        Relation::Differs { .. } => "costs less",
        other => other.name(),
    };
    let verdict = ResultLine {
        what: rival.what.to_owned(),
        check: "verdict".to_owned(),
        expected: if costs_more { "costs more" } else { "not different" }
            .to_owned(),
        measured: measured.to_owned(),
        passed: match relation {
            Relation::Differs { times, .. } => costs_more && times.low > 1.0,
            Relation::Equal { .. } | Relation::Undecided { .. } => !costs_more,
            Relation::Open(_) => false,
        },
    };
    [ratio, verdict]
}
