//! The ranking of contestants under a mix of long and short requests, with the
//! reason why a contestant misses the limit.

mod evidence;
pub(crate) mod rating;

use std::time::Duration;

use crate::analysis::advice::evidence::Evidence;
use crate::analysis::advice::rating::Rating;
use crate::analysis::difference::{ROUNDS_MIN, TOO_FEW_ROUNDS};
use crate::analysis::findings::Findings;
use crate::model::contestant::Contestant;
use crate::model::figure::Figure;
use crate::model::record::Record;
use crate::model::scenarios::Scenario;

/// The contestants of a mix, ranked.
pub(crate) struct Advice<'a> {
    /// The mix.
    pub(crate) scenario: &'a Scenario,
    /// The limit for the p99, if one was given.
    pub(crate) slo: Option<Duration>,
    /// The contestants, the best first.
    pub(crate) places: Vec<Place<'a>>,
}

/// A contestant and its place in the ranking.
pub(crate) struct Place<'a> {
    /// The place, which contestants that tie share; `None` if the contestant
    /// falls over or could not be measured.
    pub(crate) place: Option<usize>,
    /// The contestant.
    pub(crate) contestant: &'a Contestant,
    /// How well it handles the mix.
    pub(crate) rating: Rating,
    /// The reason, unless it meets the limit.
    pub(crate) why: Option<String>,
}

impl<'a> Advice<'a> {
    /// Ranks the contestants of a record under the mix `scenario`.
    pub(crate) fn of(
        record: &'a Record,
        scenario: &'a Scenario,
        slo: Option<Duration>,
    ) -> Advice<'a> {
        let findings = Findings::of(record);
        let mut places: Vec<Place<'a>> = record
            .contestants()
            .map(|contestant| place(record, scenario, contestant, slo))
            .collect();
        let value = |place: &Place<'_>| {
            let figure = place.rating.figure(slo.is_some());
            let name = &place.contestant.name;
            let found = findings.estimate(scenario, name, figure);
            found.map_or(f64::INFINITY, |found| found.value)
        };
        places.sort_by(|one, other| {
            one.rating
                .cmp(&other.rating)
                .then(value(one).total_cmp(&value(other)))
        });
        // The first contestant of the current place.
        let mut head: Option<(usize, Rating, &str)> = None;
        for (index, place) in places.iter_mut().enumerate() {
            if place.rating >= Rating::FallsOver {
                continue;
            }
            let name = place.contestant.name.as_str();
            let figure = place.rating.figure(slo.is_some());
            let is_tied = head.is_some_and(|(_, rating, first)| {
                let relation =
                    || findings.relation(scenario, name, first, figure);
                rating == place.rating
                    && relation().is_some_and(|r| !r.is_different())
            });
            let (place_of_head, ..) = match head {
                Some(head) if is_tied => head,
                _ => *head.insert((index + 1, place.rating, name)),
            };
            place.place = Some(place_of_head);
        }
        Advice { scenario, slo, places }
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
    let rounds = record.figure(scenario, name, Figure::ResponseP99).len();
    let is_short = rounds < ROUNDS_MIN;
    let evidence = Evidence::of(record, scenario, contestant);
    let (rating, why) = match (evidence.why_fallen_over(), p99) {
        (Some((rating, why)), _) => (rating, Some(why)),
        (None, None) => {
            let why = "too few replies for a p99".to_owned();
            (Rating::Unknown, Some(why))
        }
        (None, Some(p99)) => match Rating::of(&p99, slo) {
            Rating::Holds | Rating::Misses if slo.is_some() && is_short => {
                (Rating::Open, Some(TOO_FEW_ROUNDS.to_owned()))
            }
            Rating::Holds => (Rating::Holds, None),
            rating @ (Rating::Open
            | Rating::Misses
            | Rating::FallsOver
            | Rating::Unknown) => (rating, Some(evidence.why_slow(&p99))),
        },
    };
    Place { place: None, contestant, rating, why }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::statistics::Estimate;
    use crate::model::calibration::Calibrated;
    use crate::model::contestant::ModelTrait;
    use crate::model::load_report::{
        Bottleneck, GroupReport, LoadReport, OpenLoop,
    };
    use crate::model::machine::Machine;
    use crate::model::mix::Mix;
    use crate::model::placement::Placement;
    use crate::model::reading::Reading;
    use crate::model::record::Entrant;
    use crate::model::record::Round;
    use crate::model::record::Void;
    use crate::model::times::Times;

    const MS: u64 = 1_000_000;
    const DUE: u64 = 2_000;
    const SLO: Option<Duration> = Some(Duration::from_millis(10));

    /// A contestant with the same figures in every round.
    struct Made {
        name: &'static str,
        model: Vec<ModelTrait>,
        p99_ms: u64,
        cost_ns: u64,
        replies: u64,
    }

    fn made(name: &'static str, p99_ms: u64, cost_ns: u64) -> Made {
        Made { name, model: Vec::new(), p99_ms, cost_ns, replies: DUE }
    }

    fn record(made: &[Made]) -> Record {
        let mix = Mix {
            long: "5/s x 50ms".parse().ok(),
            short: "2000/s".parse().ok(),
            clients: 8,
        };
        let scenario = mix.scenario(2, SLO).unwrap();
        let machine = Machine::made_up(vec![0, 1]);
        let mut record = Record::new(1, 3, machine);
        record.calibration.push(Calibrated {
            cost_ns: 50 * MS,
            n: 37,
            took_ns: 53 * MS,
            fib: None,
        });
        for Made { name, model, p99_ms, cost_ns, replies } in made {
            let mut contestant =
                Contestant::peer((*name).to_owned(), Vec::new());
            contestant.model.clone_from(model);
            record
                .entrants
                .push(Entrant::new(contestant, Reading::missing("not asked")));
            for round in 1..=3 {
                let mut group = GroupReport::made_up("short");
                group.replies = *replies;
                group.open = Some(OpenLoop {
                    response_ns: Times::of(&[(p99_ms * MS, DUE)]),
                    lag_ns: Times::of(&[]),
                    unanswered: 0,
                });
                let mut report = LoadReport::made_up(vec![group]);
                report.server_cpu_ns = Reading::from(Ok(cost_ns * replies));
                record.cell_mut("mix", name).rounds.push(Round {
                    round,
                    place: 1,
                    placement: Placement { server: vec![0], load: vec![1] },
                    bottleneck: Bottleneck::Neither,
                    capacity: Reading::missing("not asked"),
                    report,
                    turns: Vec::new(),
                });
            }
        }
        record.scenarios.push(scenario);
        record
    }

    fn ranked(
        made: &[Made],
        slo: Option<Duration>,
    ) -> Vec<(String, Option<usize>, Rating, Option<String>)> {
        let record = record(made);
        let ranking = Advice::of(&record, &record.scenarios[0], slo);
        let places = ranking.places.into_iter();
        places
            .map(|p| (p.contestant.name.clone(), p.place, p.rating, p.why))
            .collect()
    }

    #[test]
    fn contestants_that_hold_are_ranked_by_cost_and_ties_share_a_place() {
        let made = [
            made("costly", 1, 90_000),
            made("slow", 60, 10_000),
            made("cheap", 9, 30_000),
            made("same", 2, 30_000),
        ];
        let found = ranked(&made, SLO);
        let places: Vec<_> = found
            .iter()
            .map(|(name, place, rating, _)| (name.as_str(), *place, *rating))
            .collect();
        let expected = [
            ("cheap", Some(1), Rating::Holds),
            ("same", Some(1), Rating::Holds),
            ("costly", Some(3), Rating::Holds),
            ("slow", Some(4), Rating::Misses),
        ];
        assert_eq!(places, expected);
        // Without a limit, the lowest p99 comes first.
        let found = ranked(&made, None);
        let names: Vec<&str> =
            found.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(names, ["costly", "same", "cheap", "slow"]);
    }

    #[test]
    fn a_reason_follows_from_the_figures_and_the_model() {
        let of = |name, kind, p99_ms| Made {
            model: vec![kind],
            ..made(name, p99_ms, 10_000)
        };
        let inline = of("inline", ModelTrait::ComputesInline, 51);
        let threads = of("threads", ModelTrait::ThreadPerClient, 51);
        // An event loop that is slow, but not because of a long request.
        let loaded = of("loaded", ModelTrait::ComputesInline, 12);
        let behind = Made { replies: DUE / 2, ..made("behind", 900, 10_000) };
        let found = ranked(&[inline, threads, loaded, behind], SLO);
        let why = |name: &str| {
            let found = found.iter().find(|(other, ..)| other == name);
            let (_, _, rating, why) = found.unwrap();
            (*rating, why.clone().unwrap())
        };
        let (rating, text) = why("inline");
        assert_eq!(rating, Rating::Misses);
        assert!(text.contains("in its event loop") && text.contains("53.0 ms"));
        assert!(why("threads").1.contains("used 2 % of its processors"));
        assert!(why("loaded").1.contains("used 2 % of its processors"));
        let (rating, text) = why("behind");
        assert_eq!(rating, Rating::FallsOver);
        assert!(text.contains("50 % of the short requests"), "{text}");
        assert!(text.contains("used only 1 % of"), "{text}");
    }

    #[test]
    fn a_contestant_that_serves_only_a_few_clients_falls_over() {
        let mut record =
            record(&[made("few", 1, 1_000), made("all", 1, 9_000)]);
        for (name, starved) in [("few", 7), ("all", 0)] {
            for round in &mut record.cell_mut("mix", name).rounds {
                let group = &mut round.report.groups[0];
                (group.starved, group.connections) = (starved, 8);
            }
        }
        let ranking = Advice::of(&record, &record.scenarios[0], SLO);
        let [all, few] = ranking.places.as_slice() else { panic!() };
        assert_eq!((all.place, all.rating), (Some(1), Rating::Holds));
        assert_eq!((few.place, few.rating), (None, Rating::FallsOver));
        let why = few.why.as_deref().unwrap();
        assert!(why.contains("88 % of the short clients got no"), "{why}");
    }

    #[test]
    fn with_two_rounds_the_result_is_open() {
        let mut record = record(&[made("good", 1, 1_000)]);
        record.cell_mut("mix", "good").rounds.truncate(2);
        for (slo, rating) in [(SLO, Rating::Open), (None, Rating::Holds)] {
            let ranking = Advice::of(&record, &record.scenarios[0], slo);
            assert_eq!(ranking.places[0].rating, rating);
        }
    }

    #[test]
    fn a_contestant_that_was_left_out_by_design_is_not_measured() {
        let mut record = record(&[made("one", 1, 1_000)]);
        let cell = record.cell_mut("mix", "one");
        cell.rounds.clear();
        cell.by_design = Some("it serves one".to_owned());
        let ranking = Advice::of(&record, &record.scenarios[0], SLO);
        let place = &ranking.places[0];
        assert_eq!(place.rating, Rating::Unknown);
        assert_eq!(place.why.as_deref(), Some("by design, it serves one"));
    }

    #[test]
    fn an_interval_that_contains_the_limit_is_open() {
        let of = |low, high| {
            let [low, high] = [low, high].map(|ms| ms * 1e6);
            let value = f64::midpoint(low, high);
            Rating::of(&Estimate { value, low, high }, SLO)
        };
        assert_eq!(of(1.0, 10.0), Rating::Holds);
        assert_eq!(of(9.0, 11.0), Rating::Open);
        assert_eq!(of(10.1, 11.0), Rating::Misses);
    }

    #[test]
    fn a_failure_of_the_instrument_does_not_count_against_a_contestant() {
        let mut record = record(&[made("a", 1, 1_000), made("b", 1, 1_000)]);
        for (name, contestant_failed) in [("a", false), ("b", true)] {
            record.cell_mut("mix", name).void = Some(Void {
                round: 1,
                reason: "it was so".to_owned(),
                contestant_failed,
                log: Vec::new(),
                faults: std::collections::BTreeMap::new(),
            });
        }
        let ranking = Advice::of(&record, &record.scenarios[0], SLO);
        let ratings: Vec<Rating> =
            ranking.places.iter().map(|place| place.rating).collect();
        assert_eq!(ratings, [Rating::FallsOver, Rating::Unknown]);
    }
}
