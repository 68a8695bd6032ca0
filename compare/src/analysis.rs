//! The analysis of records, as pure functions: estimates, comparisons,
//! rankings, verdicts on claims and budgets, advice, and merging.

pub(crate) mod advice;
pub(crate) mod bootstrap;
pub(crate) mod budgets;
pub(crate) mod claims;
pub(crate) mod comparison;
pub(crate) mod compatibility;
pub(crate) mod difference;
pub(crate) mod findings;
pub(crate) mod gate;
pub(crate) mod merge;
pub(crate) mod questions;
pub(crate) mod ranking;
pub(crate) mod relation;
pub(crate) mod samples;
pub(crate) mod simulation;
pub(crate) mod statistics;
pub(crate) mod units;
