//! Where a run took place, as its record says it.

use serde::{Deserialize, Serialize};

use crate::model::reading::Known;

/// The machine, the kernel and the compiler.
#[derive(schemars::JsonSchema, Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Machine {
    /// The processor's model.
    pub(crate) processor: Known<String>,
    /// The processors that may be used, by number.
    pub(crate) processors_allowed: Vec<usize>,
    /// How many the machine has online.
    pub(crate) processors_online: Known<usize>,
    /// Its memory.
    pub(crate) memory_bytes: Known<u64>,
    /// The kernel's name, release and architecture.
    pub(crate) kernel: String,
    /// The compiler, by its own words.
    pub(crate) toolchain: Known<String>,
    /// The commit that was measured.
    pub(crate) git_revision: Known<String>,
    /// Whether files differed from that commit.
    pub(crate) git_dirty: Known<bool>,
}
