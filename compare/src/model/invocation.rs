//! What the command line said beside whom and what: with it, a record tells
//! how the same is asked once more.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The flags that shaped what was measured and that nothing else in a record
/// tells.
#[derive(
    schemars::JsonSchema,
    Clone,
    Debug,
    Default,
    PartialEq,
    Eq,
    Deserialize,
    Serialize,
)]
#[serde(default)]
#[schemars(rename = "Asked")]
pub(crate) struct Invocation {
    /// The file of contestants, if it was not the project's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) contestants: Option<PathBuf>,
    /// Files of scenarios of the user's own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) scenario_files: Vec<PathBuf>,
    /// How long each measurement was to take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) duration: Option<String>,
    /// How long the clients were to talk before, in a load on its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) warm_up: Option<String>,
    /// After how long a reply counted as not coming, in a load on its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reply_timeout: Option<String>,
    /// The servers' processors.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) server_cpus: Vec<usize>,
    /// The load generator's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) load_cpus: Vec<usize>,
    /// Whether a load on its own was told the server's process.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) server_pid: bool,
}

/// A time as flags take it.
pub(crate) fn time(time: Duration) -> String {
    humantime::format_duration(time).to_string().replace(' ', "")
}
