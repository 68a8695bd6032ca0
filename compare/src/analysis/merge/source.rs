//! A record to merge.

use crate::model::record::Record;

/// A record to merge, and where it is from.
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) record: Record,
}
