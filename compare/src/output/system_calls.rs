//! System calls per reply, in words.

use std::collections::BTreeMap;

use crate::analysis::units;

/// The smallest number per reply of a system call that is named.
const CALLS_NAMED_MIN: f64 = 0.05;

/// Returns the total number per reply, and the frequent calls by name, in the
/// form `recvfrom 1, sendto 1`.
pub(crate) fn in_words(counts: &BTreeMap<String, f64>) -> (f64, String) {
    let often = counts.iter().filter(|(_, count)| **count >= CALLS_NAMED_MIN);
    let mut often: Vec<(&String, &f64)> = often.collect();
    often.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    let often = often.into_iter();
    let often =
        often.map(|(name, count)| format!("{name} {}", units::number(*count)));
    (counts.values().sum(), often.collect::<Vec<_>>().join(", "))
}
