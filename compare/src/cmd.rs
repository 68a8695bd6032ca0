//! The command line: one file per verb, with its arguments, the calls that it
//! makes, and its exit code; and what several verbs share.

mod advise;
mod budgets;
mod chaos;
mod claims;
pub(crate) mod cli;
mod cmp;
mod completions;
mod contestant_args;
mod faulty;
#[cfg(test)]
mod fuzz;
mod list;
mod load;
mod margin_args;
mod merge;
mod outcome;
mod patterns;
mod percent;
mod rank;
mod report;
mod run;
mod schema;
mod selftest;
mod subject;
mod verify;
