//! The black-box suite: does a command serve the protocol as it should?
//!
//! The suite gets a command line, starts it, waits until it serves, and
//! speaks raw bytes to it. It links no server and knows nothing of Rust, so it
//! judges a server in any language by the same cases.
//!
//! ```no_run
//! use conformance::{Subject, assert_conforms};
//!
//! let command = ["target/debug/server-mio", "--listen", "{addr}"];
//! assert_conforms(Subject::new(command).computes_inline());
//! ```
//!
//! What the cases are made of, a [`Stage`] that starts servers and a [`Client`]
//! that remembers what was said, is there for suites of another purpose: the
//! exercises of the course are checked by it.
//!
//! To play single cases of a server's integration test, put a part of their
//! names or of their family's into `CONFORMANCE_ONLY`; to repeat a run's
//! random choices, put its seed into `CONFORMANCE_SEED`.

mod answer;
mod case;
mod cases;
mod client;
mod random;
mod report;
mod stage;
mod subject;
mod suite;
mod vitals;

use std::sync::{Mutex, PoisonError};

pub use answer::{Answer, fib};
pub use case::{Case, Family, Fault, Verdict, check, until};
pub use cases::cases;
pub use client::{Client, Next};
pub use launch::Ready;
pub use report::{Finding, Outcome, Report, Tally};
pub use stage::{Jobs, Served, Stage};
pub use subject::{Framing, Subject};
pub use suite::{Selection, raise_fd_limit, run};
pub use vitals::Vitals;

/// Plays every case and prints a line for each. Suites that one process runs
/// take turns: side by side, they would disturb each other.
///
/// # Panics
///
/// When a case fails, with every failure in the message.
pub fn assert_conforms(subject: Subject) {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let selection = Selection::from_environment();
    println!("seed {}", selection.seed());
    let report = run(&subject, &selection, |finding| println!("{finding}"));
    println!("{report}");
    assert!(report.conforms(), "{}", report.failures());
}
