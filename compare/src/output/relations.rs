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

/// Returns about how many more rounds would decide all of these comparisons, if
/// that is known of each.
pub(crate) fn most_rounds<'b>(
    relations: impl Iterator<Item = &'b Relation>,
) -> Option<u64> {
    let all: Option<Vec<u64>> = relations.map(more_rounds).collect();
    all?.into_iter().max()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::statistics::Estimate;

    #[test]
    fn a_difference_is_better_or_worse_by_the_kind_of_figure() {
        let differs = |value| Relation::Differs {
            times: Estimate { value, low: value - 0.1, high: value + 0.1 },
            is_small: false,
        };
        let times = Estimate { value: 1.0, low: 0.98, high: 1.02 };
        let equal = Relation::Equal { times };
        let undecided =
            |more_rounds| Relation::Undecided { times, more_rounds };
        let cases = [
            (Figure::Time, differs(1.3), "worse", "1.30x [1.20, 1.40]"),
            (Figure::Time, differs(0.7), "better", "0.70x [0.60, 0.80]"),
            (Figure::Rate, differs(1.3), "better", "1.30x [1.20, 1.40]"),
            (Figure::Left, differs(0.7), "worse", "0.70x [0.60, 0.80]"),
            (Figure::Rss, differs(1.3), "worse", "1.30x [1.20, 1.40]"),
            (Figure::Cost, equal, "equal", "= 1.00x [0.98, 1.02]"),
            (
                Figure::Cost,
                undecided(None),
                "undecided",
                "~ 1.00x [0.98, 1.02]",
            ),
            (
                Figure::Cost,
                undecided(Some(57)),
                "undecided",
                "~ 1.00x [0.98, 1.02], about 57 more rounds",
            ),
            (Figure::Cost, Relation::Open("why"), "open", "open: why"),
        ];
        for (figure, relation, word, words) in cases {
            assert_eq!(outcome(figure, &relation), word);
            assert_eq!(text(&relation), words);
        }
    }

    #[test]
    fn the_rounds_that_decide_all_are_known_only_if_those_of_each_are() {
        let times = Estimate { value: 1.0, low: 0.9, high: 1.1 };
        let undecided =
            |more_rounds| Relation::Undecided { times, more_rounds };
        let known = [undecided(Some(7)), undecided(Some(62))];
        let unknown = [undecided(Some(7)), undecided(None)];
        let open = [undecided(Some(7)), Relation::Open("why")];
        assert_eq!(most_rounds(known.iter()), Some(62));
        assert_eq!(most_rounds(unknown.iter()), None);
        assert_eq!(most_rounds(open.iter()), None);
    }
}
