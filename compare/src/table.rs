//! The table: a row a contestant, a column a figure, each with its interval.

use std::env;

use comfy_table::{
    Attribute, Cell, CellAlignment, LineStyle, Table, TableStyle,
};

use crate::contestants::{Contestant, Label};
use crate::findings::Findings;
use crate::record::Record;
use crate::scenarios::{Figure, Scenario};
use crate::units;

/// The space between two columns.
const COLUMN_GAP: u16 = 1;

/// No line but the one under the headings.
const STYLE: TableStyle = TableStyle::new()
    .header_separator(LineStyle::none().fill('-').junction('-'));

/// Draws the figures of a run. Colours only for a terminal that wants them.
pub(crate) fn draw(record: &Record) -> Table {
    let findings = Findings::of(record);
    let columns: Vec<(&Scenario, Figure)> = record
        .scenarios
        .iter()
        .flat_map(|scenario| {
            scenario.figures.iter().map(move |figure| (scenario, *figure))
        })
        .collect();
    let headings = columns.iter().map(|(scenario, figure)| {
        format!("{}\n{}", scenario.name, figure.name())
    });
    let mut table = empty(headings);
    for contestant in record.contestants() {
        let figures = columns.iter().map(|(scenario, figure)| {
            figure_text(&findings, record, scenario, contestant, *figure)
        });
        table.add_row([name(contestant)].into_iter().chain(figures));
    }
    table
}

/// A table of contestants without rows.
pub(crate) fn empty(headings: impl Iterator<Item = String>) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE);
    // See https://no-color.org.
    if env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) {
        table.force_no_tty();
    }
    let headings = ["contestant".to_owned()].into_iter().chain(headings);
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

/// The contestant's name, and what it stands for if that is out of the
/// ordinary.
fn name(contestant: &Contestant) -> String {
    match contestant.label {
        Label::Idiomatic => contestant.name.clone(),
        label => format!("{}\n({})", contestant.name, label.name()),
    }
}

/// The median above its interval, or why there is none.
fn figure_text(
    findings: &Findings<'_>,
    record: &Record,
    scenario: &Scenario,
    contestant: &Contestant,
    figure: Figure,
) -> String {
    let name = contestant.name.as_str();
    let cell = record.cell(&scenario.name, name);
    if cell.is_some_and(|cell| cell.void.is_some()) {
        return "void".to_owned();
    }
    let Some(estimate) = findings.estimate(scenario, name, figure) else {
        return "-".to_owned();
    };
    let median = units::median(figure, &estimate);
    let interval = units::interval(figure, &estimate);
    let bound = match findings.busy_generator(scenario, name) {
        Some(_) if figure == Figure::Rate => "≥ ",
        _ => "",
    };
    format!("{bound}{median}\n{interval}")
}
