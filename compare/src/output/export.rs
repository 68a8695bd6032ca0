//! The output formats that a verb offers, and the files they are written to.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use crate::base::exit::Usage;
use crate::base::file;
use crate::base::stderr::note;
use crate::base::stdout;

/// The file name that means stdout.
const STDOUT: &str = "-";

/// An output format, and the file for it if the user asked for one.
pub(crate) struct Export<'a, T> {
    flag: &'static str,
    path: Option<&'a Path>,
    export: Render<T>,
}

/// Converts a result to text.
type Render<T> = fn(&T) -> anyhow::Result<String>;

impl<'a, T> Export<'a, T> {
    /// Returns the format that `export` makes, for the path given with `flag`.
    pub(crate) fn new(
        flag: &'static str,
        path: &'a Option<PathBuf>,
        export: Render<T>,
    ) -> Export<'a, T> {
        Export { flag, path: path.as_deref(), export }
    }

    fn goes_to_stdout(&self) -> bool {
        self.path.is_some_and(|path| path.as_os_str() == STDOUT)
    }
}

/// Checks that at most one format goes to stdout.
///
/// # Errors
///
/// Returns a [`Usage`] error if several do.
pub(crate) fn check<T>(exports: &[Export<'_, T>]) -> anyhow::Result<()> {
    ensure!(
        exports.iter().filter(|form| form.goes_to_stdout()).count() <= 1,
        Usage("only one output format can go to stdout (-)".to_owned())
    );
    Ok(())
}

/// Returns whether one of the formats goes to stdout.
pub(crate) fn go_to_stdout<T>(exports: &[Export<'_, T>]) -> bool {
    exports.iter().any(Export::goes_to_stdout)
}

/// Writes the formats that the user asked for, and prints the paths of the
/// files to stderr. Returns whether there are any.
///
/// # Errors
///
/// Fails if a format can't be made or a file can't be written.
pub(crate) fn write<T>(
    exports: &[Export<'_, T>],
    result: &T,
) -> anyhow::Result<bool> {
    let mut is_any = false;
    for form in exports {
        let Some(path) = form.path else { continue };
        is_any = true;
        let text = (form.export)(result)?;
        if form.goes_to_stdout() {
            stdout::print(&text)?;
        } else {
            file::write_whole(path, text.as_bytes()).with_context(|| {
                format!("{}: cannot write {}", form.flag, path.display())
            })?;
            note!("written: {}", path.display());
        }
    }
    Ok(is_any)
}
