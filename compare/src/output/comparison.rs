//! The comparison of two runs for a terminal: a table and a summary.

use std::collections::BTreeMap;

use comfy_table::Table;

use crate::analysis::comparison::{Compared, Comparison};
use crate::analysis::findings::Relation;
use crate::analysis::units;
use crate::output::relations;
use crate::output::table;

pub(crate) fn text(comparison: &Comparison, margin: f64) -> String {
    let mut text = String::new();
    if !comparison.machine_differences.is_empty() {
        text += &format!(
            "warning: the machines differ (A / B): {}; differences below may \
             be due to that\n\n",
            comparison.machine_differences.join("; ")
        );
    }
    if !comparison.cells.is_empty() {
        let same =
            |one: &Compared, other: &Compared| one.scenario == other.scenario;
        for cells in comparison.cells.chunk_by(same) {
            let rows = rows(cells).trim_fmt();
            text += &format!("{}\n{rows}\n\n", cells[0].scenario);
        }
    }
    text += &summary(comparison, margin);
    if comparison.pairs > 0 {
        text += &format!(
            "{} of two contestants within each run; {} between \
             the runs\n",
            units::count(comparison.pairs, "comparison"),
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

/// Returns the table of the cells of one scenario.
fn rows(cells: &[Compared]) -> Table {
    let headings = ["figure", "A", "B", "B / A", "outcome"];
    let mut table = table::empty(headings.map(str::to_owned).into_iter());
    for cell in cells {
        let value = |estimate, is_bound| {
            let bound = if is_bound { "≥ " } else { "" };
            format!("{bound}{}", units::value(cell.figure, estimate))
        };
        table.add_row([
            cell.contestant.clone(),
            cell.figure.name().to_owned(),
            value(&cell.before, cell.bounds[0]),
            value(&cell.after, cell.bounds[1]),
            units::times(&cell.times),
            outcome(cell),
        ]);
    }
    table
}

/// Returns the outcome of a comparison: a word for a difference, or a sign.
fn outcome(cell: &Compared) -> String {
    let more = relations::more_rounds(&cell.relation);
    match (relations::outcome(cell.figure, &cell.relation), more) {
        ("equal", _) => "=".to_owned(),
        ("undecided", None) => "~".to_owned(),
        ("undecided", Some(more)) => format!("~ +{more}"),
        (word, _) => word.to_owned(),
    }
}

/// Counts the outcomes.
fn summary(comparison: &Comparison, margin: f64) -> String {
    let count = comparison.cells.len();
    if count == 0 {
        return "nothing to compare: the runs have no cell in common\n"
            .to_owned();
    }
    let outcomes = comparison
        .cells
        .iter()
        .map(|cell| relations::outcome(cell.figure, &cell.relation));
    let outcomes: Vec<&str> = outcomes.collect();
    let kinds = ["worse", "better", "equal", "undecided", "open"];
    let counts = kinds.map(|kind| {
        (kind, outcomes.iter().filter(|other| **other == kind).count())
    });
    let relations = comparison.cells.iter().map(|cell| &cell.relation);
    let undecided = relations
        .clone()
        .filter(|relation| matches!(relation, Relation::Undecided { .. }));
    let more = relations::most_rounds(undecided);
    let mut open: BTreeMap<&str, usize> = BTreeMap::new();
    for why in relations.filter_map(relations::open_reason) {
        *open.entry(why).or_default() += 1;
    }
    let counts: Vec<String> = counts
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    let mut text = format!(
        "{} compared: {}; ratios with 95 % intervals\n= equal within {} %; ~ \
         undecided, and about how many more rounds would decide it\n",
        units::count(count, "figure"),
        counts.join(", "),
        margin * 100.0
    );
    if let Some(more) = more {
        text +=
            &format!("{} would decide all of them\n", units::more_rounds(more));
    }
    for (why, count) in open {
        text += &format!("open ({}): {why}\n", units::count(count, "figure"));
    }
    text
}
