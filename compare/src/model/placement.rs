//! Which processors the server runs on, and which its clients.

use serde::{Deserialize, Serialize};

/// How a scenario shares out the processors.
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
    /// The load generator has one to itself, the server the others.
    #[default]
    Split,
    /// Both may use all.
    Shared,
    /// The server has one, the load generator another.
    One,
}

/// Who runs where.
#[derive(
    schemars::JsonSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize,
)]
pub(crate) struct Placement {
    /// The server's processors.
    pub(crate) server: Vec<usize>,
    /// The load generator's.
    pub(crate) load: Vec<usize>,
}

impl Placement {
    /// Whether server and load meet on a processor.
    pub(crate) fn is_shared(&self) -> bool {
        self.load.iter().any(|cpu| self.server.contains(cpu))
    }
}
