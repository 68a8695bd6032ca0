//! Where the project is.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// What the root of the workspace is known by.
const MARK: &str = "bench/contestants.toml";

/// The root of the workspace: the one that this program was built from, or
/// else the one that it is called in.
///
/// # Errors
///
/// When it is neither here nor there.
pub(crate) fn root() -> anyhow::Result<PathBuf> {
    let built_from = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let here = env::current_dir().context("where are we?")?;
    built_from
        .into_iter()
        .chain(here.ancestors())
        .find(|folder| folder.join(MARK).is_file())
        .map(Path::to_path_buf)
        .with_context(|| {
            format!("no {MARK} here or above: run compare in the workspace")
        })
}
