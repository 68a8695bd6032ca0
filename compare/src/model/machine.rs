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
    /// How many processors' time a control group allows the run, if it limits
    /// that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) processors_quota: Option<f64>,
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
    /// Whether the working tree differed from the commit in `git_revision`.
    pub(crate) git_dirty: Reading<bool>,
}

#[cfg(test)]
impl Machine {
    /// Returns a machine about which only its processors are known.
    pub(crate) fn made_up(processors_allowed: Vec<usize>) -> Machine {
        let why = "made up";
        Machine {
            processor: Reading::missing(why),
            processors_allowed,
            processors_quota: None,
            processors_online: Reading::missing(why),
            memory_bytes: Reading::missing(why),
            kernel: why.to_owned(),
            toolchain: Reading::missing(why),
            git_revision: Reading::missing(why),
            git_dirty: Reading::missing(why),
        }
    }
}
