//! The table for a terminal, and what stands below it.

use crate::model::record::Record;
use crate::output::notes;
use crate::output::summary;
use crate::output::table;

/// The table, the answers, and what one must know to believe them.
pub(crate) fn text(record: &Record) -> String {
    let mut text = format!("{}\n\n", table::draw(record));
    text += &summary::answers(record).join("\n");
    text += "\n\n";
    text += &notes::notes(record).join("\n");
    text += "\n";
    text
}
