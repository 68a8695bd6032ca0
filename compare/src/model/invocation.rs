//! The flags of a measurement, kept in its record so that the report can show
//! the command that repeats it.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::optional_duration;

/// The flags that affected the measurement and that can't be derived from the
/// rest of the record.
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
    /// The file of contestants, if it isn't the project's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) contestants: Option<PathBuf>,
    /// The user's own scenario files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) scenario_files: Vec<PathBuf>,
    /// The mix of requests and the limit, for `compare advise`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mix: Option<MixFlags>,
    /// The length of each window (`--duration`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) duration: Option<String>,
    /// The length of the warm-up, for `compare load`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) warm_up: Option<String>,
    /// How long to wait for a reply, for `compare load`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reply_timeout: Option<String>,
    /// The processors of the servers (`--server-cpus`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) server_cpus: Vec<usize>,
    /// The processors of the load generator (`--load-cpus`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) load_cpus: Vec<usize>,
    /// Whether `--server-pid` was given, for `compare load`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) server_pid: bool,
}

/// The flags of `compare advise` that describe the load and the limit.
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
pub(crate) struct MixFlags {
    /// The rate and the time of the long requests (`--long`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) long: Option<String>,
    /// The rate of the short requests (`--short`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) short: Option<String>,
    /// The number of connections for short requests (`--clients`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) clients: Option<usize>,
    /// The limit for the p99 (`--slo`).
    #[serde(
        with = "optional_duration",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<String>")]
    pub(crate) slo: Option<Duration>,
}

/// Formats a time as flags accept it.
pub(crate) fn time(time: Duration) -> String {
    humantime::format_duration(time).to_string().replace(' ', "")
}
