//! The processors on which the server and the load generator run.

use serde::{Deserialize, Serialize};

/// How a scenario divides the processors between server and load generator.
#[derive(
    schemars::JsonSchema,
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Deserialize,
    Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Cpus {
    /// The load generator has one processor to itself, the server the others.
    #[default]
    Split,
    /// Both may use all processors.
    Shared,
    /// The server has one processor, the load generator another one.
    One,
}

/// The processors of the server and of the load generator.
#[derive(
    schemars::JsonSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize,
)]
pub(crate) struct Placement {
    /// The server's processors, by number.
    pub(crate) server: Vec<usize>,
    /// The load generator's processors, by number.
    pub(crate) load: Vec<usize>,
}

impl Placement {
    /// Returns `true` if server and load generator share a processor.
    pub(crate) fn is_shared(&self) -> bool {
        self.load.iter().any(|cpu| self.server.contains(cpu))
    }
}
