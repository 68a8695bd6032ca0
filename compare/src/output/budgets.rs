//! The verdicts on budgets: for a terminal, as Markdown and as JSON.

use std::fmt::Write;

use serde::Serialize;

use crate::analysis::budgets::{
    BudgetReport, JudgedBudget, JudgedLimit, Verdict,
};
use crate::analysis::statistics::Estimate;
use crate::model::budgets::{Limit, Side};
use crate::model::machine::Machine;
use crate::output::markdown::escaped;
use crate::output::notes;

/// The version of the JSON document.
const VERSION: u32 = 1;

/// Returns the verdicts of each budget, followed by their number, the reasons
/// and the notes.
pub(crate) fn text(report: &BudgetReport<'_>) -> String {
    let mut text = String::new();
    for JudgedBudget { budget, limits } in &report.judged {
        text += &format!("{}: {}\n", budget.name(), budget.what);
        let rows: Vec<[String; 4]> = limits.iter().map(row).collect();
        let width = |column: usize| {
            let widths = rows.iter().map(|row| row[column].chars().count());
            widths.max().unwrap_or(0)
        };
        let [first, second, third] = [0, 1, 2].map(width);
        for [name, value, limit, verdict] in &rows {
            text += &format!(
                "  {name:<first$}  {value:<second$}  {limit:<third$}  \
                 {verdict}\n"
            );
        }
        text += "\n";
    }
    for line in summary(report) {
        text += &format!("{line}\n");
    }
    text
}

/// Returns a table for each budget, followed by the summary.
///
/// # Errors
///
/// Never fails; other exporters with the same signature may.
pub(crate) fn markdown(report: &BudgetReport<'_>) -> anyhow::Result<String> {
    let mut text = String::new();
    for JudgedBudget { budget, limits } in &report.judged {
        let what = escaped(&budget.what);
        writeln!(text, "### {what}\n\n{}\n", escaped(&budget.why))?;
        text += "| contestant | measured | limit | verdict |\n\
                 | --- | --- | --- | --- |\n";
        for row in limits.iter().map(row) {
            let [name, value, limit, verdict] = row.map(|cell| escaped(&cell));
            let verdict = match verdict.as_str() {
                "kept" => verdict,
                _ => format!("**{verdict}**"),
            };
            writeln!(text, "| {name} | {value} | {limit} | {verdict} |")?;
        }
        text += "\n";
    }
    for line in summary(report) {
        writeln!(text, "- {}", escaped(&line).replace('\n', "\n  "))?;
    }
    Ok(text)
}

/// Returns the contestant, the measured value, the limit and the verdict.
fn row(judged: &JudgedLimit<'_>) -> [String; 4] {
    let limit = judged.limit;
    let value = judged.value.as_ref().map(|value| with_interval(limit, value));
    [
        subject(limit),
        value.unwrap_or_else(|| "-".to_owned()),
        limit_in_words(limit),
        judged.verdict.name().to_owned(),
    ]
}

/// Returns the contestant, and the one that it is compared with.
fn subject(limit: &Limit) -> String {
    let Side { contestant, scenario, .. } = &limit.figure;
    match &limit.over {
        Some(over) if over.contestant != *contestant => {
            format!("{contestant} / {}", over.contestant)
        }
        // The requests in flight, of the load generator's efficiency.
        None if limit.less.is_none() && scenario.contains('@') => {
            format!("{contestant} in {scenario}")
        }
        _ => contestant.clone(),
    }
}

fn with_interval(limit: &Limit, value: &Estimate) -> String {
    let Estimate { value, low, high } = *value;
    let is_exact = low == high;
    match limit.unit() {
        Some(unit) if is_exact => unit.text(value),
        Some(unit) => {
            let interval = unit.interval(value, [low, high]);
            format!("{} [{interval}]", unit.text(value))
        }
        None if is_exact => charts::number(value),
        None => {
            let [value, low, high] = [value, low, high].map(charts::ratio);
            format!("{value} [{low}, {high}]")
        }
    }
}

fn limit_in_words(limit: &Limit) -> String {
    let band = limit.band();
    let in_unit = |bound: f64| match limit.unit() {
        Some(unit) => unit.text(bound),
        None => bound.to_string(),
    };
    let least =
        band.at_least.map(|bound| format!("at least {}", in_unit(bound)));
    let most = band.at_most.map(|bound| format!("at most {}", in_unit(bound)));
    least.or(most).unwrap_or_default()
}

/// Returns the number of verdicts of each kind, the reasons of those that are
/// neither `kept` nor `broken`, and the notes on the run.
fn summary(report: &BudgetReport<'_>) -> Vec<String> {
    let mut lines = vec![counts(report)];
    let limits = report.judged.iter().flat_map(|judged| &judged.limits);
    let mut reasons: Vec<(String, Vec<String>)> = Vec::new();
    for judged in limits {
        let Some(reason) = judged.verdict.reason() else { continue };
        let reason = format!("{} ({reason})", judged.verdict.name());
        let figure = judged.limit.figure.to_string();
        match reasons.iter_mut().find(|(other, _)| *other == reason) {
            Some((_, figures)) => figures.push(figure),
            None => reasons.push((reason, vec![figure])),
        }
    }
    for (reason, figures) in reasons {
        // A reason may name its only figure itself.
        let is_named = figures.len() == 1 && reason.contains(&figures[0]);
        let line = format!("{reason}: {}", notes::first_few(&figures));
        lines.push(if is_named { reason } else { line });
    }
    lines.extend(notes::circumstances(report.record));
    lines
}

fn counts(report: &BudgetReport<'_>) -> String {
    let names = ["kept", "broken", "undecided", "failed", "not measured"];
    let counts = names.map(|name| {
        let verdicts = report.verdicts().map(Verdict::name);
        (name, verdicts.filter(|other| *other == name).count())
    });
    let counts = counts.into_iter().filter(|(_, count)| *count > 0);
    let counts: Vec<String> =
        counts.map(|(name, count)| format!("{count} {name}")).collect();
    format!("limits: {}", counts.join(", "))
}

#[derive(Serialize)]
struct JsonReport<'a> {
    version: u32,
    run: String,
    complete: bool,
    rounds_done: usize,
    machine: &'a Machine,
    budgets: Vec<JsonBudget<'a>>,
    notes: Vec<String>,
}

#[derive(Serialize)]
struct JsonBudget<'a> {
    name: &'a str,
    what: &'a str,
    why: &'a str,
    limits: Vec<JsonLimit<'a>>,
}

/// One limit. Times are in nanoseconds, memory in bytes, rates in requests per
/// second.
#[derive(Serialize)]
struct JsonLimit<'a> {
    figure: String,
    over: Option<String>,
    less: Option<String>,
    per: Option<f64>,
    at_least: Option<f64>,
    at_most: Option<f64>,
    value: Option<Estimate>,
    verdict: &'a str,
    /// The reason, unless the limit is kept or broken.
    reason: Option<&'a str>,
}

/// Returns the verdicts as one JSON document.
///
/// # Errors
///
/// Returns an error if the verdicts can't be written as JSON.
pub(crate) fn json(report: &BudgetReport<'_>) -> anyhow::Result<String> {
    let record = report.record;
    let document = JsonReport {
        version: VERSION,
        run: record.id(),
        complete: record.complete,
        rounds_done: record.rounds_done(),
        machine: &record.machine,
        budgets: report.judged.iter().map(json_budget).collect(),
        notes: notes::circumstances(record),
    };
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

fn json_budget<'a>(
    JudgedBudget { budget, limits }: &'a JudgedBudget<'_>,
) -> JsonBudget<'a> {
    let limits = limits.iter().map(|judged| {
        let limit = judged.limit;
        let name = |side: &Option<Side>| side.as_ref().map(Side::to_string);
        let band = limit.band();
        JsonLimit {
            figure: limit.figure.to_string(),
            over: name(&limit.over),
            less: name(&limit.less),
            per: limit.per,
            at_least: band.at_least,
            at_most: band.at_most,
            value: judged.value,
            verdict: judged.verdict.name(),
            reason: judged.verdict.reason(),
        }
    });
    JsonBudget {
        name: budget.name(),
        what: &budget.what,
        why: &budget.why,
        limits: limits.collect(),
    }
}
