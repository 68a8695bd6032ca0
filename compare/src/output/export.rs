//! The forms in which a verb gives its result, and where they are written.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use crate::base::exit::Usage;
use crate::base::stdout;

/// Stands for stdout where a file is asked for.
const STDOUT: &str = "-";

/// A form that was asked for, or not.
pub(crate) struct Export<'a, T> {
    flag: &'static str,
    path: Option<&'a Path>,
    export: Render<T>,
}

/// Makes a text of a result.
type Render<T> = fn(&T) -> anyhow::Result<String>;

impl<'a, T> Export<'a, T> {
    /// The form that `export` makes, for the path that `flag` names.
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

/// Checks that they do not get in each other's way.
///
/// # Errors
///
/// A [`Usage`] error when several are to go to stdout.
pub(crate) fn check<T>(exports: &[Export<'_, T>]) -> anyhow::Result<()> {
    ensure!(
        exports.iter().filter(|form| form.goes_to_stdout()).count() <= 1,
        Usage("only one of the forms can go to stdout (-)".to_owned())
    );
    Ok(())
}

/// Whether one of them goes to stdout.
pub(crate) fn go_to_stdout<T>(exports: &[Export<'_, T>]) -> bool {
    exports.iter().any(Export::goes_to_stdout)
}

/// Writes those that were asked for, and says whether any was.
///
/// # Errors
///
/// When a form can't be made, or a file not written.
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
            fs::write(path, text).with_context(|| {
                format!("{}: cannot write {}", form.flag, path.display())
            })?;
        }
    }
    Ok(is_any)
}
