//! The machine of a run, as the record describes it.

use serde::{Deserialize, Serialize};

use crate::model::reading::Reading;

/// The machine, kernel, compiler and commit of a run.
#[derive(schemars::JsonSchema, Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Machine {
    /// The processor's model.
    pub(crate) processor: Reading<String>,
    /// The processors that the run was allowed to use, by number.
    pub(crate) processors_allowed: Vec<usize>,
    /// How many processors are online.
    pub(crate) processors_online: Reading<usize>,
    /// The machine's memory.
    pub(crate) memory_bytes: Reading<u64>,
    /// The kernel's name, release and architecture.
    pub(crate) kernel: String,
    /// The compiler's version, as `rustc -V` prints it.
    pub(crate) toolchain: Reading<String>,
    /// The git commit that was measured.
    pub(crate) git_revision: Reading<String>,
    /// Whether the work tree differed from that commit.
    pub(crate) git_dirty: Reading<bool>,
}
