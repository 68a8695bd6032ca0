//! How many files may be open: each connection is one, here and in the
//! server.

use anyhow::ensure;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a process needs besides its connections.
const OTHER_FILES: usize = 32;

/// Raises the soft limit to the hard one. Servers that are started later
/// inherit it.
pub(crate) fn raise_open_files() -> anyhow::Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    Ok(())
}

/// Fails when the limit does not allow so many connections.
pub(crate) fn check_open_files(connections: usize) -> anyhow::Result<()> {
    let limit = getrlimit(Resource::Nofile).current;
    let needed = (connections + OTHER_FILES) as u64;
    ensure!(
        limit.is_none_or(|limit| needed <= limit),
        "{connections} connections need {needed} open files, but the limit \
         is {}: raise it with `ulimit -Hn` or ask for fewer",
        limit.unwrap_or(u64::MAX)
    );
    Ok(())
}
