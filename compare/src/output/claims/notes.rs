//! The notes below verdicts: suspect figures, and the conditions of the run.

use std::collections::{BTreeMap, BTreeSet};

use crate::analysis::claims::Verdicts;
use crate::output::notes;

/// Returns the notes on the verdicts of a run.
pub(crate) fn notes(verdicts: &Verdicts<'_>) -> Vec<String> {
    let mut by_reason: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let trials = verdicts.judged.iter().flat_map(|one| &one.trials);
    for (side, doubt) in trials.flat_map(|trial| &trial.doubts) {
        let sides = by_reason.entry(doubt.reason()).or_default();
        sides.insert(side.to_string());
    }
    let doubts = by_reason.into_iter().map(|(reason, sides)| {
        let sides: Vec<String> = sides.into_iter().collect();
        format!("suspect (?), {reason}: {}", notes::first_few(&sides))
    });
    doubts.chain(notes::circumstances(verdicts.record)).collect()
}
