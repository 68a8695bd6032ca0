//! The lock that keeps two runs from measuring on one machine at once.

use std::env;
use std::fs::File;

use anyhow::{Context, bail};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// The lock of the run that measures on this machine: two runs at once would
/// disturb each other.
pub(crate) struct MeasuringLock {
    _file: File,
}

impl MeasuringLock {
    /// Takes the lock until the value is dropped or this process ends.
    ///
    /// # Errors
    ///
    /// Returns an error if another run of this user holds the lock.
    pub(crate) fn acquire() -> anyhow::Result<MeasuringLock> {
        let user = rustix::process::getuid().as_raw();
        let path = env::temp_dir().join(format!("compare-{user}.lock"));
        let open = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path);
        let file =
            open.with_context(|| format!("cannot open {}", path.display()))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(MeasuringLock { _file: file }),
            Err(Errno::WOULDBLOCK) => bail!(
                "cannot measure now: another run measures on this machine, \
                 and each would disturb the other; wait for it to end ({} is \
                 locked)",
                path.display()
            ),
            Err(error) => Err(error)
                .with_context(|| format!("cannot lock {}", path.display())),
        }
    }
}
