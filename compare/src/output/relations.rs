//! How one figure compares with another, in words.

use std::cmp::Ordering;

use crate::analysis::findings::Relation;
use crate::analysis::units;
use crate::model::figure::Figure;

/// Returns a comparison as `1.16x [1.11, 1.21]`, with `=` if the figures are
/// equal within the margin, or with `~` and what would decide it.
pub(crate) fn text(relation: &Relation) -> String {
    match relation {
        Relation::Differs { times, is_small: false } => units::times(times),
        Relation::Differs { times, is_small: true }
        | Relation::Equal { times } => format!("= {}", units::times(times)),
        Relation::Undecided { times, more_rounds } => {
            let times = units::times(times);
            match more_rounds {
                Some(more) => {
                    format!("~ {times}, {}", units::more_rounds(*more))
                }
                None => format!("~ {times}"),
            }
        }
        Relation::Open(why) => format!("open: {why}"),
    }
}

/// Returns the outcome of a comparison in one word: `better`, `worse`, `equal`,
/// `undecided` or `open`.
pub(crate) fn outcome(figure: Figure, relation: &Relation) -> &'static str {
    match relation {
        Relation::Differs { times, .. } => {
            match figure.better_first(times.value, 1.0) {
                Ordering::Less => "better",
                Ordering::Equal | Ordering::Greater => "worse",
            }
        }
        Relation::Equal { .. }
        | Relation::Undecided { .. }
        | Relation::Open(_) => relation.name(),
    }
}

/// Returns about how many more rounds would decide a comparison, if that is
/// known.
pub(crate) fn more_rounds(relation: &Relation) -> Option<u64> {
    match relation {
        Relation::Undecided { more_rounds, .. } => *more_rounds,
        Relation::Differs { .. }
        | Relation::Equal { .. }
        | Relation::Open(_) => None,
    }
}

/// Returns why a comparison is open.
pub(crate) fn open_reason(relation: &Relation) -> Option<&'static str> {
    match relation {
        Relation::Open(reason) => Some(reason),
        Relation::Differs { .. }
        | Relation::Equal { .. }
        | Relation::Undecided { .. } => None,
    }
}
