//! The verdicts as a table that GitHub shows, for a README or an issue.

use std::fmt::Write;

use super::Verdicts;
use super::judge::Judged;
use super::text::ratio;
use super::twins;
use crate::report::markdown::escaped;

/// Draws it.
///
/// # Errors
///
/// Never: it shares its form with exporters that may fail.
pub(super) fn table(verdicts: &Verdicts<'_>) -> anyhow::Result<String> {
    let mut text = String::from(
        "| version | claim | tried on | measured | claimed | verdict |\n\
         | --- | --- | --- | --- | --- | --- |\n",
    );
    for Judged { claim, trials } in &verdicts.judged {
        let tried = trials.iter().filter(|trial| trial.is_tried());
        for (index, outcome) in tried.enumerate() {
            // A claim is told once.
            let (version, says) = match index {
                0 => (claim.version.as_str(), escaped(&claim.says)),
                _ => ("", String::new()),
            };
            let suspect = if outcome.doubts.is_empty() { "" } else { " ?" };
            writeln!(
                text,
                "| {version} | {says} | {} | {} | {} | **{}**{suspect} |",
                escaped(&outcome.trial.of),
                ratio(outcome.ratio.as_ref()),
                claim.band(),
                outcome.ruling,
            )?;
        }
    }
    text += "\n";
    for line in twins::lines(&verdicts.judged) {
        writeln!(text, "- {}", escaped(&line))?;
    }
    text += "\n";
    for note in verdicts.notes() {
        writeln!(text, "- {}", escaped(&note).replace('\n', "\n  "))?;
    }
    Ok(text)
}
