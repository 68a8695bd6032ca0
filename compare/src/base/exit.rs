//! The exit codes of `compare`, and usage errors.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};

use anyhow::bail;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// The outcome of a command that could be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Everything was done, and every contestant conformed to the protocol.
    Done,
    /// No contestant failed, but not everything could be measured.
    InstrumentFailed,
    /// A contestant failed or sent a wrong reply.
    ContestantFailed,
    /// A run is worse than another one by more than is allowed, or a budget is
    /// broken.
    Regression,
    /// Nothing is shown to be worse than allowed, but it can't be ruled out.
    Undecided,
    /// The filters select nothing.
    NothingSelected,
    /// A signal ended the command.
    Interrupted,
}

/// An error that the user can fix on the command line or in a file.
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) String);

/// The exit code of a command that could not be carried out.
const FAILED: u8 = 1;

/// The exit code of a usage error; clap uses the same code.
const USAGE: u8 = 2;

/// The exit code of a regression: far from the others, so that a script can't
/// mistake another failure for it.
const REGRESSION: u8 = 99;

/// The exit code if a regression can't be ruled out.
const UNDECIDED: u8 = 98;

/// The exit code of an interrupted command: 128 + SIGINT, as a shell reports
/// it.
pub(crate) const INTERRUPTED: u8 = 130;

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> ExitCode {
        ExitCode::from(match outcome {
            Outcome::Done => 0,
            Outcome::InstrumentFailed => FAILED,
            Outcome::ContestantFailed => 3,
            Outcome::NothingSelected => 4,
            Outcome::Regression => REGRESSION,
            Outcome::Undecided => UNDECIDED,
            Outcome::Interrupted => INTERRUPTED,
        })
    }
}

/// Returns the exit code of an error.
pub(crate) fn code_of(error: &anyhow::Error) -> ExitCode {
    let usage = error.is::<Usage>();
    ExitCode::from(if usage { USAGE } else { FAILED })
}

/// Returns the exit code for the exit status of the runner; the keeper and the
/// front process exit with it, too.
///
/// # Errors
///
/// Returns an error if the runner was killed.
pub(crate) fn code_of_kept(status: ExitStatus) -> anyhow::Result<ExitCode> {
    match (status.code(), status.signal()) {
        (Some(code), _) => Ok(ExitCode::from(code as u8)),
        (None, Some(SIGHUP | SIGINT | SIGTERM)) => {
            Ok(ExitCode::from(INTERRUPTED))
        }
        _ => bail!("the runner was killed ({status}); its processes ended too"),
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Usage {}
