//! Which n stands for a cost, as a record says it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The n that was found for a cost.
#[derive(
    schemars::JsonSchema, Clone, Debug, PartialEq, Deserialize, Serialize,
)]
pub(crate) struct Calibrated {
    /// What was asked for.
    pub(crate) cost_ns: u64,
    /// The n whose fib takes about that long.
    pub(crate) n: u8,
    /// How long it took.
    pub(crate) took_ns: u64,
    /// Whose fib it is, if it is not that of this program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fib: Option<String>,
}

impl Calibrated {
    /// Whether it says what stands for this cost with that fib.
    pub(crate) fn is_of(&self, cost: Duration, fib: Option<&str>) -> bool {
        u128::from(self.cost_ns) == cost.as_nanos()
            && self.fib.as_deref() == fib
    }

    /// Whether another one answers the same question.
    pub(crate) fn is_like(&self, other: &Calibrated) -> bool {
        self.cost_ns == other.cost_ns && self.fib == other.fib
    }
}
