//! The folded table of the counts per reply that explain the cost: context
//! switches, and what the processors count.

use charts::escaped;

use crate::analysis::questions::Question;
use crate::model::figure::Figure;
use crate::output::html::shared::PageContestant;
use crate::output::html::sweep_charts::column;
use crate::output::html::tables;
use crate::output::sheet::Sheet;

/// The counts, with their headings.
const COUNTS: [(Figure, &str); 4] = [
    (Figure::VoluntarySwitches, "voluntary switches"),
    (Figure::InvoluntarySwitches, "involuntary switches"),
    (Figure::Instructions, "instructions"),
    (Figure::CacheMisses, "cache misses"),
];

/// Returns the table of a question, with a column for each count that was
/// taken. A sweep has these columns for each value.
pub(super) fn table<'a>(
    sheet: &Sheet<'a>,
    question: &Question<'a>,
    page_contestants: &[PageContestant<'a>],
) -> String {
    let mut columns = Vec::new();
    for &point in &question.points {
        for (figure, name) in COUNTS {
            let has_value = |one: &PageContestant<'_>| {
                let contestant = &one.contestant.name;
                sheet.estimate(point, contestant, figure).is_some()
            };
            if page_contestants.iter().any(has_value) {
                let name = if question.is_sweep() {
                    format!("{}: {name}", question.point_name(point))
                } else {
                    name.to_owned()
                };
                columns.push(column(sheet, point, figure, name));
            }
        }
    }
    if columns.is_empty() {
        return String::new();
    }
    let what = "counts per reply, which explain the cost";
    let html = tables::folded(what, page_contestants, &columns);
    html + &uncounted(sheet, question)
}

/// Returns the reason why the processors counted nothing, if it is known.
fn uncounted(sheet: &Sheet<'_>, question: &Question<'_>) -> String {
    let points = question.points.iter();
    let rows = points.filter_map(|point| sheet.record.cells.get(&point.name));
    let rounds = rows.flat_map(|row| row.values().flat_map(|c| &c.rounds));
    let mut counts = rounds.filter_map(|r| r.report.counts.as_ref());
    let reason = counts.find_map(|c| c.instructions.reason.as_ref());
    let Some(reason) = reason else { return String::new() };
    format!("<p>No instructions: {}.</p>\n", escaped(reason))
}
