//! The figures that can be shown of a cell: their names, units and order.

use std::cmp::Ordering;

use charts::Unit;
use serde::{Deserialize, Serialize};

/// A figure that can be shown of a cell.
#[derive(
    schemars::JsonSchema,
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    Deserialize,
    Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Figure {
    /// The median service time.
    Time,
    /// Replies a second.
    Rate,
    /// The service time that half of the replies stay under.
    P50,
    /// The service time that 99 of 100 replies stay under.
    P99,
    /// The server's CPU time per reply.
    Cost,
    /// The server's resident memory.
    Rss,
    /// The server's threads, at the end of the window.
    Threads,
    /// The rate, as a share of that in the scenario `against`.
    Left,
    /// The response time that half of an open loop's requests stay under.
    ResponseP50,
    /// The response time that 99 of 100 stay under.
    ResponseP99,
}

impl Figure {
    /// All of them, in the order in which they are shown.
    pub(crate) fn all() -> [Figure; 10] {
        [
            Figure::Time,
            Figure::Rate,
            Figure::P50,
            Figure::P99,
            Figure::Cost,
            Figure::Rss,
            Figure::Threads,
            Figure::Left,
            Figure::ResponseP50,
            Figure::ResponseP99,
        ]
    }

    /// Whether a contestant with more of it did better.
    pub(crate) fn more_is_better(self) -> bool {
        matches!(self, Figure::Rate | Figure::Left)
    }

    /// Orders two of it, the better one first.
    pub(crate) fn better_first(self, one: f64, other: f64) -> Ordering {
        let order = one.total_cmp(&other);
        if self.more_is_better() { order.reverse() } else { order }
    }

    /// What it counts, before it is scaled for people.
    pub(crate) fn unit(self) -> Unit {
        match self {
            Figure::Time
            | Figure::P50
            | Figure::P99
            | Figure::ResponseP50
            | Figure::ResponseP99
            | Figure::Cost => Unit::Nanoseconds,
            Figure::Rate => Unit::PerSecond,
            Figure::Rss => Unit::Bytes,
            Figure::Threads => Unit::Threads,
            Figure::Left => Unit::Share,
        }
    }

    /// Its name, as in the file.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Figure::Time => "time",
            Figure::Rate => "rate",
            Figure::P50 => "p50",
            Figure::P99 => "p99",
            Figure::Cost => "cost",
            Figure::Rss => "rss",
            Figure::Threads => "threads",
            Figure::Left => "left",
            Figure::ResponseP50 => "response-p50",
            Figure::ResponseP99 => "response-p99",
        }
    }
}
