//! The table for a terminal, and what stands below it.

use crate::answers;
use crate::record::Record;
use crate::table;

/// The table, the answers, and what one must know to believe them.
pub(crate) fn text(record: &Record) -> String {
    let mut text = format!("{}\n\n", table::draw(record));
    text += &answers::answers(record).join("\n");
    text += "\n\n";
    text += &answers::notes(record).join("\n");
    text += "\n";
    text
}
