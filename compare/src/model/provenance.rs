//! The origin of a record that was merged from several.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::calibration::Calibrated;
use crate::model::invocation::Invocation;
use crate::model::machine::Machine;
use crate::model::scenarios::ClientGroup;

/// One of the runs or shards that were merged into a record.
#[derive(schemars::JsonSchema, Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Part {
    /// The run's name: when it began, and its seed.
    pub(crate) id: String,
    /// The file that the run was read from.
    pub(crate) file: String,
    /// When the run began, in UTC.
    pub(crate) started: String,
    /// The seed of the run's random choices.
    pub(crate) seed: u64,
    /// Whether the run was completed.
    pub(crate) complete: bool,
    /// The number that its first round has in the merged record.
    pub(crate) first_round: u64,
    /// How many rounds the run was to have.
    pub(crate) rounds: u64,
    /// The machine on which the run took place.
    pub(crate) machine: Machine,
    /// The n that was found for each cost.
    pub(crate) calibration: Vec<Calibrated>,
    /// The flags that affected the measurement.
    #[serde(
        rename = "asked",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) invocation: Option<Invocation>,
    /// What only `compare load` records: the load on a server that was started
    /// by other means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) shard: Option<Shard>,
}

/// The load that one machine put on a server that was already running.
#[derive(
    schemars::JsonSchema, Clone, Debug, PartialEq, Deserialize, Serialize,
)]
pub(crate) struct Shard {
    /// The server's address.
    pub(crate) address: String,
    /// The client groups of this machine.
    pub(crate) groups: Vec<ClientGroup>,
    /// The agreed time at which the clients of all machines were to send their
    /// first request, in nanoseconds since 1970. Rounds of the same number then
    /// belong together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) start_at: Option<u64>,
    /// When the window of each round began by this machine's clock, in
    /// nanoseconds since 1970, by round number.
    pub(crate) windows: BTreeMap<u64, u64>,
}
