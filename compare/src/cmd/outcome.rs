//! The outcome of a run, which determines the exit code.

use crate::base::exit::Outcome;
use crate::model::record::Record;
use crate::output::notes;

/// Returns how a run ended.
pub(crate) fn outcome(record: &Record) -> Outcome {
    outcome_except(record, |_| false)
}

/// Returns why a run doesn't end with exit code 0, in one line.
pub(crate) fn reason(record: &Record, outcome: Outcome) -> Option<String> {
    let cells = |contestant_failed: bool| {
        let voids = record
            .voids()
            .filter(|(.., void)| void.contestant_failed == contestant_failed);
        let cells: Vec<String> = voids
            .map(|(scenario, entrant, _)| format!("{entrant} in {scenario}"))
            .collect();
        notes::first_few(&cells)
    };
    match outcome {
        Outcome::ContestantFailed => {
            Some(format!("failed: a contestant failed: {}", cells(true)))
        }
        Outcome::InstrumentFailed => Some(format!(
            "failed: could not be measured, though no contestant failed: {}",
            cells(false)
        )),
        Outcome::Interrupted => Some("interrupted".to_owned()),
        Outcome::Done
        | Outcome::Regression
        | Outcome::Undecided
        | Outcome::NothingSelected => None,
    }
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
