//! Where runs are kept, and how one is found again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};

use crate::base::exit::Usage;
use crate::base::workspace;
use crate::model::record::Record;

/// The file of a run's folder that holds the record.
const RECORD: &str = "run.json";

/// The newest run, for those who do not want to type its name.
const LAST: &str = "last";

/// The folder of a new run: the user's, or one named after the run.
pub(crate) fn folder(
    root: &Path,
    wanted: Option<&Path>,
    record: &Record,
) -> PathBuf {
    let id = record.id();
    wanted.map_or_else(|| root.join("runs").join(id), Path::to_owned)
}

/// The file of a folder that holds the record.
pub(crate) fn file(folder: &Path) -> PathBuf {
    folder.join(RECORD)
}

/// Reads the run that a user means: by its file, its folder, its name under
/// `runs/`, or `last`.
///
/// # Errors
///
/// A [`Usage`] error when there is none, or when it is no whole record of
/// this form.
pub(crate) fn read(name: &str) -> anyhow::Result<Record> {
    Record::read(&find(name, workspace::root)?)
}

/// A path needs no workspace; only a name is looked for in its `runs/`, or in
/// that of the current folder where there is none.
fn find(
    name: &str,
    root: impl FnOnce() -> anyhow::Result<PathBuf>,
) -> anyhow::Result<PathBuf> {
    let given = Path::new(name);
    let places = [given.to_owned(), file(given)];
    let is_record = |path: &PathBuf| {
        path.is_file() && path.extension().is_none_or(|e| e != "xz")
    };
    let found = places.into_iter().find(is_record);
    if let Some(path) = found.filter(|_| name != LAST) {
        return Ok(path);
    }
    let runs = root().unwrap_or_default().join("runs");
    if name == LAST {
        return last(&runs)?
            .context(Usage(format!("there is no run in {}", runs.display())));
    }
    let packed =
        [given.to_owned(), given.join(RECORD).with_extension("json.xz")];
    let is_packed =
        |path: &&PathBuf| path.extension().is_some_and(|e| e == "xz");
    if let Some(path) = packed.iter().filter(is_packed).find(|p| p.is_file()) {
        let path = path.display();
        bail!(Usage(format!("{path} is packed: `xz -dk {path}` first")));
    }
    let named = Some(file(&runs.join(given))).filter(|path| path.is_file());
    named.context(Usage(format!(
        "no run `{name}`: neither a record, nor a folder with one, nor a \
         name in {}",
        runs.display()
    )))
}

/// Runs are named after when they began, so that the newest is the last.
fn last(runs: &Path) -> anyhow::Result<Option<PathBuf>> {
    let entries = match fs::read_dir(runs) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(None);
        }
        entries => entries
            .with_context(|| format!("cannot read {}", runs.display()))?,
    };
    let files = entries.map_while(Result::ok).map(|e| file(&e.path()));
    Ok(files.filter(|path| path.is_file()).max())
}

/// Makes a run's folder.
///
/// # Errors
///
/// A [`Usage`] error when there is a record in it already.
pub(crate) fn create(folder: &Path) -> anyhow::Result<()> {
    let path = file(folder);
    ensure!(
        !path.exists(),
        Usage(format!("--out: there is a run already: {}", path.display()))
    );
    fs::create_dir_all(folder)
        .with_context(|| format!("--out: cannot create {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn a_path_to_a_record_needs_no_workspace() {
        let folder = tempfile::tempdir().unwrap();
        let record = file(folder.path());
        fs::write(&record, "{}").unwrap();
        let nowhere = || panic!("nobody needs to know");
        for path in [record.as_path(), folder.path()] {
            let found = find(path.to_str().unwrap(), nowhere).unwrap();
            assert_eq!(found, record);
        }
    }

    #[test]
    fn without_a_workspace_a_name_is_looked_for_beneath_the_current_folder() {
        let nowhere = || Err(anyhow!("no workspace"));
        let error = find("no-such-run", nowhere).unwrap_err().to_string();
        assert!(error.ends_with("a name in runs"), "{error}");
        let error = find(LAST, nowhere).unwrap_err().to_string();
        assert_eq!(error, "there is no run in runs");
    }
}
