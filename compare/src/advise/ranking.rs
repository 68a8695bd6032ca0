//! Who bears a mix, who does not, and why.

use std::time::Duration;

use crate::contestants::{Contestant, Trait};
use crate::findings::{Findings, Standing};
use crate::record::{Record, Round};
use crate::scenarios::{Figure, Group, Scenario};
use crate::statistics::{Estimate, median};
use crate::units;

/// Whoever leaves more than this share unanswered has fallen over.
const UNANSWERED_MAX: f64 = 0.01;

/// Above this share of its processors, a server has no time to spare.
const BUSY: f64 = 0.9;

/// A p99 of at least this share of a long request's time is that of waiting
/// for one.
const WAITS_SHARE: f64 = 0.3;

/// The contestants, the best first.
pub(super) struct Ranking<'a> {
    /// The mix.
    pub(super) scenario: &'a Scenario,
    /// The p99 that was asked for, if any was.
    pub(super) slo: Option<Duration>,
    /// In order.
    pub(super) places: Vec<Place<'a>>,
}

/// One of them.
pub(super) struct Place<'a> {
    /// Its place, shared with those that it ties with; none, for one that
    /// has fallen over.
    pub(super) place: Option<usize>,
    /// Who.
    pub(super) contestant: &'a Contestant,
    /// How it bears the mix.
    pub(super) class: Class,
    /// Why, if it does not.
    pub(super) why: Option<String>,
}

/// How somebody bears a mix; the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// All of the interval of its p99 is below what was asked for, or nothing
    /// was asked for.
    Holds,
    /// Some of it is.
    Open,
    /// None of it is.
    Misses,
    /// It did not answer all requests, or died.
    FallsOver,
}

impl Class {
    /// In one word, or two.
    pub(super) fn name(self) -> &'static str {
        match self {
            Class::Holds => "holds",
            Class::Open => "open",
            Class::Misses => "misses",
            Class::FallsOver => "falls over",
        }
    }

    /// What those of it are ranked by. Whoever holds what was asked for is as
    /// good as any other who does: what it costs is left.
    fn figure(self, has_slo: bool) -> Figure {
        match self {
            Class::Holds if has_slo => Figure::Cost,
            _ => Figure::ResponseP99,
        }
    }

    /// Of a p99, of which all that its interval leaves open counts.
    fn of(p99_ns: &Estimate, slo: Option<Duration>) -> Class {
        let Some(slo) = slo else { return Class::Holds };
        let slo_ns = slo.as_nanos() as f64;
        match (p99_ns.high <= slo_ns, p99_ns.low > slo_ns) {
            (true, _) => Class::Holds,
            (_, true) => Class::Misses,
            _ => Class::Open,
        }
    }
}

impl<'a> Ranking<'a> {
    /// Ranks those who took part.
    pub(super) fn of(
        record: &'a Record,
        scenario: &'a Scenario,
        slo: Option<Duration>,
    ) -> Ranking<'a> {
        let findings = Findings::of(record);
        let mut places: Vec<Place<'a>> = record
            .contestants()
            .map(|contestant| place(record, scenario, contestant, slo))
            .collect();
        let value = |place: &Place<'_>| {
            let figure = place.class.figure(slo.is_some());
            let name = &place.contestant.name;
            let found = findings.estimate(scenario, name, figure);
            found.map_or(f64::INFINITY, |found| found.median)
        };
        places.sort_by(|one, other| {
            one.class
                .cmp(&other.class)
                .then(value(one).total_cmp(&value(other)))
        });
        // The first of the place that is being filled.
        let mut head: Option<(usize, Class, &str)> = None;
        for (index, place) in places.iter_mut().enumerate() {
            if place.class == Class::FallsOver {
                continue;
            }
            let name = place.contestant.name.as_str();
            let figure = place.class.figure(slo.is_some());
            let is_tied = head.is_some_and(|(_, class, first)| {
                let standing =
                    || findings.standing(scenario, name, first, figure);
                class == place.class && standing() == Some(Standing::Tied)
            });
            let (place_of_head, ..) = match head {
                Some(head) if is_tied => head,
                _ => *head.insert((index + 1, place.class, name)),
            };
            place.place = Some(place_of_head);
        }
        Ranking { scenario, slo, places }
    }
}

fn place<'a>(
    record: &Record,
    scenario: &Scenario,
    contestant: &'a Contestant,
    slo: Option<Duration>,
) -> Place<'a> {
    let name = contestant.name.as_str();
    let findings = Findings::of(record);
    let p99 = findings.estimate(scenario, name, Figure::ResponseP99);
    let evidence = Evidence::of(record, scenario, contestant);
    let fallen = evidence.fallen();
    let (class, why) = match (fallen, p99) {
        (Some(why), _) => (Class::FallsOver, Some(why)),
        (None, None) => {
            let why = "too few replies for a p99".to_owned();
            (Class::FallsOver, Some(why))
        }
        (None, Some(p99)) => match Class::of(&p99, slo) {
            Class::Holds => (Class::Holds, None),
            class => (class, Some(evidence.slow(&p99))),
        },
    };
    Place { place: None, contestant, class, why }
}

/// What the record has to say for or against somebody.
struct Evidence<'a> {
    scenario: &'a Scenario,
    contestant: &'a Contestant,
    void: Option<String>,
    rounds: &'a [Round],
    /// How long a long request computes.
    long_ns: Option<f64>,
}

impl<'a> Evidence<'a> {
    fn of(
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
            let known = known.find(|known| known.is_of(cost, fib))?;
            Some(known.took_ns as f64)
        });
        Evidence {
            scenario,
            contestant,
            void: void.map(|void| void.reason.clone()),
            rounds: cell.map_or(&[], |cell| &cell.rounds),
            long_ns,
        }
    }

    /// Why it has fallen over, if it has.
    fn fallen(&self) -> Option<String> {
        if let Some(reason) = &self.void {
            return Some(format!("void: {reason}"));
        }
        let groups = self.scenario.groups.iter();
        let worst = groups
            .filter_map(|group| Some((group, self.left_out(group)?)))
            .max_by(|(_, one), (_, other)| one.total_cmp(other));
        let (group, share) = worst.filter(|(_, s)| *s > UNANSWERED_MAX)?;
        let percent = share * 100.0;
        let mut why = format!(
            "{percent:.0} % of the {} requests were not answered in time",
            group.name
        );
        if self.contestant.is(Trait::OneClientAtATime) {
            why += ": it serves one client at a time";
        } else if let Some(busy) = self.busy() {
            why += &match busy > BUSY {
                true => format!(
                    ": its processors were busy {:.0} % of the time",
                    busy * 100.0
                ),
                false => format!(
                    ", though its processors had {:.0} % to spare",
                    (1.0 - busy) * 100.0
                ),
            };
        }
        Some(why)
    }

    /// The share of a group's requests that were not answered before the end,
    /// in the middle one of the rounds.
    fn left_out(&self, group: &Group) -> Option<f64> {
        let shares = self.rounds.iter().filter_map(|round| {
            let found = round.report.group(&group.name)?;
            let open = found.open.as_ref()?;
            let all = open.response_ns.count();
            (all > 0).then(|| open.unanswered as f64 / all as f64)
        });
        median(&mut shares.collect::<Vec<f64>>())
    }

    /// The share of its processors' time that the server used.
    fn busy(&self) -> Option<f64> {
        let shares = self.rounds.iter().filter_map(|round| {
            let report = &round.report;
            let whole_ns =
                report.window_ns as f64 * round.placement.server.len() as f64;
            Some(report.server_cpu_ns.value? as f64 / whole_ns)
        });
        median(&mut shares.collect::<Vec<f64>>())
    }

    /// Why it is slow, as far as that can be told.
    fn slow(&self, p99_ns: &Estimate) -> String {
        let has_long = self
            .long_ns
            .is_some_and(|long_ns| p99_ns.median >= long_ns * WAITS_SHARE);
        let long = self.long_ns.map(units::time).unwrap_or_default();
        let traits = [
            (
                Trait::ComputesInline,
                "computes inside its loop: a short request waits for the \
                 long one before it",
            ),
            (
                Trait::WaitsForItsPool,
                "waits for its pool inside its loop: a short request waits \
                 for the long one before it",
            ),
            (
                Trait::WorkerProcesses,
                "all of its workers were busy with long requests",
            ),
            (
                Trait::ComputesOnAPool,
                "all of its workers were busy with long requests",
            ),
        ];
        let found = traits.iter().find(|(kind, _)| self.contestant.is(*kind));
        match (found, self.busy()) {
            (Some((_, what)), _) if has_long => format!("{what} ({long})"),
            (_, Some(busy)) => format!(
                "its processors were busy {:.0} % of the time",
                busy * 100.0
            ),
            (_, None) => "nobody knows what its processors did".to_owned(),
        }
    }
}
