//! How much may be asked for: of connections, each of which is an open file,
//! here and in the server, and of time.

use std::time::Duration;

use anyhow::ensure;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a process needs besides its connections.
const OTHER_FILES: usize = 32;

/// What a server needs before it has a client: fewer, and nobody can serve.
const FILES_MIN: u64 = 64;

/// More than a process may have files open, everywhere.
pub(crate) const CONNECTIONS_MAX: usize = 1_000_000;

/// The longest time that anything is told to take: nobody waits longer for a
/// figure, and all sums of such times can be added to a moment.
pub(crate) const TIME_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The longest patience: it may have to last for a warm-up and a window.
const TIMEOUT_MAX: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// Reads a time, as `400ms`, of up to [`TIME_MAX`].
pub(crate) fn time(text: &str) -> Result<Duration, String> {
    time_up_to(TIME_MAX, text)
}

/// Reads how long to wait for what a warm-up and a window may hold up.
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

/// Raises the soft limit to the hard one. Servers that are started later
/// inherit it.
pub(crate) fn raise_open_files() -> anyhow::Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    Ok(())
}

/// Fails when servers, which inherit the limit, could not even start.
pub(crate) fn check_files_of_servers() -> anyhow::Result<()> {
    let limit = getrlimit(Resource::Nofile).current;
    ensure!(
        limit.is_none_or(|limit| limit >= FILES_MIN),
        "a server and its load need {FILES_MIN} open files at the least, but \
         the limit is {}: raise it with `ulimit -Hn`",
        limit.unwrap_or(u64::MAX)
    );
    Ok(())
}

/// Fails when the limit does not allow so many connections.
pub(crate) fn check_open_files(connections: usize) -> anyhow::Result<()> {
    let limit = getrlimit(Resource::Nofile).current;
    let needed = connections.saturating_add(OTHER_FILES) as u64;
    ensure!(
        limit.is_none_or(|limit| needed <= limit),
        "{connections} connections need {needed} open files, but the limit \
         is {}: raise it with `ulimit -Hn` or ask for fewer",
        limit.unwrap_or(u64::MAX)
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_an_end() {
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
    fn more_connections_than_can_be_counted_are_too_many() {
        assert!(check_open_files(usize::MAX).is_err());
    }
}
