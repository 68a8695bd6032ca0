//! A black-box test suite for servers of the protocol, in any language.
//!
//! The suite starts a server from its command line, waits until the server
//! is ready, and exchanges raw bytes with it over TCP. It links no server and
//! assumes nothing about the server's language, so the same cases apply to
//! every server.
//!
//! ```no_run
//! use conformance::{Subject, assert_conforms};
//!
//! let command = ["target/debug/server-mio", "--listen", "{addr}"];
//! assert_conforms(Subject::new(command).computes_inline());
//! ```
//!
//! The building blocks of the cases are public: a [`Fixture`] starts servers,
//! and a [`Client`] speaks to one and records the exchange. The checks of the
//! course's exercises are built from them.
//!
//! Two environment variables control the suite when it runs as a server's
//! integration test. `CONFORMANCE_ONLY` selects the cases whose name, or whose
//! family's name, contains the given text. `CONFORMANCE_SEED` sets the seed of
//! the random choices, to repeat those of an earlier run.

mod case;
mod cases;
mod chaos;
mod client;
mod fixture;
mod random;
mod reply;
mod report;
mod subject;
mod suite;
mod usage;

use std::sync::{Mutex, PoisonError};

pub use case::{Case, CaseFailure, CaseResult, Family, check, wait_until};
pub use cases::cases;
pub use chaos::{ChaosCounts, ChaosFailure, ChaosReport, play_chaos};
pub use client::{Client, Next};
pub use fixture::{Fixture, JobCosts, TestServer};
pub use launch::Ready;
pub use reply::{ExpectedReply, fib};
pub use report::{CaseOutcome, CaseReport, OutcomeCounts, SuiteReport};
pub use subject::{Framing, Subject};
pub use suite::{Selection, raise_fd_limit, run};
pub use usage::ResourceUsage;

/// Runs every case against `subject` and prints one line for each.
///
/// Suites in one process run one after another: at the same time, they would
/// disturb each other.
///
/// # Panics
///
/// Panics if a case fails. The message contains all failures.
pub fn assert_conforms(subject: Subject) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let selection = Selection::from_environment();
    println!("seed {}", selection.seed());
    let report = run(&subject, &selection, |case| println!("{case}"));
    println!("{report}");
    assert!(report.conforms(), "{}", report.failures());
}
