//! The folders of runs, and finding a run by its name.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};

use crate::base::exit::Usage;
use crate::base::workspace;
use crate::model::record::Record;

/// The name of the record's file in a run folder.
const RECORD: &str = "run.json";

/// The name that means the newest run.
const LAST: &str = "last";

/// Returns the folder for a new run: the wanted one, or else one under `runs/`
/// with the run's name.
pub(crate) fn folder(
    root: &Path,
    wanted: Option<&Path>,
    record: &Record,
) -> PathBuf {
    let id = record.id();
    wanted.map_or_else(|| root.join("runs").join(id), Path::to_owned)
}

/// Returns the path of the record in a run folder.
pub(crate) fn file(folder: &Path) -> PathBuf {
    folder.join(RECORD)
}

/// Reads a run, which is named by its file, its folder, its name under `runs/`,
/// or `last`.
///
/// # Errors
///
/// Returns a [`Usage`] error if there is no such run, or if its file is not a
/// complete record of this schema version.
pub(crate) fn read(name: &str) -> anyhow::Result<Record> {
    Record::read(&find(name, workspace::root)?)
}

/// Returns the path of a run's record, without symbolic links, so that two
/// names of one run have the same path.
///
/// # Errors
///
/// Returns a [`Usage`] error if there is no such run.
pub(crate) fn path(name: &str) -> anyhow::Result<PathBuf> {
    let path = find(name, workspace::root)?;
    let unreadable = || format!("cannot read {}", path.display());
    path.canonicalize().with_context(unreadable)
}

/// Finds the record's file. The workspace is only needed for a name: that is
/// looked up in the `runs/` of the workspace or, without one, of the current
/// folder.
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
        bail!(Usage(format!(
            "{path} is compressed; unpack it with `xz -dk {path}`"
        )));
    }
    let named = Some(file(&runs.join(given))).filter(|path| path.is_file());
    named.context(Usage(format!(
        "no run `{name}`: it is neither a record, nor a folder with one, nor \
         a name in {}",
        runs.display()
    )))
}

/// Returns the newest run in which something was measured, or else the newest.
fn last(runs: &Path) -> anyhow::Result<Option<PathBuf>> {
    last_with(runs, |path| {
        // An error of the newest run must not go unnoticed.
        Record::read(path).map_or(true, |record| record.has_rounds())
    })
}

fn last_with(
    runs: &Path,
    has_figures: impl Fn(&Path) -> bool,
) -> anyhow::Result<Option<PathBuf>> {
    let all = all_in(runs)?;
    let found = all.iter().rev().find(|path| has_figures(path));
    Ok(found.or(all.last()).cloned())
}

/// Returns the records under the workspace's `runs/`, from the oldest to the
/// newest.
///
/// # Errors
///
/// Returns an error if the folder can't be read.
pub(crate) fn all() -> anyhow::Result<Vec<PathBuf>> {
    all_in(&workspace::root().unwrap_or_default().join("runs"))
}

/// Returns the records in a folder of runs. Their names begin with the start
/// time, so the newest one sorts last.
fn all_in(runs: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(runs) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Vec::new());
        }
        entries => entries
            .with_context(|| format!("cannot read {}", runs.display()))?,
    };
    let files = entries.map_while(Result::ok).map(|e| file(&e.path()));
    let mut files: Vec<PathBuf> = files.filter(|path| path.is_file()).collect();
    files.sort();
    Ok(files)
}

/// Creates a run's folder.
///
/// # Errors
///
/// Returns a [`Usage`] error if the folder already contains a record.
pub(crate) fn create(folder: &Path) -> anyhow::Result<()> {
    let path = file(folder);
    ensure!(
        !path.exists(),
        Usage(format!(
            "--out: {} already exists; choose another folder",
            path.display()
        ))
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
        let nowhere = || panic!("the workspace is not needed");
        for path in [record.as_path(), folder.path()] {
            let found = find(path.to_str().unwrap(), nowhere).unwrap();
            assert_eq!(found, record);
        }
    }

    #[test]
    fn the_last_run_is_the_newest_with_figures() {
        let folder = tempfile::tempdir().unwrap();
        let runs = folder.path();
        assert_eq!(last_with(runs, |_| true).unwrap(), None);
        for name in ["2026-01", "2026-02", "2026-03"] {
            fs::create_dir(runs.join(name)).unwrap();
            fs::write(file(&runs.join(name)), "{}").unwrap();
        }
        let last_of = |measured: &str| {
            let found = last_with(runs, |path| {
                path.parent().unwrap().ends_with(measured)
            });
            found.unwrap().unwrap()
        };
        assert_eq!(last_of("2026-02"), file(&runs.join("2026-02")));
        assert_eq!(last_of("none"), file(&runs.join("2026-03")));
    }

    #[test]
    fn without_a_workspace_a_name_is_looked_up_below_the_current_folder() {
        let nowhere = || Err(anyhow!("no workspace"));
        let error = find("no-such-run", nowhere).unwrap_err().to_string();
        assert!(error.ends_with("a name in runs"), "{error}");
        let error = find(LAST, nowhere).unwrap_err().to_string();
        assert_eq!(error, "there is no run in runs");
    }
}
