//! The figures of a cell: their names, units and order.

use std::cmp::Ordering;

use charts::Unit;
use serde::{Deserialize, Serialize};

/// A measured quantity of a cell.
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
    /// Replies per second.
    Rate,
    /// The median of the service times.
    P50,
    /// The 99th percentile of the service times.
    P99,
    /// The server's CPU time per reply.
    Cost,
    /// The server's resident memory.
    Rss,
    /// The server's resident memory per silent client: how much more it uses
    /// with these clients than with the fewest of the sweep.
    PerClient,
    /// The number of the server's threads at the end of the window.
    Threads,
    /// The rate, as a share of the rate in the scenario `against`.
    Left,
    /// The median of the response times of an open loop.
    ResponseP50,
    /// The 99th percentile of the response times of an open loop.
    ResponseP99,
    /// The context switches per reply because a thread of the server waited.
    VoluntarySwitches,
    /// The context switches per reply because the scheduler ran another thread.
    InvoluntarySwitches,
    /// The instructions per reply that the processors executed for the server.
    Instructions,
    /// The cache misses per reply of the processors that ran the server.
    CacheMisses,
}

impl Figure {
    /// Returns all figures, in the order in which they are shown.
    pub(crate) fn all() -> [Figure; 15] {
        [
            Figure::Time,
            Figure::Rate,
            Figure::P50,
            Figure::P99,
            Figure::Cost,
            Figure::Rss,
            Figure::PerClient,
            Figure::Threads,
            Figure::Left,
            Figure::ResponseP50,
            Figure::ResponseP99,
            Figure::VoluntarySwitches,
            Figure::InvoluntarySwitches,
            Figure::Instructions,
            Figure::CacheMisses,
        ]
    }

    /// Returns `true` if a higher value is better.
    pub(crate) fn more_is_better(self) -> bool {
        matches!(self, Figure::Rate | Figure::Left)
    }

    /// Returns `true` if the figure is a count of events per reply. Counts don't
    /// drift with the machine's speed.
    pub(crate) fn is_count(self) -> bool {
        self.unit() == Unit::PerReply
    }

    /// Orders two values of this figure, the better one first.
    pub(crate) fn better_first(self, one: f64, other: f64) -> Ordering {
        let order = one.total_cmp(&other);
        if self.more_is_better() { order.reverse() } else { order }
    }

    /// Returns the unit of the recorded value, before it is scaled for display.
    pub(crate) fn unit(self) -> Unit {
        match self {
            Figure::Time
            | Figure::P50
            | Figure::P99
            | Figure::ResponseP50
            | Figure::ResponseP99
            | Figure::Cost => Unit::Nanoseconds,
            Figure::Rate => Unit::PerSecond,
            Figure::Rss | Figure::PerClient => Unit::Bytes,
            Figure::Threads => Unit::Threads,
            Figure::Left => Unit::Share,
            Figure::VoluntarySwitches
            | Figure::InvoluntarySwitches
            | Figure::Instructions
            | Figure::CacheMisses => Unit::PerReply,
        }
    }

    /// Returns the figure's name, as scenario files spell it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Figure::Time => "time",
            Figure::Rate => "rate",
            Figure::P50 => "p50",
            Figure::P99 => "p99",
            Figure::Cost => "cost",
            Figure::Rss => "rss",
            Figure::PerClient => "per-client",
            Figure::Threads => "threads",
            Figure::Left => "left",
            Figure::ResponseP50 => "response-p50",
            Figure::ResponseP99 => "response-p99",
            Figure::VoluntarySwitches => "voluntary-switches",
            Figure::InvoluntarySwitches => "involuntary-switches",
            Figure::Instructions => "instructions",
            Figure::CacheMisses => "cache-misses",
        }
    }
}
