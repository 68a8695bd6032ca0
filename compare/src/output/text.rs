//! The results of a run for a terminal: the answers, the table, and how sure
//! they are.

use std::collections::BTreeMap;

use crate::analysis::units;
use crate::output::figure_table;
use crate::output::notes::{self, NoteKind};
use crate::output::sheet::Sheet;
use crate::output::style::Styles;
use crate::output::summary;
use crate::output::verbose;
use crate::output::wrap::paragraph;

/// The number of lines on suspect figures.
const SUSPECT_LINES_MAX: usize = 2;

/// How much is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// The answers, the table, and a few lines on how sure they are.
    Brief,
    /// Also all intervals, ratios and notes.
    Verbose,
}

impl Detail {
    /// Returns the detail for the flag `--verbose`.
    pub(crate) fn of(verbose: bool) -> Detail {
        if verbose { Detail::Verbose } else { Detail::Brief }
    }
}

/// Returns the results of a run, with colours only for a terminal.
pub(crate) fn text(sheet: &Sheet<'_>, detail: Detail) -> String {
    styled(sheet, detail, Styles::of_stdout())
}

/// Returns the results of a run with these styles.
pub(crate) fn styled(
    sheet: &Sheet<'_>,
    detail: Detail,
    styles: Styles,
) -> String {
    let mut text = String::new();
    for answer in summary::answers(sheet) {
        text += &paragraph(&answer);
    }
    text += "\n";
    text += &figure_table::draw(sheet, styles);
    text += "\n";
    match detail {
        Detail::Brief => {
            text += &how_sure(sheet);
        }
        Detail::Verbose => text += &verbose::text(sheet),
    }
    text
}

/// Returns a few paragraphs on how sure the results are, and all reasons why
/// something is missing.
fn how_sure(sheet: &Sheet<'_>) -> String {
    let notes = notes::notes(sheet.record, &sheet.findings);
    let of_kind = |kind: NoteKind| -> String {
        let notes = notes.iter().filter(|note| note.kind == kind);
        notes.map(|note| format!("{}\n", note.text)).collect()
    };
    let mut text = of_kind(NoteKind::Incomplete);
    text += &paragraph(&notes::precision_in_short(sheet));
    let lines = decided(sheet).into_iter().chain(suspects(sheet));
    text.extend(lines.map(|line| paragraph(&line)));
    text += &of_kind(NoteKind::Skipped);
    text += &of_kind(NoteKind::Void);
    text + &paragraph(&notes::conditions_in_short(sheet.record))
}

/// Returns how many comparisons with the best are decided.
fn decided(sheet: &Sheet<'_>) -> Option<String> {
    let [decided, all] = sheet.decided();
    let rest = match all - decided {
        0 => String::new(),
        _ => ", the others marked ~".to_owned(),
    };
    (all > 0).then(|| {
        format!(
            "{decided} of {all} comparisons with the best are decided or \
             equal{rest}"
        )
    })
}

/// Returns the suspect figures by reason: how many, and in which columns.
fn suspects(sheet: &Sheet<'_>) -> Vec<String> {
    let mut by_reason: BTreeMap<&str, BTreeMap<String, usize>> =
        BTreeMap::new();
    for scenario in &sheet.record.scenarios {
        for &figure in &scenario.figures {
            for contestant in sheet.record.contestants() {
                let name = &contestant.name;
                for doubt in sheet.findings.doubts(scenario, name, figure) {
                    let column = format!("{} {}", scenario.name, figure.name());
                    let columns = by_reason.entry(doubt.reason()).or_default();
                    *columns.entry(column).or_default() += 1;
                }
            }
        }
    }
    let mut by_reason: Vec<_> = by_reason.into_iter().collect();
    let count =
        |columns: &BTreeMap<String, usize>| -> usize { columns.values().sum() };
    by_reason.sort_by_key(|(_, columns)| std::cmp::Reverse(count(columns)));
    let more = by_reason.len().saturating_sub(SUSPECT_LINES_MAX);
    let shown = by_reason.iter().take(SUSPECT_LINES_MAX);
    let mut lines: Vec<String> = shown
        .map(|(reason, columns)| {
            let of: Vec<String> = columns
                .iter()
                .map(|(column, count)| format!("{column} ({count})"))
                .collect();
            format!(
                "suspect (?), {reason}: {} in {}",
                units::count(count(columns), "figure"),
                notes::first_few(&of)
            )
        })
        .collect();
    if more > 0
        && let Some(last) = lines.last_mut()
    {
        *last += &format!("; {} in --verbose", units::count(more, "reason"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::difference::MARGIN;
    use crate::output::made_up;
    use crate::output::wrap::WIDTH;

    /// What is printed for the made-up record.
    const EXPECTED: &str = include_str!("made_up.txt");

    #[test]
    fn the_answers_come_first_in_eighty_columns() {
        let record = made_up::record();
        let text = styled(
            &Sheet::with_margin(&record, MARGIN),
            Detail::Brief,
            Styles::none(),
        );
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH));
        assert_eq!(text, EXPECTED, "\n{text}");
    }
    #[test]
    fn details_contain_the_ratios_with_what_would_decide_them() {
        let record = made_up::record();
        let text = styled(
            &Sheet::with_margin(&record, MARGIN),
            Detail::Verbose,
            Styles::none(),
        );
        for part in [
            "= 1.00x [0.99",
            "1.16x [1.1",
            "more rounds",
            "void: e in perf2-crowd",
            "A/A differences (a against itself): perf1 time",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn only_the_best_figure_is_green_and_bold() {
        let record = made_up::record();
        let text = styled(
            &Sheet::with_margin(&record, MARGIN),
            Detail::Brief,
            Styles::always(),
        );
        assert_eq!(text.matches("\x1b[1;32m").count(), 1, "{text}");
        assert!(text.contains("\x1b[1;32m*95.6±4\x1b[0m"), "{text}");
        assert_eq!(text.matches("\x1b[31mvoid").count(), 3, "{text}");
    }
}
