//! The outcome of a run, which determines the exit code.

use crate::base::exit::Outcome;
use crate::model::record::Record;

/// Returns how a run ended.
pub(crate) fn outcome(record: &Record) -> Outcome {
    outcome_except(record, |_| false)
}

/// Returns how a run ended, ignoring failures of the entrants that
/// `is_excused` returns `true` for.
pub(crate) fn outcome_except(
    record: &Record,
    is_excused: impl Fn(&str) -> bool,
) -> Outcome {
    if !record.complete {
        return Outcome::Interrupted;
    }
    let voids = record.voids().filter(|(_, entrant, _)| !is_excused(entrant));
    let mut voids = voids.map(|(_, _, void)| void).peekable();
    if voids.peek().is_none() {
        Outcome::Done
    } else if voids.any(|void| void.contestant_failed) {
        Outcome::ContestantFailed
    } else {
        Outcome::InstrumentFailed
    }
}
