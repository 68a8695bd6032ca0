//! The marks of figures: best, equal to the best, or undecided.

use crate::analysis::findings::{Relation, Standing};

/// How a contestant's figure compares with the best one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// It was shown to be the best, or equals all others that may be the best.
    Best,
    /// It equals the best within the margin.
    Equal,
    /// It was not shown to be worse than the best, nor equal to it.
    Undecided,
    /// It was shown to be worse, or there is nothing to compare it with.
    None,
}

impl Mark {
    /// Returns the sign in tables.
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Mark::Best => "*",
            Mark::Equal => "=",
            Mark::Undecided => "~",
            Mark::None => "",
        }
    }
}

/// Returns the mark of a contestant.
pub(crate) fn mark(standing: Option<&Standing<'_>>, name: &str) -> Mark {
    let Some(standing) = standing else { return Mark::None };
    let Standing { possible_best, best, relations, leader } = standing;
    if relations.is_empty() {
        return Mark::None;
    }
    if *best == Some(name) {
        return Mark::Best;
    }
    let is_possible = possible_best.contains(&name);
    if best.is_none() && (is_possible || *leader == Some(name)) {
        return Mark::Undecided;
    }
    let relation = relations.iter().find(|(other, _)| *other == name);
    match relation {
        Some((_, Relation::Equal { .. })) => Mark::Equal,
        Some((_, Relation::Differs { is_small: true, .. })) => Mark::Equal,
        Some((_, Relation::Undecided { .. } | Relation::Open(_))) => {
            Mark::Undecided
        }
        Some((_, Relation::Differs { .. })) | None => Mark::None,
    }
}
