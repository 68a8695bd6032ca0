//! The verdicts on claims for a terminal.

use comfy_table::{Attribute, Cell, Color};

use crate::analysis::claims::Verdicts;
use crate::analysis::claims::{JudgedClaim, JudgedTrial, Verdict};
use crate::analysis::statistics::Estimate;
use crate::output::claims::notes::notes;
use crate::output::claims::outcomes;
use crate::output::table;
use crate::output::wrap::wrapped;

/// The width of a claim's text.
const CLAIM_WIDTH: usize = 36;

/// Returns a table with one row per claim and one line per trial, followed by
/// the outcomes, the reasons of open and failed verdicts, and the notes.
pub(crate) fn text(verdicts: &Verdicts<'_>) -> String {
    let headings = ["tried on", "measured", "claimed", "verdict"];
    let headings = headings.map(str::to_owned).into_iter();
    let mut table = table::titled("claim", headings);
    for judged in &verdicts.judged {
        table.add_row(row(judged));
    }
    let mut text = format!("{}\n\n", table.trim_fmt());
    for line in outcomes::lines(&verdicts.judged) {
        text += &format!("{line}\n");
    }
    text += "\n";
    text += &reasons(verdicts).join("");
    for note in notes(verdicts) {
        text += &format!("{note}\n");
    }
    text
}

fn row(JudgedClaim { claim, trials }: &JudgedClaim<'_>) -> Vec<Cell> {
    let mut lines = vec![format!("{} ({})", claim.name(), claim.version)];
    lines.extend(wrapped(&claim.says, CLAIM_WIDTH));
    // An empty line separates claims.
    lines.push(String::new());
    let tried: Vec<&JudgedTrial<'_>> =
        trials.iter().filter(|trial| trial.is_tried()).collect();
    let column = |of: &dyn Fn(&JudgedTrial<'_>) -> String| {
        let lines: Vec<String> = tried.iter().map(|trial| of(trial)).collect();
        Cell::new(lines.join("\n"))
    };
    let band = claim.band().to_string();
    let verdicts = column(&|trial| {
        let suspect = if trial.doubts.is_empty() { "" } else { " ?" };
        format!("{}{suspect}", trial.verdict)
    });
    let is = |wanted: Verdict| tried.iter().all(|t| t.verdict == wanted);
    let verdicts = match () {
        () if is(Verdict::Holds) => verdicts.fg(Color::Green),
        () if is(Verdict::Refuted) => verdicts.fg(Color::Red),
        () => verdicts,
    };
    vec![
        Cell::new(lines.join("\n")),
        column(&|trial| trial.trial.tried_on.clone()),
        column(&|trial| ratio(trial.ratio.as_ref())),
        column(&|_| band.clone()),
        verdicts.add_attribute(Attribute::Bold),
    ]
}

/// Returns the reasons of verdicts that are neither `holds` nor `refuted`, each
/// one once.
fn reasons(verdicts: &Verdicts<'_>) -> Vec<String> {
    let mut reasons: Vec<(String, Vec<&str>)> = Vec::new();
    for JudgedClaim { claim, trials } in &verdicts.judged {
        for JudgedTrial { trial, verdict, .. } in trials {
            let Some(why) = verdict.reason() else { continue };
            let reason = format!("{verdict} in {} ({why})", trial.tried_on);
            match reasons.iter_mut().find(|(other, _)| *other == reason) {
                Some((_, names)) => names.push(claim.name()),
                None => reasons.push((reason, vec![claim.name()])),
            }
        }
    }
    let lines = reasons.into_iter();
    lines
        .map(|(reason, names)| format!("{reason}: {}\n", names.join(", ")))
        .collect()
}

/// Returns a ratio with its interval, or `-` if there is none.
pub(crate) fn ratio(ratio: Option<&Estimate>) -> String {
    let Some(Estimate { value, low, high }) = ratio else {
        return "-".to_owned();
    };
    let [value, low, high] = [value, low, high].map(|v| charts::ratio(*v));
    format!("{value} [{low}, {high}]")
}
