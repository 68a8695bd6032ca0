//! The table of a run: one row per contestant, one column per figure, each
//! with its interval.

use std::env;
use std::iter;

use comfy_table::{
    Attribute, Cell, CellAlignment, LineStyle, Table, TableStyle,
};

use crate::analysis::findings::Findings;
use crate::analysis::questions;
use crate::analysis::units;
use crate::model::contestant::{Contestant, Label};
use crate::model::figure::Figure;
use crate::model::record::Record;
use crate::model::scenarios::Scenario;

/// The space between two columns.
const COLUMN_GAP: u16 = 1;

/// The largest number of columns that fits most terminals.
const COLUMNS_MAX: usize = 8;

/// A table with a single line, under the headings.
const STYLE: TableStyle = TableStyle::new()
    .header_separator(LineStyle::none().fill('-').junction('-'));

/// Draws the figures of a run, with colours only on a terminal without
/// NO_COLOR.
pub(crate) fn draw(record: &Record) -> String {
    let findings = Findings::of(record);
    let columns: Vec<(&Scenario, Figure)> = questions::of(record)
        .into_iter()
        .flat_map(|question| question.points)
        .flat_map(|scenario| {
            scenario.figures.iter().map(move |figure| (scenario, *figure))
        })
        .collect();
    let tables = in_tables(&columns).map(|columns| {
        let headings = columns.iter().map(|(scenario, figure)| {
            format!("{}\n{}", scenario.name, figure.name())
        });
        let mut table = empty(headings);
        let best: Vec<Vec<&str>> = columns
            .iter()
            .map(|(scenario, figure)| {
                findings.standing(scenario, *figure).best_ones()
            })
            .collect();
        for contestant in record.contestants() {
            let name = contestant.name.as_str();
            let figures =
                columns.iter().zip(&best).map(|((scenario, figure), best)| {
                    let text = figure_text(
                        &findings, record, scenario, name, *figure, best,
                    );
                    let cell = Cell::new(text);
                    let is_best = best.first() == Some(&name);
                    if is_best {
                        cell.add_attribute(Attribute::Bold)
                    } else {
                        cell
                    }
                });
            let title = Cell::new(title(contestant));
            table.add_row([title].into_iter().chain(figures));
        }
        table.trim_fmt()
    });
    tables.collect::<Vec<_>>().join("\n\n")
}

/// Splits the columns into tables that aren't too wide. A scenario stays in one
/// table if possible; otherwise each value of its sweep does.
fn in_tables<'a, 'b>(
    columns: &'b [(&'a Scenario, Figure)],
) -> impl Iterator<Item = &'b [(&'a Scenario, Figure)]> {
    let mut rest = columns;
    iter::from_fn(move || {
        let same = |(one, _): &(&Scenario, _), (other, _): &(&Scenario, _)| {
            one.base() == other.base()
        };
        let mut count = 0;
        for scenario in rest.chunk_by(same) {
            let values = scenario.chunk_by(|(a, _), (b, _)| a.name == b.name);
            if count > 0 && count + scenario.len() > COLUMNS_MAX {
                break;
            }
            for value in values {
                if count > 0 && count + value.len() > COLUMNS_MAX {
                    break;
                }
                count += value.len();
            }
            if count >= COLUMNS_MAX {
                break;
            }
        }
        let (table, more) = rest.split_at(count);
        rest = more;
        (!table.is_empty()).then_some(table)
    })
}

/// Returns an empty table of contestants.
pub(crate) fn empty(headings: impl Iterator<Item = String>) -> Table {
    titled("contestant", headings)
}

/// Returns an empty table whose first column has the title `first`.
pub(crate) fn titled(
    first: &str,
    headings: impl Iterator<Item = String>,
) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE);
    // See https://no-color.org.
    if env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) {
        table.force_no_tty();
    }
    let headings = [first.to_owned()].into_iter().chain(headings);
    table.set_header(
        headings.map(|text| Cell::new(text).add_attribute(Attribute::Bold)),
    );
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, COLUMN_GAP));
        if index > 0 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// Returns the contestant's name, with its label unless that is `idiomatic`.
fn title(contestant: &Contestant) -> String {
    match contestant.label {
        Label::Idiomatic => contestant.name.clone(),
        label @ (Label::Mistake | Label::Historical | Label::Peer) => {
            format!("{}\n({})", contestant.name, label.name())
        }
    }
}

/// Returns the median above its interval, or `void` or `-` if there is none.
fn figure_text(
    findings: &Findings<'_>,
    record: &Record,
    scenario: &Scenario,
    name: &str,
    figure: Figure,
    best: &[&str],
) -> String {
    let cell = record.cell(&scenario.name, name);
    if cell.is_some_and(|cell| cell.void.is_some()) {
        return "void".to_owned();
    }
    let Some(estimate) = findings.estimate(scenario, name, figure) else {
        return "-".to_owned();
    };
    let median = units::median(figure, &estimate);
    let interval = units::interval(figure, &estimate);
    let bound = if findings.is_lower_bound(scenario, name, figure) {
        "≥ "
    } else {
        ""
    };
    let mark = match best.iter().position(|other| *other == name) {
        Some(0) => "* ",
        Some(1..) => "= ",
        None => "",
    };
    let is_valid = findings.doubts(scenario, name, figure).is_empty();
    let suspect = if is_valid { "" } else { " ?" };
    // One round has no interval.
    match record.figure(scenario, name, figure).len() {
        0 | 1 => format!("{mark}{bound}{median}{suspect}"),
        _ => format!("{mark}{bound}{median}{suspect}\n{interval}"),
    }
}
