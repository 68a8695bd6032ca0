//! How `compare` ends.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};

use anyhow::bail;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// How a verb ended that could be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Everything was done, and everybody kept the protocol.
    Done,
    /// The contestants did well, but not everything could be measured.
    InstrumentFailed,
    /// A contestant failed or answered wrongly.
    ContestantFailed,
    /// A run is worse than another by more than was allowed.
    Regression,
    /// The filters left nothing to do.
    NothingSelected,
    /// A signal ended it.
    Interrupted,
}

/// An error that the user mends at the command line or in a file.
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) String);

/// A verb that could not be carried out.
const FAILED: u8 = 1;

/// A verb that was not understood; also clap's own code.
const USAGE: u8 = 2;

/// Far from the others, so that a script can't take one for it.
const REGRESSION: u8 = 99;

/// 128 + SIGINT, as a shell reports it.
pub(crate) const INTERRUPTED: u8 = 130;

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> ExitCode {
        ExitCode::from(match outcome {
            Outcome::Done => 0,
            Outcome::InstrumentFailed => FAILED,
            Outcome::ContestantFailed => 3,
            Outcome::NothingSelected => 4,
            Outcome::Regression => REGRESSION,
            Outcome::Interrupted => INTERRUPTED,
        })
    }
}

/// The exit code of an error.
pub(crate) fn code_of(error: &anyhow::Error) -> ExitCode {
    let usage = error.is::<Usage>();
    ExitCode::from(if usage { USAGE } else { FAILED })
}

/// The exit code of a runner, which its keeper and the front end with.
///
/// # Errors
///
/// When it was killed.
pub(crate) fn code_of_kept(status: ExitStatus) -> anyhow::Result<ExitCode> {
    match (status.code(), status.signal()) {
        (Some(code), _) => Ok(ExitCode::from(code as u8)),
        (None, Some(SIGHUP | SIGINT | SIGTERM)) => {
            Ok(ExitCode::from(INTERRUPTED))
        }
        _ => bail!("the runner was killed ({status}); nothing is left of it"),
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Usage {}
