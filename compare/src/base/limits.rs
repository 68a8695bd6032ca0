//! Limits of times and connections. Each connection needs an open file both
//! here and in the server.

use std::time::Duration;

use anyhow::ensure;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The open files that a process needs besides its connections.
const OTHER_FILES: usize = 32;

/// The open files that a server needs to start and to serve a first client.
const FILES_MIN: u64 = 64;

/// The most connections of a load: no system lets a process open more files.
pub(crate) const CONNECTIONS_MAX: usize = 1_000_000;

/// The longest time that a flag or a file may specify. No measurement needs
/// more, and sums of such times can be added to an `Instant` without overflow.
pub(crate) const TIME_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The longest reply timeout: long enough for a warm-up and a window.
const TIMEOUT_MAX: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// Parses a time such as `400ms`, up to [`TIME_MAX`].
pub(crate) fn time(text: &str) -> Result<Duration, String> {
    time_up_to(TIME_MAX, text)
}

/// Parses a reply timeout, which may be longer than a warm-up and a window.
pub(crate) fn timeout(text: &str) -> Result<Duration, String> {
    time_up_to(TIMEOUT_MAX, text)
}

fn time_up_to(max: Duration, text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(time) if time <= max => Ok(time),
        Ok(_) => {
            let max = humantime::format_duration(max);
            Err(format!("must be at most {max}"))
        }
        Err(error) => Err(error.to_string()),
    }
}

/// Raises the soft limit of open files to the hard limit. Servers that are
/// started later inherit it.
pub(crate) fn raise_open_files() -> anyhow::Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    Ok(())
}

/// Returns an error if the limit is too low for servers, which inherit it, to
/// start.
pub(crate) fn check_files_of_servers() -> anyhow::Result<()> {
    let limit = getrlimit(Resource::Nofile).current;
    ensure!(
        limit.is_none_or(|limit| limit >= FILES_MIN),
        "a server and its load need at least {FILES_MIN} open files, but the \
         limit is {}; raise it with `ulimit -Hn`",
        limit.unwrap_or(u64::MAX)
    );
    Ok(())
}

/// Returns an error if the limit of open files doesn't allow so many
/// connections.
pub(crate) fn check_open_files(connections: usize) -> anyhow::Result<()> {
    let limit = getrlimit(Resource::Nofile).current;
    let needed = connections.saturating_add(OTHER_FILES) as u64;
    ensure!(
        limit.is_none_or(|limit| needed <= limit),
        "{connections} connections need {needed} open files, but the limit \
         is {}; raise it with `ulimit -Hn`, or use fewer connections",
        limit.unwrap_or(u64::MAX)
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_must_not_exceed_its_limit() {
        for good in ["0s", "400ms", "1day"] {
            assert!(time(good).is_ok(), "{good}");
        }
        for bad in ["1day 1ns", "400000000000y", "soon", "-1s"] {
            assert!(time(bad).is_err(), "{bad}");
        }
        assert!(timeout("2days 5s").is_ok());
        assert!(timeout("4days").is_err());
    }

    #[test]
    fn a_number_of_connections_that_overflows_is_refused() {
        assert!(check_open_files(usize::MAX).is_err());
    }
}
