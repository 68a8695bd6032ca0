//! How well a contestant bears a mix.

use std::time::Duration;

use crate::analysis::statistics::Estimate;
use crate::model::figure::Figure;

/// How somebody bears a mix; the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rating {
    /// All of the interval of its p99 is below what was asked for, or nothing
    /// was asked for.
    Holds,
    /// Some of it is.
    Open,
    /// None of it is.
    Misses,
    /// It did not answer as many requests as there were, let clients wait in
    /// vain, or died.
    FallsOver,
    /// The instrument failed.
    Unknown,
}

impl Rating {
    /// In one word, or two.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Rating::Holds => "holds",
            Rating::Open => "open",
            Rating::Misses => "misses",
            Rating::FallsOver => "falls over",
            Rating::Unknown => "not measured",
        }
    }

    /// What those of it are ranked by. Whoever holds what was asked for is as
    /// good as any other who does: what it costs is left.
    pub(crate) fn figure(self, has_slo: bool) -> Figure {
        if self == Rating::Holds && has_slo {
            Figure::Cost
        } else {
            Figure::ResponseP99
        }
    }

    /// Of a p99, of which all that its interval leaves open counts.
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
