//! What follows from a record: estimates, comparisons, verdicts, claims and
//! advice, as pure functions of it.

pub(crate) mod advice;
pub(crate) mod claims;
pub(crate) mod compatibility;
pub(crate) mod findings;
pub(crate) mod questions;
pub(crate) mod statistics;
pub(crate) mod sum;
pub(crate) mod units;
pub(crate) mod verdict;
