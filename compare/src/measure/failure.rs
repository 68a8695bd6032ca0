//! Why a cell has no figure.

use std::collections::BTreeMap;
use std::fmt;

use crate::model::faults::Faults;

/// Why there is no figure.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// The contestant did not start.
    Start(String),
    /// The contestant failed under load.
    Contestant {
        /// How.
        reason: String,
        /// Its last log lines.
        log: Vec<String>,
        /// What its clients met, by group and kind.
        faults: BTreeMap<String, Faults>,
    },
    /// The load generator could not do what it should.
    Instrument(String),
    /// Somebody pressed Ctrl-C.
    Interrupted,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Start(reason) => write!(f, "it did not start: {reason}"),
            Failure::Contestant { reason, .. }
            | Failure::Instrument(reason) => f.write_str(reason),
            Failure::Interrupted => f.write_str("interrupted"),
        }
    }
}
