//! The input of a merge.

use crate::model::record::Record;

/// A record to merge, with the name by which messages refer to it.
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) record: Record,
}
