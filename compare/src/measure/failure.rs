//! The ways in which the measurement of a cell can fail.

use std::collections::BTreeMap;
use std::fmt;

use crate::model::faults::Faults;

/// Why the measurement of a cell failed.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// The contestant did not start.
    Start(String),
    /// The contestant failed under load.
    Contestant {
        /// What went wrong.
        reason: String,
        /// The last lines of the contestant's log.
        log: Vec<String>,
        /// The faults by client group, counted by kind.
        faults: BTreeMap<String, Faults>,
    },
    /// The load generator, or `compare` itself, failed.
    Instrument(String),
    /// The user pressed Ctrl-C.
    Interrupted,
}

impl Failure {
    /// Returns the failure of a measurement during which this process was
    /// suspended.
    pub(crate) fn suspended() -> Failure {
        let text = "the run was suspended (Ctrl-Z, or the machine slept)";
        Failure::Instrument(text.to_owned())
    }
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
