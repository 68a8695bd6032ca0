//! The ratings of contestants under a mix, and the verdicts that follow.

use std::time::Duration;

use crate::analysis::statistics::Estimate;
use crate::model::figure::Figure;

/// How well a contestant handles a mix, the best rating first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rating {
    /// The whole interval of the p99 is below the limit, or there is no limit.
    Meets,
    /// The interval contains the limit, or there are too few rounds.
    Undecided,
    /// The contestant has no p99, because the instrument failed or there were
    /// too few replies.
    Unknown,
    /// The whole interval is above the limit.
    Misses,
    /// The contestant left too many requests unanswered, left too many clients
    /// without a reply, failed, or can't serve the mix by design.
    FallsOver,
}

impl Rating {
    /// Returns the verdict. There are three if there is a limit.
    pub(crate) fn verdict(self, has_slo: bool) -> &'static str {
        match (self, has_slo) {
            (Rating::Meets, true) => "meets",
            (Rating::Meets, false) => "keeps up",
            (Rating::Undecided | Rating::Unknown, _) => "undecided",
            (Rating::Misses, _) | (Rating::FallsOver, true) => "misses",
            (Rating::FallsOver, false) => "falls over",
        }
    }

    /// Returns the figure by which the contestants with this rating are ranked.
    /// Contestants that meet a limit are equally good in that respect, so
    /// they are ranked by cost.
    pub(crate) fn figure(self, has_slo: bool) -> Figure {
        if self == Rating::Meets && has_slo {
            Figure::Cost
        } else {
            Figure::ResponseP99
        }
    }

    /// Returns the rating for a p99, by its whole interval.
    pub(crate) fn of(p99_ns: &Estimate, slo: Option<Duration>) -> Rating {
        let Some(slo) = slo else { return Rating::Meets };
        let slo_ns = slo.as_nanos() as f64;
        if p99_ns.high <= slo_ns {
            Rating::Meets
        } else if p99_ns.low > slo_ns {
            Rating::Misses
        } else {
            Rating::Undecided
        }
    }
}
