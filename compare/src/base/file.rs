//! Writing files.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

/// Writes a file, which appears whole or not at all: until then, its content is
/// in another one, with `.part` at the end of its name. What is not a regular
/// file, such as a terminal, is written directly, and so is a file that can't be
/// replaced, such as a mounted one.
///
/// # Errors
///
/// Returns an error if the file can't be written, for instance because the disk
/// is full. What was there before is still there then.
pub(crate) fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    // The target of a symbolic link is replaced, not the link.
    let found = fs::canonicalize(path);
    let is_of_process = ["/dev", "/proc"].iter().any(|f| path.starts_with(f));
    let is_special = fs::metadata(path).is_ok_and(|known| !known.is_file());
    if is_of_process || is_special || (found.is_err() && path.is_symlink()) {
        return fs::write(path, content);
    }
    let path = found.as_deref().unwrap_or(path);
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    let write = || {
        let mut file = File::create(&part)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&part, path)
    };
    let written = write().inspect_err(|_| {
        // On a full disk, half a file would only take up space.
        let _ = fs::remove_file(&part);
    });
    match written {
        Err(error) if path.is_file() && is_about_folder(error.kind()) => {
            fs::write(path, content)
        }
        written => written,
    }
}

/// Returns `true` if a file can't be replaced in its folder, but possibly
/// written.
fn is_about_folder(error: ErrorKind) -> bool {
    matches!(
        error,
        ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::ResourceBusy
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_also_through_a_link() {
        let name = format!("compare-file-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        let [file, link] = ["file", "link"].map(|name| folder.join(name));
        write_whole(&file, b"one").unwrap();
        symlink(&file, &link).unwrap();
        write_whole(&link, b"two").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"two");
        assert!(link.is_symlink());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_is_not_a_regular_file_is_written_directly() {
        write_whole(Path::new("/dev/null"), b"text").unwrap();
        let error = write_whole(Path::new("/dev/full"), b"text").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
}
