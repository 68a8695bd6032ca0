//! One thread's share of a client group: its pace, its tally, and the requests
//! that are due.

use std::collections::VecDeque;
use std::time::Instant;

use crate::load::connection::Bytes;
use crate::load::schedule::{self, Schedule};
use crate::load::sockets::Sockets;
use crate::load::tally::Tally;
use crate::model::load_plan::{GroupPlan, LoadPlan, Pace};

/// One thread's share of a client group.
pub(crate) struct GroupShare {
    /// The number of clients of this share.
    pub(crate) clients: usize,
    pub(crate) pace: Pace,
    pub(crate) sockets: Sockets,
    pub(crate) bytes: Bytes,
    pub(crate) tally: Tally,
    pub(crate) open: Option<OpenLoopState>,
    /// The clients that pause: until when, their index, and how many requests
    /// they send then. Sorted by time.
    pub(crate) thinking: VecDeque<(Instant, usize, usize)>,
}

/// The state of an open loop.
pub(crate) struct OpenLoopState {
    pub(crate) schedule: Schedule,
    /// The connections without a request, the one that has been free longest
    /// first.
    pub(crate) free: VecDeque<usize>,
    /// The end of the window; no request is due after it.
    pub(crate) end: Option<Instant>,
}

impl GroupShare {
    /// Returns the share of the `index`-th of `of` threads in a group.
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
            // A share without clients has no requests, as it could not send
            // them.
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
            clients,
            pace,
            sockets: Sockets::new(elsewhere.unwrap_or(plan.address)),
            bytes: Bytes::new(n, pace.depth(), plan.framing),
            tally: Tally::new(matches!(pace, Pace::Open { .. })),
            open,
            thinking: VecDeque::new(),
        }
    }

    /// Lets a client pause until then, and send so many requests.
    pub(crate) fn pause(&mut self, until: Instant, index: usize, count: usize) {
        // The last place, except while the clients of a turn begin.
        let earlier = |pause: &(Instant, usize, usize)| pause.0 <= until;
        let place = self.thinking.partition_point(earlier);
        self.thinking.insert(place, (until, index, count));
    }

    /// Returns the next moment at which a request must be sent, if that doesn't
    /// depend on a reply.
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

    /// Returns `true` if all requests that were due in the window are sent.
    pub(crate) fn is_over(&self) -> bool {
        self.end.is_some_and(|end| self.schedule.next() >= end)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::contestant::Framing;

    #[test]
    fn the_client_whose_pause_ends_first_is_next() {
        let think = Duration::from_millis(1);
        let group = GroupPlan {
            name: "thinking".to_owned(),
            n: 1,
            connections: 4,
            pace: Pace::Closed { depth: 1, think },
            elsewhere: None,
        };
        let plan = LoadPlan {
            address: ([127, 0, 0, 1], 1).into(),
            groups: vec![group],
            warm_up: think,
            window: think,
            framing: Framing::Line,
            reply_timeout: think,
            server: None,
            apart_server: None,
            processors: Vec::new(),
            seed: 1,
        };
        let mut share = GroupShare::new(&plan, 0, 0, 1);
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        // The last client of a turn begins later than the first one thinks.
        for (index, ms) in [0, 9, 4, 4].into_iter().enumerate() {
            share.pause(at(ms), index, 1);
        }
        let order: Vec<usize> =
            share.thinking.iter().map(|(_, index, _)| *index).collect();
        assert_eq!(order, [0, 2, 3, 1]);
        assert_eq!(share.next_time(), Some(at(0)));
    }
}
