//! The results of a run for a terminal: table, summary and notes.

use crate::model::record::Record;
use crate::output::notes;
use crate::output::summary;
use crate::output::table;

/// Returns the table, the summary and the notes.
pub(crate) fn text(record: &Record) -> String {
    let mut text = format!("{}\n\n", table::draw(record));
    text += &summary::answers(record).join("\n");
    text += "\n\n";
    text += &notes::notes(record).join("\n");
    text += "\n";
    text
}
