//! The comparison of two runs for a terminal: a table and a summary.

use comfy_table::Table;

use crate::analysis::comparison::{Comparison, times_text};
use crate::analysis::difference;
use crate::analysis::units;
use crate::output::table;

pub(crate) fn text(comparison: &Comparison) -> String {
    let mut text = String::new();
    if !comparison.machine_differences.is_empty() {
        text += &format!(
            "warning: the machines differ (A / B): {}; differences below may \
             be due to that\n\n",
            comparison.machine_differences.join("; ")
        );
    }
    if !comparison.cells.is_empty() {
        text += &format!("{}\n\n", rows(comparison).trim_fmt());
    }
    text += &summary(comparison);
    if comparison.pairs > 0 {
        text += &format!(
            "{} comparisons of two contestants within each run; {} between \
             the runs\n",
            comparison.pairs,
            match comparison.reversed.len() {
                0 => "none is reversed".to_owned(),
                1 => "1 is reversed".to_owned(),
                count => format!("{count} are reversed"),
            }
        );
    }
    for line in &comparison.reversed {
        text += &format!("reversed: {line}\n");
    }
    for line in comparison.revisions.iter().chain(&comparison.not_compared) {
        text += &format!("{line}\n");
    }
    text
}

fn rows(comparison: &Comparison) -> Table {
    let headings = ["scenario", "figure", "A", "B", "B / A", ""];
    let mut table = table::empty(headings.map(str::to_owned).into_iter());
    for cell in &comparison.cells {
        let value = |estimate, is_bound| {
            let bound = if is_bound { "≥ " } else { "" };
            format!("{bound}{}", units::median(cell.figure, estimate))
        };
        table.add_row([
            cell.contestant.clone(),
            cell.scenario.clone(),
            cell.figure.name().to_owned(),
            value(&cell.before, cell.bounds[0]),
            value(&cell.after, cell.bounds[1]),
            times_text(&cell.times),
            difference::in_words(cell.figure, &cell.relation),
        ]);
    }
    table
}

fn summary(comparison: &Comparison) -> String {
    let count = comparison.cells.len();
    if count == 0 {
        return "nothing to compare: the runs have no cell in common\n"
            .to_owned();
    }
    let mut kinds: Vec<(String, usize)> = Vec::new();
    for cell in &comparison.cells {
        let words = difference::in_words(cell.figure, &cell.relation);
        let kind = words.split(':').next().unwrap_or(&words);
        match kinds.iter_mut().find(|(known, _)| known == kind) {
            Some((_, count)) => *count += 1,
            None => kinds.push((kind.to_owned(), 1)),
        }
    }
    let counts: Vec<String> =
        kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    format!(
        "{count} figures compared: {}; ratios with 95 % intervals\n",
        counts.join(", ")
    )
}
