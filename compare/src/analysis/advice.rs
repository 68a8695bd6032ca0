//! The verdicts on contestants under a mix of long and short requests, with the
//! reasons.

mod evidence;
pub(crate) mod rating;

use std::collections::BTreeSet;
use std::time::Duration;

use crate::analysis::advice::evidence::Evidence;
use crate::analysis::advice::rating::Rating;
use crate::analysis::difference::{MARGIN, ROUNDS_MIN, TOO_FEW_ROUNDS};
use crate::analysis::findings::{Findings, Standing};
use crate::analysis::relation::MORE_ROUNDS_MAX;
use crate::analysis::statistics::{ERROR, Estimate};
use crate::analysis::units;
use crate::model::contestant::Contestant;
use crate::model::figure::Figure;
use crate::model::record::Record;
use crate::model::scenarios::Scenario;

/// The verdicts on the contestants of a mix.
pub(crate) struct Advice<'a> {
    /// The record of the mix.
    pub(crate) record: &'a Record,
    /// The mix.
    pub(crate) scenario: &'a Scenario,
    /// The limit for the p99, if one was given.
    pub(crate) slo: Option<Duration>,
    /// The findings of the record.
    pub(crate) findings: Findings<'a>,
    /// The contestants: those that meet the limit first, by cost.
    pub(crate) places: Vec<Place<'a>>,
    /// How the contestants that meet the limit compare by cost; without a
    /// limit, how those that keep up compare by p99.
    pub(crate) standing: Standing<'a>,
}

/// A contestant and the verdict on it.
pub(crate) struct Place<'a> {
    /// The contestant.
    pub(crate) contestant: &'a Contestant,
    /// How well it handles the mix.
    pub(crate) rating: Rating,
    /// The p99 with the interval that decides, if there is one.
    pub(crate) p99: Option<Estimate>,
    /// The reason, unless it meets the limit.
    pub(crate) why: Option<String>,
}

impl<'a> Advice<'a> {
    /// Judges the contestants of a record under the mix `scenario`, with the
    /// usual margin.
    pub(crate) fn of(
        record: &'a Record,
        scenario: &'a Scenario,
        slo: Option<Duration>,
    ) -> Advice<'a> {
        Advice::with_margin(record, scenario, slo, MARGIN)
    }

    /// Judges the contestants of a record under the mix `scenario`. Costs that
    /// differ by less than the share `margin` are equal; the verdicts don't
    /// depend on it.
    pub(crate) fn with_margin(
        record: &'a Record,
        scenario: &'a Scenario,
        slo: Option<Duration>,
        margin: f64,
    ) -> Advice<'a> {
        let findings = Findings::with_margin(record, margin);
        let mut places: Vec<Place<'a>> = record
            .contestants()
            .map(|contestant| {
                place(record, &findings, scenario, contestant, slo)
            })
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
        let figure = Rating::Meets.figure(slo.is_some());
        let standing = standing(&findings, scenario, &places, figure);
        Advice { record, scenario, slo, findings, places, standing }
    }
}

/// Returns the cells of a mix that further rounds may decide, by scenario and
/// contestant.
pub(crate) fn undecided(record: &Record) -> BTreeSet<(String, String)> {
    let [scenario] = record.scenarios.as_slice() else {
        return BTreeSet::new();
    };
    let advice = Advice::of(record, scenario, record.slo());
    let places = advice.places.iter();
    places
        .filter(|place| place.rating == Rating::Undecided)
        .map(|place| (scenario.name.clone(), place.contestant.name.clone()))
        .collect()
}

/// Compares the contestants that meet the limit with the first of them.
fn standing<'a>(
    findings: &Findings<'_>,
    scenario: &Scenario,
    places: &[Place<'a>],
    figure: Figure,
) -> Standing<'a> {
    let meets = places.iter().filter(|place| place.rating == Rating::Meets);
    let mut names = meets.map(|place| place.contestant.name.as_str());
    let Some(leader) = names.next() else {
        return Standing::undecided(Vec::new());
    };
    let relations = names.filter_map(|name| {
        let relation = findings.relation(scenario, name, leader, figure)?;
        Some((name, relation))
    });
    Standing::of(leader, relations.collect(), figure)
}

fn place<'a>(
    record: &Record,
    findings: &Findings<'_>,
    scenario: &Scenario,
    contestant: &'a Contestant,
    slo: Option<Duration>,
) -> Place<'a> {
    let name = contestant.name.as_str();
    let rounds = record.figure(scenario, name, Figure::ResponseP99).len();
    let spread = findings.spread(scenario, name, Figure::ResponseP99);
    let error = ERROR / judgements(record, rounds) as f64;
    let p99 = spread.map(|spread| spread.estimate_with(error));
    let evidence = Evidence::of(record, scenario, contestant);
    let (rating, why) = match (evidence.why_fallen_over(), &p99) {
        (Some((Rating::Unknown, why)), _) => {
            let why = format!("could not be measured: {why}; measure again");
            (Rating::Unknown, Some(why))
        }
        (Some((rating, why)), _) => (rating, Some(why)),
        (None, None) => {
            let why = "too few replies for a p99; --duration makes the \
                       windows longer";
            (Rating::Unknown, Some(why.to_owned()))
        }
        (None, Some(p99)) => match (Rating::of(p99, slo), slo) {
            (_, Some(_)) if rounds < ROUNDS_MIN => {
                let more = units::more_rounds((ROUNDS_MIN - rounds) as u64);
                let why = format!("{TOO_FEW_ROUNDS}: it takes {more}");
                (Rating::Undecided, Some(why))
            }
            (Rating::Meets, _) | (_, None) => (Rating::Meets, None),
            (Rating::Undecided, Some(slo)) => {
                let what = what_it_takes(p99, slo, rounds);
                let why = format!("{}; {what}", against(p99, slo));
                (Rating::Undecided, Some(why))
            }
            (rating, Some(slo)) => {
                let mechanism = evidence.mechanism(p99);
                let mechanism = mechanism.map(|what| format!(": {what}"));
                let mechanism = mechanism.unwrap_or_default();
                (rating, Some(against(p99, slo) + &mechanism))
            }
        },
    };
    Place { contestant, rating, p99, why }
}

/// Returns how often a contestant with so many rounds was judged. Each time is
/// another chance to be wrong.
fn judgements(record: &Record, rounds: usize) -> usize {
    let judged = record.judged_after.iter();
    judged.filter(|&&after| after <= rounds as u64).count().max(1)
}

/// Returns a p99 and the limit, in words.
fn against(p99: &Estimate, slo: Duration) -> String {
    let ends = units::ends(Figure::ResponseP99, p99);
    format!("p99 between {ends}, limit {}", units::limit(slo))
}

/// Returns about how many more rounds would decide between a p99 and the limit.
/// The width of an interval shrinks with the square root of their number.
fn what_it_takes(p99: &Estimate, slo: Duration, rounds: usize) -> String {
    let half = (p99.high / p99.value).ln();
    let room = (slo.as_nanos() as f64 / p99.value).ln().abs();
    let rounds = rounds as f64;
    let more = rounds * (half / room).powi(2) - rounds;
    if more.is_finite() && more <= MORE_ROUNDS_MAX {
        let more = units::more_rounds(more.ceil().max(1.0) as u64);
        format!("{more} would decide")
    } else {
        "too close to the limit to decide".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::calibration::Calibrated;
    use crate::model::contestant::ModelTrait;
    use crate::model::invocation::{Invocation, MixFlags};
    use crate::model::load_report::{GroupReport, LoadReport, OpenLoop};
    use crate::model::machine::Machine;
    use crate::model::mix::Mix;
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
        let scenario = mix.scenario(2).unwrap();
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
                record
                    .cell_mut("mix", name)
                    .rounds
                    .push(Round::made_up(round, report));
            }
        }
        record.scenarios.push(scenario);
        record
    }

    fn ranked(
        made: &[Made],
        slo: Option<Duration>,
    ) -> Vec<(String, Rating, Option<String>)> {
        let record = record(made);
        let ranking = Advice::of(&record, &record.scenarios[0], slo);
        let places = ranking.places.into_iter();
        places.map(|p| (p.contestant.name.clone(), p.rating, p.why)).collect()
    }

    #[test]
    fn contestants_that_meet_the_limit_are_ranked_by_cost() {
        let made = [
            made("costly", 1, 90_000),
            made("slow", 60, 10_000),
            made("cheap", 9, 30_000),
            made("same", 2, 30_000),
        ];
        let found = ranked(&made, SLO);
        let places: Vec<_> = found
            .iter()
            .map(|(name, rating, _)| (name.as_str(), *rating))
            .collect();
        let expected = [
            ("cheap", Rating::Meets),
            ("same", Rating::Meets),
            ("costly", Rating::Meets),
            ("slow", Rating::Misses),
        ];
        assert_eq!(places, expected);
        // Without a limit, the lowest p99 comes first.
        let found = ranked(&made, None);
        let names: Vec<&str> =
            found.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(names, ["costly", "same", "cheap", "slow"]);
    }

    #[test]
    fn the_margin_decides_whether_costs_are_equal() {
        let mut record = record(&[made("a", 1, 30_000), made("b", 1, 30_000)]);
        let rounds = &mut record.cell_mut("mix", "b").rounds;
        for (round, cost_ns) in rounds.iter_mut().zip([30_000, 30_100, 30_200])
        {
            let report = &mut round.report;
            report.server_cpu_ns = Reading::from(Ok(cost_ns * DUE));
        }
        for (margin, best) in [(0.03, Some("a")), (0.001, None)] {
            let scenario = &record.scenarios[0];
            let advice = Advice::with_margin(&record, scenario, SLO, margin);
            assert_eq!(advice.standing.best, best, "{margin}");
            let places = advice.places.iter();
            let ratings: Vec<Rating> = places.map(|one| one.rating).collect();
            assert_eq!(ratings, [Rating::Meets; 2], "{margin}");
        }
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
            let (_, rating, why) = found.unwrap();
            (*rating, why.clone().unwrap())
        };
        let (rating, text) = why("inline");
        assert_eq!(rating, Rating::Misses);
        assert!(text.contains("in its event loop") && text.contains("53.0 ms"));
        // An idle processor is no reason.
        let expected = "p99 between 51.0 and 51.0 ms, limit 10 ms";
        assert_eq!(why("threads").1, expected);
        let expected = "p99 between 12.0 and 12.0 ms, limit 10 ms";
        assert_eq!(why("loaded").1, expected);
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
        assert_eq!(all.rating, Rating::Meets);
        assert_eq!(few.rating, Rating::FallsOver);
        let why = few.why.as_deref().unwrap();
        assert!(why.contains("88 % of the short clients got no"), "{why}");
    }

    #[test]
    fn with_two_rounds_the_result_is_open() {
        let mut record = record(&[made("good", 1, 1_000)]);
        record.cell_mut("mix", "good").rounds.truncate(2);
        for (slo, rating) in [(SLO, Rating::Undecided), (None, Rating::Meets)] {
            let ranking = Advice::of(&record, &record.scenarios[0], slo);
            assert_eq!(ranking.places[0].rating, rating);
        }
    }

    #[test]
    fn a_contestant_that_was_left_out_by_design_misses_the_limit() {
        let mut record = record(&[made("one", 1, 1_000)]);
        let cell = record.cell_mut("mix", "one");
        cell.rounds.clear();
        cell.by_design = Some("it serves one".to_owned());
        let ranking = Advice::of(&record, &record.scenarios[0], SLO);
        let place = &ranking.places[0];
        assert_eq!(place.rating, Rating::FallsOver);
        assert_eq!(place.why.as_deref(), Some("by design, it serves one"));
    }

    #[test]
    fn an_interval_that_contains_the_limit_is_open() {
        let of = |low, high| {
            let [low, high] = [low, high].map(|ms| ms * 1e6);
            let value = f64::midpoint(low, high);
            Rating::of(&Estimate { value, low, high }, SLO)
        };
        assert_eq!(of(1.0, 10.0), Rating::Meets);
        assert_eq!(of(9.0, 11.0), Rating::Undecided);
        assert_eq!(of(10.1, 11.0), Rating::Misses);
    }

    /// Returns a record of one contestant whose p99 in each round is given.
    fn record_of(p99s_ms: &[u64]) -> Record {
        let mut record = record(&[made("one", 1, 1_000)]);
        record.rounds = p99s_ms.len() as u64;
        let rounds = &mut record.cell_mut("mix", "one").rounds;
        let first = rounds[0].clone();
        rounds.clear();
        for (index, p99_ms) in p99s_ms.iter().enumerate() {
            let mut round = Round { round: index as u64 + 1, ..first.clone() };
            let open = round.report.groups[0].open.as_mut().unwrap();
            open.response_ns = Times::of(&[(p99_ms * MS, DUE)]);
            rounds.push(round);
        }
        record
    }

    #[test]
    fn an_undecided_contestant_has_its_interval_and_what_it_takes() {
        let cases: [(&[u64], Rating, &str); 4] = [
            (&[6, 9, 14, 8], Rating::Undecided, "more rounds would decide"),
            (&[10, 9, 10, 10], Rating::Undecided, "too close to the limit"),
            (&[6, 9], Rating::Undecided, "takes about 1 more round"),
            (&[80, 90, 85, 80], Rating::Misses, "ms, limit 10 ms"),
        ];
        for (p99s_ms, rating, expected) in cases {
            let record = record_of(p99s_ms);
            let advice = Advice::of(&record, &record.scenarios[0], SLO);
            let place = &advice.places[0];
            assert_eq!(place.rating, rating, "{p99s_ms:?}");
            let why = place.why.as_deref().unwrap();
            assert!(why.contains(expected), "{p99s_ms:?}: {why}");
        }
    }

    #[test]
    fn only_undecided_contestants_have_further_rounds() {
        let cases: [(&[u64], bool); 4] = [
            (&[6, 9, 14, 8], true),
            (&[6, 9], true),
            (&[1, 1, 1, 1], false),
            (&[80, 90, 85, 80], false),
        ];
        for (p99s_ms, expected) in cases {
            let mut record = record_of(p99s_ms);
            // Without a limit, nothing is undecided.
            assert!(undecided(&record).is_empty(), "{p99s_ms:?}");
            let mix = MixFlags { slo: SLO, ..MixFlags::default() };
            let mix = Some(mix);
            record.invocation = Some(Invocation { mix, ..Default::default() });
            assert_eq!(record.slo(), SLO);
            let found = undecided(&record);
            assert_eq!(!found.is_empty(), expected, "{p99s_ms:?}");
        }
    }

    #[test]
    fn further_rounds_of_one_contestant_do_not_change_another() {
        let p99 = |record: &Record| {
            let advice = Advice::of(record, &record.scenarios[0], SLO);
            let mut places = advice.places.iter();
            let place = places.find(|place| place.contestant.name == "other");
            place.unwrap().p99
        };
        let both = |rounds: &[u64]| {
            let mut record = record(&[made("one", 1, 1), made("other", 1, 1)]);
            for (name, rounds) in [("one", rounds), ("other", &[6, 9, 7, 8])] {
                let cell = record_of(rounds).cell("mix", "one").cloned();
                *record.cell_mut("mix", name) = cell.unwrap();
            }
            record
        };
        let mut before = both(&[6, 9, 14, 8]);
        before.judged_after = vec![4];
        let mut after = both(&[6, 9, 14, 8, 7, 9]);
        after.judged_after = vec![4, 6];
        assert_eq!(p99(&before), p99(&after));
    }

    #[test]
    fn each_further_judgement_needs_a_wider_interval() {
        let mut record = record_of(&[6, 9, 7, 8, 9, 7]);
        let width = |record: &Record| {
            let advice = Advice::of(record, &record.scenarios[0], SLO);
            advice.places[0].p99.as_ref().unwrap().half_width()
        };
        let once = width(&record);
        record.judged_after = vec![6];
        assert_eq!(width(&record), once);
        record.judged_after = vec![4, 6];
        assert!(width(&record) > once);
        // The third judgement was of others, after more rounds.
        let twice = width(&record);
        record.judged_after = vec![4, 6, 9];
        assert_eq!(width(&record), twice);
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
        assert_eq!(ratings, [Rating::Unknown, Rating::FallsOver]);
    }
}
