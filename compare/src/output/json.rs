//! The figures of a run as JSON: the rows of the CSV format, with a description
//! of the run. Raw data stay in the record.

use serde::Serialize;

use crate::analysis::questions::value_of;
use crate::analysis::statistics::Estimate;
use crate::model::calibration::Calibrated;
use crate::model::machine::Machine;
use crate::output::csv::validity;
use crate::output::relations;
use crate::output::sheet::{Row, Sheet};

/// The version of this format.
const SCHEMA_VERSION: u32 = 2;

/// Returns the figures as JSON.
///
/// # Errors
///
/// Fails if a figure can't be represented in JSON.
pub(crate) fn document(sheet: &Sheet<'_>) -> anyhow::Result<String> {
    let record = sheet.record;
    let rows = sheet.rows();
    let document = JsonReport {
        schema_version: SCHEMA_VERSION,
        run: record.id(),
        started: &record.started,
        complete: record.complete,
        seed: record.seed,
        rounds_wanted: record.rounds,
        rounds_done: record.rounds_done(),
        machine: &record.machine,
        cost_method: &record.cost_method,
        calibration: &record.calibration,
        margin: sheet.findings.margin(),
        self_ratios: self_ratios(sheet),
        figures: rows.iter().map(figure).collect(),
    };
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

#[derive(Serialize)]
struct JsonReport<'a> {
    schema_version: u32,
    run: String,
    started: &'a str,
    complete: bool,
    seed: u64,
    rounds_wanted: u64,
    rounds_done: usize,
    machine: &'a Machine,
    cost_method: &'a str,
    calibration: &'a [Calibrated],
    /// The share by which equal figures may differ.
    margin: f64,
    self_ratios: Vec<SelfRatio<'a>>,
    figures: Vec<FigureOf<'a>>,
}

/// The ratio of the contestant that took part twice to itself.
#[derive(Serialize)]
struct SelfRatio<'a> {
    scenario: &'a str,
    figure: &'static str,
    ratio: Estimate,
}

#[derive(Serialize)]
struct FigureOf<'a> {
    scenario: &'a str,
    of: &'a str,
    value: Option<f64>,
    contestant: &'a str,
    again: Option<&'a str>,
    label: &'static str,
    figure: &'static str,
    unit: &'static str,
    estimate: Option<Estimate>,
    rounds: usize,
    is_lower_bound: bool,
    validity: &'a str,
    reason: Option<&'a str>,
    /// Whether it was shown that no contestant has a better figure.
    is_best: bool,
    compared: Option<ComparedWith<'a>>,
}

/// How a figure compares with that of the contestant that comes first.
#[derive(Serialize)]
struct ComparedWith<'a> {
    contestant: &'a str,
    outcome: &'static str,
    ratio: Option<Estimate>,
    more_rounds: Option<u64>,
    reason: Option<&'static str>,
}

fn self_ratios<'a>(sheet: &Sheet<'a>) -> Vec<SelfRatio<'a>> {
    let shown = sheet.record.scenarios.iter().flat_map(|scenario| {
        scenario.figures.iter().map(move |figure| (scenario, *figure))
    });
    let ratios = shown.filter_map(|(scenario, figure)| {
        let ratio = sheet.findings.self_relation(scenario, figure)?;
        let (scenario, figure) = (scenario.name.as_str(), figure.name());
        Some(SelfRatio { scenario, figure, ratio })
    });
    // JSON has no infinite numbers.
    ratios.filter(|one| one.ratio.half_width().is_finite()).collect()
}

fn compared<'a>(row: &'a Row<'_>) -> Option<ComparedWith<'a>> {
    let relation = row.relation.as_ref()?;
    Some(ComparedWith {
        contestant: row.leader?,
        outcome: relations::outcome(row.figure, relation),
        ratio: relation.times().copied(),
        more_rounds: relations::more_rounds(relation),
        reason: relations::open_reason(relation),
    })
}

fn figure<'a>(row: &'a Row<'_>) -> FigureOf<'a> {
    let contestant = &row.entrant.contestant;
    let scenario = row.scenario;
    let (validity, reason) = validity(&row.validity);
    FigureOf {
        scenario: &scenario.name,
        of: scenario.base(),
        value: scenario.point.is_some().then(|| value_of(scenario)),
        contestant: &contestant.name,
        again: row.entrant.alias_of.as_deref(),
        label: contestant.label.name(),
        figure: row.figure.name(),
        unit: row.figure.unit().name(),
        estimate: row.estimate,
        rounds: row.rounds,
        is_lower_bound: row.is_lower_bound,
        validity,
        reason,
        is_best: row.is_best,
        compared: compared(row),
    }
}
