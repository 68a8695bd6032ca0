//! The command line: one file per verb, with its arguments, the calls that it
//! makes, and its exit code; and what several verbs share.

pub(crate) mod advise;
pub(crate) mod claims;
pub(crate) mod cli;
pub(crate) mod cmp;
pub(crate) mod completions;
pub(crate) mod contestant_args;
pub(crate) mod faulty;
pub(crate) mod list;
pub(crate) mod load;
pub(crate) mod merge;
pub(crate) mod outcome;
pub(crate) mod rank;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod selftest;
pub(crate) mod verify;
