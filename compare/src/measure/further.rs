//! Further rounds, only for the cells that the rounds so far leave undecided.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::measure::duration::in_words;
use crate::model::record::Record;

/// How cells that the rounds leave undecided are measured further.
#[derive(Clone, Copy)]
pub(crate) struct FurtherRounds {
    /// How long all rounds may take together.
    pub(crate) budget: Duration,
    /// Returns the undecided cells, by scenario and contestant.
    pub(crate) undecided: fn(&Record) -> BTreeSet<(String, String)>,
}

impl FurtherRounds {
    /// Returns how long further rounds may take after the first ones, in words,
    /// or `None` if there is no time for any.
    pub(crate) fn in_words(&self, first: Duration) -> Option<String> {
        let left = self.budget.checked_sub(first)?;
        let left = (!left.is_zero()).then(|| in_words(left))?;
        Some(format!(", then at most {left} for undecided contestants"))
    }
}

/// Returns how many more rounds to measure after so many: half as many, or as
/// many as fit in the time that is left.
///
/// Each judgement is another chance to be wrong, so there should be few.
pub(crate) fn rounds_that_fit(
    rounds: u64,
    of_one: Duration,
    left: Duration,
) -> u64 {
    if of_one.is_zero() {
        return 0;
    }
    let fit = left.as_nanos() / of_one.as_nanos();
    rounds.div_ceil(2).min(fit.try_into().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_rounds_are_half_as_many_if_they_fit() {
        let cases = [
            (4, 1_000, 10_000, 2),
            (3, 1_000, 10_000, 2),
            (6, 1_000, 2_900, 2),
            (6, 1_000, 900, 0),
            // Nothing is undecided.
            (6, 0, 10_000, 0),
        ];
        for (rounds, of_one, left, expected) in cases {
            let [one, left] = [of_one, left].map(Duration::from_millis);
            let found = rounds_that_fit(rounds, one, left);
            assert_eq!(found, expected, "{rounds} {of_one} {left:?}");
        }
    }

    #[test]
    fn the_time_for_further_rounds_is_announced_if_there_is_any() {
        let further = |seconds| FurtherRounds {
            budget: Duration::from_secs(seconds),
            undecided: |_| BTreeSet::new(),
        };
        let first = Duration::from_secs(95);
        let expected = ", then at most 25 s for undecided contestants";
        let found = further(120).in_words(first);
        assert_eq!(found.as_deref(), Some(expected));
        assert_eq!(further(95).in_words(first), None);
        assert_eq!(further(60).in_words(first), None);
    }
}
