//! The verdicts on claims as JSON, for programs.

use serde::Serialize;

use crate::analysis::claims::Verdicts;
use crate::analysis::claims::{JudgedClaim, JudgedTrial};
use crate::analysis::statistics::Estimate;
use crate::model::claims::Side;
use crate::model::machine::Machine;
use crate::output::claims::notes::notes;

/// The version of this format.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct JsonVerdicts<'a> {
    version: u32,
    run: String,
    complete: bool,
    rounds_done: usize,
    machine: &'a Machine,
    claims: Vec<JsonClaim<'a>>,
    notes: Vec<String>,
}

#[derive(Serialize)]
struct JsonClaim<'a> {
    name: &'a str,
    version: &'a str,
    says: &'a str,
    mechanism: &'a str,
    at_least: Option<f64>,
    at_most: Option<f64>,
    why: &'a str,
    trials: Vec<JsonTrial<'a>>,
}

#[derive(Serialize)]
struct JsonTrial<'a> {
    of: &'a str,
    verdict: &'a str,
    /// The reason, unless the claim holds or is refuted.
    reason: Option<&'a str>,
    ratio: Option<Estimate>,
    rounds: usize,
    left: JsonFigure<'a>,
    right: JsonFigure<'a>,
    doubts: Vec<String>,
}

/// One side of a claim. Times are in nanoseconds, rates in requests per second.
#[derive(Serialize)]
struct JsonFigure<'a> {
    figure: &'a str,
    contestant: &'a str,
    scenario: &'a str,
    estimate: Option<Estimate>,
}

/// Returns the verdicts as one JSON document.
///
/// # Errors
///
/// Returns an error if the verdicts can't be written as JSON.
pub(crate) fn document(verdicts: &Verdicts<'_>) -> anyhow::Result<String> {
    let record = verdicts.record;
    let document = JsonVerdicts {
        version: VERSION,
        run: record.id(),
        complete: record.complete,
        rounds_done: record.rounds_done(),
        machine: &record.machine,
        claims: verdicts.judged.iter().map(claim).collect(),
        notes: notes(verdicts),
    };
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

fn claim<'a>(
    JudgedClaim { claim, trials }: &'a JudgedClaim<'_>,
) -> JsonClaim<'a> {
    let band = claim.band();
    JsonClaim {
        name: claim.name(),
        version: &claim.version,
        says: &claim.says,
        mechanism: &claim.mechanism,
        at_least: band.at_least,
        at_most: band.at_most,
        why: &claim.why,
        trials: trials.iter().map(trial).collect(),
    }
}

fn trial<'a>(judged: &'a JudgedTrial<'_>) -> JsonTrial<'a> {
    let JudgedTrial { trial, figures, ratio, rounds, verdict, doubts } = judged;
    let [left, right] = figures;
    JsonTrial {
        of: &trial.tried_on,
        verdict: verdict.name(),
        reason: verdict.reason(),
        ratio: *ratio,
        rounds: *rounds,
        left: figure(&trial.left, *left),
        right: figure(&trial.right, *right),
        doubts: doubts
            .iter()
            .map(|(side, doubt)| format!("{side}: {doubt}"))
            .collect(),
    }
}

fn figure(side: &Side, estimate: Option<Estimate>) -> JsonFigure<'_> {
    let Side { figure, contestant, scenario } = side;
    JsonFigure { figure: figure.name(), contestant, scenario, estimate }
}
