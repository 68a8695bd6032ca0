//! Where a record that was joined comes from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::calibration::Calibrated;
use crate::model::invocation::Invocation;
use crate::model::machine::Machine;
use crate::model::scenarios::ClientGroup;

/// One run, or one shard of a load, in a record that was joined of several.
#[derive(schemars::JsonSchema, Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Part {
    /// The name of the run.
    pub(crate) id: String,
    /// The file that it was read from.
    pub(crate) file: String,
    /// When it began, in UTC.
    pub(crate) started: String,
    /// What its random choices followed from.
    pub(crate) seed: u64,
    /// Whether it came to its end.
    pub(crate) complete: bool,
    /// The first of the rounds that are its own.
    pub(crate) first_round: u64,
    /// How many rounds were wanted of it.
    pub(crate) rounds: u64,
    /// Where it took place.
    pub(crate) machine: Machine,
    /// Which n stood for which cost.
    pub(crate) calibration: Vec<Calibrated>,
    /// What the command line said beside whom and what.
    #[serde(
        rename = "asked",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) invocation: Option<Invocation>,
    /// What only a load on a server elsewhere has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) shard: Option<Shard>,
}

/// What one machine loaded a server with that was not started for it.
#[derive(
    schemars::JsonSchema, Clone, Debug, PartialEq, Deserialize, Serialize,
)]
pub(crate) struct Shard {
    /// Where the server listened.
    pub(crate) address: String,
    /// What this machine asked.
    pub(crate) groups: Vec<ClientGroup>,
    /// When its clients were to begin to ask, so that those of other machines
    /// did so together, in nanoseconds since 1970: its rounds are theirs, by
    /// number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) start_at: Option<u64>,
    /// When the window of each round began, by this machine's clock, in
    /// nanoseconds since 1970.
    pub(crate) windows: BTreeMap<u64, u64>,
}
