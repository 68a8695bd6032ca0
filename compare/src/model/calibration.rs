//! A calibrated cost: the n whose fib takes about a given time.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The n that was found for a cost.
#[derive(
    schemars::JsonSchema, Clone, Debug, PartialEq, Deserialize, Serialize,
)]
pub(crate) struct Calibrated {
    /// The time that a request should take.
    pub(crate) cost_ns: u64,
    /// The n for which fib takes about `cost_ns`.
    pub(crate) n: u8,
    /// How long fib took for this n.
    pub(crate) took_ns: u64,
    /// The `fib` of the contestants for which n was calibrated; none, if it is
    /// this program's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fib: Option<String>,
}

impl Calibrated {
    /// Returns `true` if this is the calibration of this cost for that fib.
    pub(crate) fn is_for(&self, cost: Duration, fib: Option<&str>) -> bool {
        u128::from(self.cost_ns) == cost.as_nanos()
            && self.fib.as_deref() == fib
    }

    /// Returns `true` if both are calibrations of the same cost and fib.
    pub(crate) fn is_like(&self, other: &Calibrated) -> bool {
        self.cost_ns == other.cost_ns && self.fib == other.fib
    }
}
