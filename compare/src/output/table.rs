//! The style of tables: a single line, under the headings.

use std::env;

use comfy_table::{
    Attribute, Cell, CellAlignment, LineStyle, Table, TableStyle,
};

/// The space between two columns.
const COLUMN_GAP: u16 = 1;

/// A table with a single line, under the headings.
const STYLE: TableStyle = TableStyle::new()
    .header_separator(LineStyle::none().fill('-').junction('-'));

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
