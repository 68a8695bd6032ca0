//! The advice in sentences, for all forms of output.

use crate::analysis::advice::rating::Rating;
use crate::analysis::advice::{Advice, Place};
use crate::analysis::units;

/// A verdict, and the contestants that it is given to.
pub(crate) type Group<'a> = (&'static str, Vec<&'a str>);

/// Returns the contestants by verdict: those that meet the limit first. Every
/// verdict is listed, even if no contestant has it.
pub(crate) fn groups<'a>(advice: &Advice<'a>) -> [Group<'a>; 3] {
    let has_slo = advice.slo.is_some();
    [Rating::Meets, Rating::Undecided, Rating::FallsOver].map(|rating| {
        let verdict = rating.verdict(has_slo);
        let places = advice.places.iter();
        let names = places
            .filter(|place| place.rating.verdict(has_slo) == verdict)
            .map(|place| place.contestant.name.as_str());
        (verdict, names.collect())
    })
}

/// Returns the limit, in a sentence.
pub(crate) fn limit(advice: &Advice<'_>) -> String {
    let of = &advice.scenario.measured_group;
    match advice.slo {
        Some(slo) => format!(
            "Limit: 99 of 100 {of} requests are answered within {} of the time \
             each was due.",
            units::limit(slo)
        ),
        None => "No limit: --slo TIME sets one.".to_owned(),
    }
}

/// Returns the advice: how many contestants have which verdict, and which of
/// those that meet the limit cost least.
pub(crate) fn advice(advice: &Advice<'_>) -> Vec<String> {
    let [(_, meet), (_, undecided), (_, miss)] = groups(advice);
    // The verbs for one contestant and for several.
    let [meets, misses] = match advice.slo {
        Some(_) => [["meets", "meet"], ["misses", "miss"]],
        None => [["keeps up", "keep up"], ["falls over", "fall over"]],
    };
    let object = advice.slo.map_or("", |_| " the limit");
    let verb = |[one, several]: [&'static str; 2], count| match count {
        1 => one,
        _ => several,
    };
    let first = match meet.as_slice() {
        [] => format!("No contestant is shown to {}{object}.", meets[1]),
        names => format!(
            "{} of {} contestants {}{object}: {}.",
            names.len(),
            advice.places.len(),
            verb(meets, names.len()),
            names.join(", ")
        ),
    };
    let mut lines = vec![first];
    lines.extend(cheapest(advice));
    if !undecided.is_empty() {
        lines.push(format!("Undecided: {}.", undecided.join(", ")));
    }
    if !miss.is_empty() {
        let count = miss.len();
        let verb = verb(misses, count);
        lines.push(format!("{count} {verb}{object}: {}.", miss.join(", ")));
    }
    lines
}

/// Returns which of several contestants that meet the limit cost least, or that
/// this is undecided.
fn cheapest(advice: &Advice<'_>) -> Option<String> {
    let standing = &advice.standing;
    if standing.relations.is_empty() {
        return None;
    }
    let what = match advice.slo {
        Some(_) => "lowest cost",
        None => "lowest p99",
    };
    let Some(best) = standing.best else {
        let possible = standing.possible_best.join(", ");
        return Some(format!("The {what} is undecided between {possible}."));
    };
    let equal: Vec<&str> = standing
        .possible_best
        .iter()
        .filter(|name| **name != best)
        .copied()
        .collect();
    let margin = advice.findings.margin() * 100.0;
    Some(match equal.as_slice() {
        [] => format!("The {what} is that of {best}."),
        names => format!(
            "The {what} is that of {best}; equal within {margin} %: {}.",
            names.join(", ")
        ),
    })
}

/// Returns the verdict on a contestant with its reason, unless it meets the
/// limit.
pub(crate) fn reason(advice: &Advice<'_>, place: &Place<'_>) -> Option<String> {
    let why = place.why.as_ref()?;
    let verdict = place.rating.verdict(advice.slo.is_some());
    Some(format!("{verdict}: {why}"))
}

/// Returns how the verdicts follow from the figures.
pub(crate) fn method(advice: &Advice<'_>) -> Vec<String> {
    let of = &advice.scenario.measured_group;
    let mut lines = vec![format!(
        "p99 and p50 are response times of the {of} requests, from when each \
         was due; cost is the server's CPU time per reply, over the whole mix."
    )];
    if advice.slo.is_some() {
        lines.push(
            "A contestant meets the limit if the whole 95 % interval of its \
             p99 lies below it, and misses it if the whole interval lies \
             above it or if it leaves requests unanswered."
                .to_owned(),
        );
    }
    if let [first, more @ ..] = advice.record.judged_after.as_slice()
        && let Some(last) = more.last()
    {
        lines.push(format!(
            "Contestants that were undecided after {first} rounds have up to \
             {last}; each further judgement needs a wider interval."
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::findings::{Findings, Relation, Standing};
    use crate::analysis::statistics::Estimate;
    use crate::model::figure::Figure;
    use crate::output::made_up;

    #[test]
    fn the_cheapest_is_named_only_if_that_is_decided() {
        let record = made_up::record();
        let scenario = &record.scenarios[0];
        let times = Estimate { value: 1.2, low: 1.1, high: 1.3 };
        let differs = Relation::Differs { times, is_small: false };
        let equal = Relation::Equal { times };
        let undecided = Relation::Undecided { times, more_rounds: None };
        let cases = [
            (vec![], None),
            (
                vec![("b", differs.clone())],
                Some("The lowest cost is that of a."),
            ),
            (
                vec![("b", equal), ("c", differs.clone())],
                Some("The lowest cost is that of a; equal within 3 %: b."),
            ),
            (
                vec![("b", undecided), ("c", differs)],
                Some("The lowest cost is undecided between a, b."),
            ),
        ];
        for (relations, expected) in cases {
            let advice = Advice {
                record: &record,
                scenario,
                slo: Some(std::time::Duration::from_millis(1)),
                findings: Findings::of(&record),
                places: Vec::new(),
                standing: Standing::of("a", relations, Figure::Cost),
            };
            assert_eq!(cheapest(&advice).as_deref(), expected);
        }
    }
}
