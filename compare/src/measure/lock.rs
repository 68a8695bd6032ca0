//! The lock that keeps two runs from measuring on one machine at once.

use std::env;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use rustix::fs::{FlockOperation, OFlags, flock};
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
    /// Returns an error if another run, of any user, holds the lock.
    pub(crate) fn acquire() -> anyhow::Result<MeasuringLock> {
        let folder = env::var_os("TMPDIR").filter(|folder| !folder.is_empty());
        let folder = folder.map_or_else(|| "/tmp".into(), PathBuf::from);
        let path = folder.join("compare.lock");
        let file = open(&path)
            .with_context(|| format!("cannot open {}", path.display()))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(MeasuringLock { _file: file }),
            Err(Errno::WOULDBLOCK) => bail!(
                "cannot measure now: another run measures on this machine{}, \
                 and each would disturb the other; wait for it to end ({} is \
                 locked)",
                holder(&file).map(|of| format!(" ({of})")).unwrap_or_default(),
                path.display()
            ),
            Err(error) => Err(error)
                .with_context(|| format!("cannot lock {}", path.display())),
        }
    }
}

/// Opens the file, which any user may have created and may lock.
fn open(path: &Path) -> io::Result<File> {
    // Where `fs.protected_regular` is set, a file of another user in /tmp can't
    // be opened with O_CREAT, and flock(2) needs no write access. A named pipe
    // would make open(2) wait.
    let mut existing = File::options();
    existing.read(true).custom_flags(OFlags::NONBLOCK.bits() as i32);
    match existing.open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        opened => return opened,
    }
    let created = File::options().write(true).create_new(true).open(path);
    match created {
        Ok(file) => {
            file.set_permissions(fs::Permissions::from_mode(0o644))?;
            Ok(file)
        }
        // Another run has created it in the meantime.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            existing.open(path)
        }
        Err(error) => Err(error),
    }
}

/// Describes the process that holds the lock, if it can be found.
fn holder(file: &File) -> Option<String> {
    let inode = file.metadata().ok()?.ino();
    let locks = fs::read_to_string("/proc/locks").ok()?;
    // `1: FLOCK ADVISORY WRITE 708 08:01:1234 0 EOF`; see proc(5).
    let pid = locks.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let of = fields.get(5)?.rsplit(':').next()?;
        (of.parse() == Ok(inode)).then(|| fields[4].to_owned())
    })?;
    let process = PathBuf::from("/proc").join(&pid);
    let user = fs::metadata(process).ok()?.uid();
    Some(format!("process {pid} of user {user}"))
}
