//! Where a run took place, as its record says it.

use serde::{Deserialize, Serialize};

use crate::model::reading::Reading;

/// The machine, the kernel and the compiler.
#[derive(schemars::JsonSchema, Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Machine {
    /// The processor's model.
    pub(crate) processor: Reading<String>,
    /// The processors that may be used, by number.
    pub(crate) processors_allowed: Vec<usize>,
    /// How many the machine has online.
    pub(crate) processors_online: Reading<usize>,
    /// Its memory.
    pub(crate) memory_bytes: Reading<u64>,
    /// The kernel's name, release and architecture.
    pub(crate) kernel: String,
    /// The compiler, by its own words.
    pub(crate) toolchain: Reading<String>,
    /// The commit that was measured.
    pub(crate) git_revision: Reading<String>,
    /// Whether files differed from that commit.
    pub(crate) git_dirty: Reading<bool>,
}

#[cfg(test)]
impl Machine {
    /// Returns a machine of which nothing is known but its processors.
    pub(crate) fn made_up(processors_allowed: Vec<usize>) -> Machine {
        let why = "made up";
        Machine {
            processor: Reading::missing(why),
            processors_allowed,
            processors_online: Reading::missing(why),
            memory_bytes: Reading::missing(why),
            kernel: why.to_owned(),
            toolchain: Reading::missing(why),
            git_revision: Reading::missing(why),
            git_dirty: Reading::missing(why),
        }
    }
}
