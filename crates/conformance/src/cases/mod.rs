//! The cases, one module per family.

mod answers;
mod bad_lines;
mod crowds;
mod ends;
mod shapes;
mod slow;
mod stopping;
mod talk;
mod workers;

use std::sync::LazyLock;

use crate::case::Case;

/// Returns all cases, in the order of a report.
pub fn cases() -> &'static [Case] {
    static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| {
        [
            answers::CASES,
            bad_lines::CASES,
            shapes::CASES,
            ends::CASES,
            slow::CASES,
            crowds::CASES,
            stopping::CASES,
            workers::CASES,
            talk::CASES,
        ]
        .into_iter()
        .flat_map(|table| table.iter().copied())
        .collect()
    });
    &CASES
}
