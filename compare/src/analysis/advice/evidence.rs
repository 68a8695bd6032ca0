//! What a record shows about a contestant under a mix: whether it falls over,
//! and why it is slow.

use crate::analysis::advice::rating::Rating;
use crate::analysis::statistics::{Estimate, median};
use crate::analysis::units;
use crate::model::contestant::{Contestant, ModelTrait};
use crate::model::record::{Record, Round, Void};
use crate::model::scenarios::{ClientGroup, Scenario};

/// The share of unanswered requests above which a contestant falls over.
const UNANSWERED_MAX: f64 = 0.1;

/// The share of a group's clients without a reply in a whole window above
/// which a contestant falls over, however well it serves the others.
const STARVED_MAX: f64 = 0.1;

/// How many more requests may be in flight at the end of a window than at its
/// start.
const IN_FLIGHT_GROWTH_MAX: f64 = 2.0;

/// The use of its processors above which a server counts as busy.
const BUSY: f64 = 0.9;

/// The smallest p99, as a share of a long request's time, that is attributed
/// to waiting for a long request.
const WAITS_SHARE: f64 = 0.3;

/// What a record shows about one contestant under a mix.
pub(crate) struct Evidence<'a> {
    scenario: &'a Scenario,
    contestant: &'a Contestant,
    void: Option<&'a Void>,
    by_design: Option<&'a str>,
    rounds: &'a [Round],
    /// The time that a long request computes, in nanoseconds.
    long_ns: Option<f64>,
}

impl<'a> Evidence<'a> {
    pub(crate) fn of(
        record: &'a Record,
        scenario: &'a Scenario,
        contestant: &'a Contestant,
    ) -> Evidence<'a> {
        let cell = record.cell(&scenario.name, &contestant.name);
        let void = cell.and_then(|cell| cell.void.as_ref());
        let costs = scenario.groups.iter().filter_map(|group| group.cost);
        let fib = contestant.fib.as_deref();
        let long_ns = costs.max().and_then(|cost| {
            let mut known = record.calibration.iter();
            let known = known.find(|known| known.is_for(cost, fib))?;
            Some(known.took_ns as f64)
        });
        Evidence {
            scenario,
            contestant,
            void,
            by_design: cell.and_then(|cell| cell.by_design.as_deref()),
            rounds: cell.map_or(&[], |cell| &cell.rounds),
            long_ns,
        }
    }

    /// Returns the rating and the reason if the contestant falls over or could
    /// not be measured.
    pub(crate) fn why_fallen_over(&self) -> Option<(Rating, String)> {
        if let Some(void) = self.void {
            let rating = if void.contestant_failed {
                Rating::FallsOver
            } else {
                Rating::Unknown
            };
            return Some((rating, void.reason.clone()));
        }
        if let Some(why) = self.by_design {
            return Some((Rating::FallsOver, format!("by design, {why}")));
        }
        let most = |share: &dyn Fn(&ClientGroup) -> Option<f64>| {
            let groups = self.scenario.groups.iter();
            groups
                .filter_map(|group| Some((&group.name, share(group)?)))
                .max_by(|(_, one), (_, other)| one.total_cmp(other))
        };
        let left_out = most(&|group| self.left_out(group));
        let starved = most(&|group| self.starved(group));
        let mut why = match (left_out, starved) {
            (Some((name, share)), _) => format!(
                "{:.0} % of the {name} requests were not answered in time",
                share * 100.0
            ),
            (None, Some((name, share))) => format!(
                "{:.0} % of the {name} clients got no reply in the window",
                share * 100.0
            ),
            (None, None) => return None,
        };
        if self.contestant.is(ModelTrait::OneClientAtATime) {
            why += ": it serves one client at a time";
        } else if let Some(busy) = self.busy() {
            why += &if busy > BUSY {
                format!(
                    ": it used {:.0} % of its processors' time",
                    busy * 100.0
                )
            } else {
                format!(
                    ", although it used only {:.0} % of its processors' time",
                    busy * 100.0
                )
            };
        }
        Some((Rating::FallsOver, why))
    }

    /// Returns the share of a group's requests that were not answered in the
    /// windows, if it is too large.
    fn left_out(&self, group: &ClientGroup) -> Option<f64> {
        let (mut due, mut missing, mut rounds) = (0.0, 0.0, 0);
        for round in self.rounds {
            let found = round.report.group(&group.name)?;
            let open = found.open.as_ref()?;
            let due_here = open.response_ns.count() as f64;
            due += due_here;
            // Replies to requests that were due before the window count too;
            // they make up for those in flight at its end.
            missing += due_here - found.replies as f64;
            rounds += 1;
        }
        let allowed =
            due * UNANSWERED_MAX + f64::from(rounds) * IN_FLIGHT_GROWTH_MAX;
        (missing > allowed).then(|| missing / due)
    }

    /// Returns the share of a group's clients that waited throughout a window,
    /// if it is too large. Their requests were due before the window, so no
    /// response time includes them, and requests that are due later go to the
    /// clients that are served.
    fn starved(&self, group: &ClientGroup) -> Option<f64> {
        let shares = self.rounds.iter().filter_map(|round| {
            let found = round.report.group(&group.name)?;
            // If one request takes longer than the window, having no reply
            // doesn't mean that the client was neglected.
            let is_longer = group.cost.is_some_and(|cost| {
                cost.as_nanos() >= u128::from(round.report.window_ns)
            });
            let share = found.starved as f64 / found.connections as f64;
            (!is_longer).then_some(share)
        });
        let share = median(&mut shares.collect::<Vec<f64>>())?;
        (share > STARVED_MAX).then_some(share)
    }

    /// Returns the share of its processors' time that the server used.
    fn busy(&self) -> Option<f64> {
        let shares = self.rounds.iter().filter_map(|round| {
            let report = &round.report;
            let whole_ns =
                report.window_ns as f64 * round.placement.server.len() as f64;
            Some(report.server_cpu_ns.value? as f64 / whole_ns)
        });
        median(&mut shares.collect::<Vec<f64>>())
    }

    /// Returns the mechanism that makes the contestant slow, if the figures
    /// show one.
    pub(crate) fn mechanism(&self, p99_ns: &Estimate) -> Option<String> {
        let has_long = self
            .long_ns
            .is_some_and(|long_ns| p99_ns.high >= long_ns * WAITS_SHARE);
        let long = self.long_ns.map(units::time).unwrap_or_default();
        if self.contestant.is(ModelTrait::OneClientAtATime) {
            return Some("it serves one client at a time".to_owned());
        }
        let measured = self.scenario.measured();
        let (inline, stall) =
            if measured.is_some_and(|group| group.cost.is_some()) {
                (
                    "it computes in its event loop, one request after another",
                    "it waits for its pool in its event loop, for one request \
                     after another",
                )
            } else {
                (
                    "it computes in its event loop: a short request waits for \
                 the long one ahead of it",
                    "it waits for its pool in its event loop: a short request \
                 waits for the long one ahead of it",
                )
            };
        let pool = "all its workers were busy with long requests";
        let traits = [
            (ModelTrait::ComputesInline, inline),
            (ModelTrait::WaitsForItsPool, stall),
            (ModelTrait::WorkerProcesses, pool),
            (ModelTrait::ComputesOnAPool, pool),
        ];
        let found = traits.iter().find(|(kind, _)| self.contestant.is(*kind));
        match (found, self.busy()) {
            (Some((_, what)), busy)
                if has_long && busy.is_none_or(|busy| busy <= BUSY) =>
            {
                Some(format!("{what} ({long})"))
            }
            (_, Some(busy)) if busy > BUSY => Some(format!(
                "it used {:.0} % of its processors' time",
                busy * 100.0
            )),
            _ => None,
        }
    }
}
