//! The ratings of contestants under a mix: holds, open, misses, falls over.

use std::time::Duration;

use crate::analysis::statistics::Estimate;
use crate::model::figure::Figure;

/// How well a contestant handles a mix, the best rating first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rating {
    /// The whole interval of the p99 is below the limit, or there is no limit.
    Holds,
    /// The interval contains the limit, or there are too few rounds.
    Open,
    /// The whole interval is above the limit.
    Misses,
    /// The contestant left too many requests unanswered, left too many clients
    /// without a reply, or failed.
    FallsOver,
    /// The contestant was not measured, or the instrument failed.
    Unknown,
}

impl Rating {
    /// Returns the name that is printed.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Rating::Holds => "holds",
            Rating::Open => "open",
            Rating::Misses => "misses",
            Rating::FallsOver => "falls over",
            Rating::Unknown => "not measured",
        }
    }

    /// Returns the figure by which the contestants with this rating are ranked.
    /// Contestants that hold a limit are equally good in that respect, so
    /// they are ranked by cost.
    pub(crate) fn figure(self, has_slo: bool) -> Figure {
        if self == Rating::Holds && has_slo {
            Figure::Cost
        } else {
            Figure::ResponseP99
        }
    }

    /// Returns the rating for a p99, by its whole interval.
    pub(crate) fn of(p99_ns: &Estimate, slo: Option<Duration>) -> Rating {
        let Some(slo) = slo else { return Rating::Holds };
        let slo_ns = slo.as_nanos() as f64;
        if p99_ns.high <= slo_ns {
            Rating::Holds
        } else if p99_ns.low > slo_ns {
            Rating::Misses
        } else {
            Rating::Open
        }
    }
}
