//! The formats in which results are printed or written: text, HTML, Markdown,
//! CSV and JSON.

pub(crate) mod advice;
pub(crate) mod budgets;
pub(crate) mod claims;
mod column_unit;
mod columns;
pub(crate) mod comparison;
pub(crate) mod csv;
pub(crate) mod export;
mod figure_table;
pub(crate) mod gate;
pub(crate) mod html;
pub(crate) mod json;
pub(crate) mod load_report;
#[cfg(test)]
pub(crate) mod made_up;
pub(crate) mod markdown;
mod marks;
pub(crate) mod merge;
pub(crate) mod notes;
pub(crate) mod ranking;
mod relations;
pub(crate) mod sheet;
mod style;
mod summary;
mod system_calls;
pub(crate) mod table;
pub(crate) mod text;
mod titles;
mod verbose;
mod wrap;
