//! The workspace's root folder.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// The file by which the root of the workspace is recognised.
const MARK: &str = "bench/contestants.toml";

/// Returns the root of the workspace that this program was built from, or else
/// of the workspace that contains the current folder.
///
/// # Errors
///
/// Returns an error if neither exists.
pub(crate) fn root() -> anyhow::Result<PathBuf> {
    let built_from = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let here =
        env::current_dir().context("cannot determine the current folder")?;
    built_from
        .into_iter()
        .chain(here.ancestors())
        .find(|folder| folder.join(MARK).is_file())
        .map(Path::to_path_buf)
        .with_context(|| {
            format!(
                "no {MARK} in this folder or above it; run compare in the \
                 workspace"
            )
        })
}
