//! The verdicts on claims as a Markdown table, for a README or an issue.

use std::fmt::Write;

use crate::analysis::claims::JudgedClaim;
use crate::analysis::claims::Verdicts;
use crate::output::claims::notes::notes;
use crate::output::claims::outcomes;
use crate::output::claims::text::ratio;
use crate::output::markdown::escaped;

/// Returns the table, followed by the outcomes and the notes.
///
/// # Errors
///
/// Never fails; other exporters with the same signature may.
pub(crate) fn table(verdicts: &Verdicts<'_>) -> anyhow::Result<String> {
    let mut text = String::from(
        "| version | claim | tried on | measured | claimed | verdict |\n\
         | --- | --- | --- | --- | --- | --- |\n",
    );
    for JudgedClaim { claim, trials } in &verdicts.judged {
        let tried = trials.iter().filter(|trial| trial.is_tried());
        for (index, judged) in tried.enumerate() {
            // Print a claim only in the row of its first trial.
            let (version, statement) = match index {
                0 => (claim.version.as_str(), escaped(&claim.says)),
                _ => ("", String::new()),
            };
            let suspect = if judged.doubts.is_empty() { "" } else { " ?" };
            writeln!(
                text,
                "| {version} | {statement} | {} | {} | {} | **{}**{suspect} |",
                escaped(&judged.trial.tried_on),
                ratio(judged.ratio.as_ref()),
                claim.band(),
                judged.verdict,
            )?;
        }
    }
    text += "\n";
    for line in outcomes::lines(&verdicts.judged) {
        writeln!(text, "- {}", escaped(&line))?;
    }
    text += "\n";
    for note in notes(verdicts) {
        writeln!(text, "- {}", escaped(&note).replace('\n', "\n  "))?;
    }
    Ok(text)
}
