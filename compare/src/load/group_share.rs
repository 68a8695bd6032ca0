//! One thread's share of a client group: its pace, what it counts, and which
//! requests are due.

use std::collections::VecDeque;
use std::time::Instant;

use crate::load::connection::Bytes;
use crate::load::schedule::{self, Schedule};
use crate::load::sockets::Sockets;
use crate::load::tally::Tally;
use crate::model::load_plan::{GroupPlan, LoadPlan, Pace};

/// This thread's share of a client group.
pub(crate) struct GroupShare {
    pub(crate) pace: Pace,
    pub(crate) sockets: Sockets,
    pub(crate) bytes: Bytes,
    pub(crate) tally: Tally,
    pub(crate) open: Option<OpenLoopState>,
    /// Who thinks, until when, and how many requests follow; in the order of
    /// time, because all think equally long.
    pub(crate) thinking: VecDeque<(Instant, usize, usize)>,
}

/// An open loop.
pub(crate) struct OpenLoopState {
    pub(crate) schedule: Schedule,
    /// The connections that have nothing to do, the one that has waited
    /// longest first.
    pub(crate) free: VecDeque<usize>,
    /// No request is due from here on.
    pub(crate) end: Option<Instant>,
}

impl GroupShare {
    /// What the `index`-th of `of` threads has of a group.
    pub(crate) fn new(
        plan: &LoadPlan,
        group: usize,
        index: usize,
        of: usize,
    ) -> GroupShare {
        let clients = plan.clients_of(group, index, of);
        let GroupPlan { n, connections, pace, elsewhere, .. } =
            plan.groups[group];
        let open = match pace {
            // Without a client, nothing falls due that nobody could send.
            Pace::Open { rate, arrivals } if clients > 0 => {
                Some(OpenLoopState {
                    schedule: Schedule::new(
                        Instant::now(),
                        rate * clients as f64 / connections as f64,
                        arrivals,
                        schedule::seed(plan.seed, group, index),
                    ),
                    free: VecDeque::with_capacity(clients),
                    end: None,
                })
            }
            Pace::Open { .. }
            | Pace::Closed { .. }
            | Pace::Churn
            | Pace::Silent => None,
        };
        GroupShare {
            pace,
            sockets: Sockets::new(elsewhere.unwrap_or(plan.address)),
            bytes: Bytes::new(n, pace.depth(), plan.framing),
            tally: Tally::new(matches!(pace, Pace::Open { .. })),
            open,
            thinking: VecDeque::new(),
        }
    }

    /// When something is to be done that no reply calls for.
    pub(crate) fn next_time(&self) -> Option<Instant> {
        let open = self.open.as_ref();
        let due = open.filter(|open| !open.free.is_empty() && !open.is_over());
        let due = due.map(|open| open.schedule.next());
        let thought = self.thinking.front().map(|(until, ..)| *until);
        due.into_iter().chain(thought).min()
    }
}

impl OpenLoopState {
    pub(crate) fn take_free(&mut self) -> Option<usize> {
        self.free.pop_front()
    }

    /// Whether all that was due before the end is sent.
    pub(crate) fn is_over(&self) -> bool {
        self.end.is_some_and(|end| self.schedule.next() >= end)
    }
}
