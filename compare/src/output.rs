//! The formats in which results are printed or written: text, HTML, Markdown,
//! CSV and JSON.

pub(crate) mod advice;
pub(crate) mod claims;
pub(crate) mod comparison;
pub(crate) mod csv;
pub(crate) mod export;
pub(crate) mod gate;
pub(crate) mod html;
pub(crate) mod json;
pub(crate) mod load_report;
pub(crate) mod markdown;
pub(crate) mod merge;
mod notes;
pub(crate) mod ranking;
pub(crate) mod sheet;
mod summary;
mod system_calls;
pub(crate) mod table;
pub(crate) mod text;
