//! The sentences above the table: one per scenario, which answers its question
//! with the contestants grouped by outcome.

use std::collections::BTreeMap;

use crate::analysis::findings::{Relation, Standing};
use crate::analysis::questions::Question;
use crate::analysis::statistics::Estimate;
use crate::analysis::units;
use crate::model::figure::Figure;
use crate::model::scenarios::Scenario;
use crate::output::column_unit::ColumnUnit;
use crate::output::relations;
use crate::output::sheet::Sheet;
use crate::output::titles;

/// The share of a rate below which next to nothing is left of it.
const NOTHING: f64 = 0.05;

/// The share of a rate above which nearly all of it is left.
const NEARLY_ALL: f64 = 0.9;

/// The ratio of two neighbouring values from which they are listed apart.
const GAP: f64 = 1.25;

/// The ratio below which its exact value doesn't matter.
const SMALL: f64 = 0.01;

/// Half of a relative interval above which a share is too variable to compare.
const WIDE: f64 = 0.25;

/// The number of undecided contestants up to which all of them are named.
const NAMED_MAX: usize = 4;

/// The reason why a time can't be compared.
const STARVED: &str = "open, because some clients got no reply";

/// The reason why a time can't be compared with the others.
const ANOTHER_N: &str = "open, because n differs";

/// Returns one sentence per question; for a sweep, at its most informative
/// value.
pub(crate) fn answers(sheet: &Sheet<'_>) -> Vec<String> {
    let questions = sheet.questions();
    let points = questions.iter().map(Question::main_point);
    points
        .filter_map(|point| {
            let (figure, answer) = answer(sheet, point)?;
            let title = titles::long(point);
            let figure = match figure {
                // Its unit makes it clear.
                Figure::Time => String::new(),
                _ => format!(", {}", titles::in_words(figure)),
            };
            Some(format!("{title}{figure}: {answer}."))
        })
        .collect()
}

/// Returns the answer to the question of a scenario, and the figure that it is
/// about: the first one that was measured.
pub(crate) fn answer(
    sheet: &Sheet<'_>,
    scenario: &Scenario,
) -> Option<(Figure, String)> {
    let figures = &scenario.figures;
    // The server's cost is unknown if it ran on another machine.
    let found = figures.iter().find_map(|&figure| {
        let found = sheet.findings.ranked(scenario, figure);
        (!found.is_empty()).then_some((figure, found))
    });
    let Some((figure, found)) = found else {
        return Some((*figures.first()?, "no figures".to_owned()));
    };
    let answer = match figure {
        Figure::Left => {
            let shown = found.iter().map(|(name, estimate)| {
                let shown = sheet.estimate(scenario, name, figure);
                (*name, shown.unwrap_or(*estimate))
            });
            let shown: Vec<(&str, Estimate)> = shown.collect();
            shares(&shown) + &left_out(sheet, scenario, figure)
        }
        _ => comparison(sheet, scenario, figure, &found),
    };
    Some((figure, answer))
}

/// Describes how the contestants compare with the best one, in the form
/// `5.43 µs with a, equal within 3 % with b; c 1.20 times [1.10, 1.30];
/// undecided: d (about 4 more rounds)`.
fn comparison(
    sheet: &Sheet<'_>,
    scenario: &Scenario,
    figure: Figure,
    found: &[(&str, Estimate)],
) -> String {
    let Some(standing) = sheet.standing(scenario, figure) else {
        return range(figure, found);
    };
    let of = |name: &str| found.iter().find(|(other, _)| *other == name);
    let margin = sheet.findings.margin() * 100.0;
    let (mut text, rest) = match standing.best.and_then(of) {
        Some((best, estimate)) => {
            let is_bound = sheet.is_lower_bound(scenario, best, figure);
            let bound = if is_bound { "at least " } else { "" };
            let value = units::value(figure, estimate);
            let head = format!("{bound}{value} with {best}");
            decided(&head, margin, standing)
        }
        None => undecided(figure, found, margin, standing),
    };
    text += &others(&rest);
    text += &left_out(sheet, scenario, figure);
    text
}

/// Lists the contestants that aren't compared, with the reasons.
fn left_out(sheet: &Sheet<'_>, scenario: &Scenario, figure: Figure) -> String {
    let reason = |name: &str| {
        let cell = sheet.record.cell(&scenario.name, name)?;
        if cell.void.is_some() {
            return Some("void");
        }
        if sheet.findings.starved(scenario, name, figure).is_some() {
            return Some(STARVED);
        }
        sheet.estimate(scenario, name, figure)?;
        let is_other = sheet.findings.computes_another_n(scenario, name);
        is_other.then_some(ANOTHER_N)
    };
    let mut by_reason: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for contestant in sheet.record.contestants() {
        if let Some(reason) = reason(&contestant.name) {
            by_reason.entry(reason).or_default().push(&contestant.name);
        }
    }
    let texts = by_reason
        .into_iter()
        .map(|(reason, names)| format!("; {reason}: {}", list(&names)));
    texts.collect()
}

/// The contestants that remain to be described, each compared with the leader.
type Rest<'b> = Vec<&'b (&'b str, Relation)>;

/// Returns the text on a best contestant and those that equal it, and the
/// others.
fn decided<'b>(
    head: &str,
    margin: f64,
    standing: &'b Standing<'_>,
) -> (String, Rest<'b>) {
    let (equal, rest): (Rest<'_>, Rest<'_>) =
        standing.relations.iter().partition(|(_, relation)| {
            matches!(
                relation,
                Relation::Equal { .. }
                    | Relation::Differs { is_small: true, .. }
            )
        });
    let equal: Vec<&str> = equal.iter().map(|(name, _)| *name).collect();
    let text = if equal.is_empty() {
        head.to_owned()
    } else if rest.is_empty() && equal.len() > 1 {
        format!("{head}, equal within {margin} % with all {}", equal.len())
    } else {
        format!("{head}, equal within {margin} % with {}", list(&equal))
    };
    (text, rest)
}

/// Returns the text on the contestants that may all be the best, and the
/// others.
fn undecided<'b>(
    figure: Figure,
    found: &[(&str, Estimate)],
    margin: f64,
    standing: &'b Standing<'_>,
) -> (String, Rest<'b>) {
    let possible = &standing.possible_best;
    let (among, rest): (Rest<'_>, Rest<'_>) = standing
        .relations
        .iter()
        .partition(|(name, _)| possible.contains(name));
    let is_possible = |(name, _): &&(&str, Estimate)| possible.contains(name);
    let candidates: Vec<(&str, Estimate)> =
        found.iter().filter(is_possible).copied().collect();
    let names: Vec<&str> = candidates.iter().map(|(name, _)| *name).collect();
    if names.len() < 2 || standing.relations.is_empty() {
        return (range(figure, found), rest);
    }
    let (equal, open): (Rest<'_>, Rest<'_>) =
        among.into_iter().partition(|(_, relation)| relation.is_equal());
    let more = more_rounds(open.iter().map(|(_, relation)| relation));
    let equal = equal.iter().map(|(name, _)| *name);
    // One that is worse turn by turn may have the best figure over the run.
    let leader = standing.leader.filter(|name| possible.contains(name));
    let equal: Vec<&str> = leader.into_iter().chain(equal).collect();
    let open: Vec<&str> = open.iter().map(|(name, _)| *name).collect();
    let outcome = match (equal.len(), names.len()) {
        (0 | 1, 2) => ", undecided which is better".to_owned(),
        (0 | 1, _) => ", undecided which is best".to_owned(),
        _ if leader.is_none() => ", undecided which is best".to_owned(),
        _ => {
            let [equal, open] = [equal, open].map(|names| few(&names));
            format!("; {equal} equal within {margin} %, {open} undecided")
        }
    };
    let names = if rest.is_empty() && names.len() > NAMED_MAX {
        format!("all {}", names.len())
    } else {
        list(&names)
    };
    let range = range(figure, &candidates);
    (format!("{range} with {names}{outcome}{more}"), rest)
}

/// Describes contestants that aren't equal to the leader.
fn others(rest: &[&(&str, Relation)]) -> String {
    let mut text = String::new();
    let differing: Vec<(&str, Estimate)> = rest
        .iter()
        .filter_map(|(name, relation)| match relation {
            Relation::Differs { times, .. } => Some((*name, *times)),
            Relation::Equal { .. }
            | Relation::Undecided { .. }
            | Relation::Open(_) => None,
        })
        .collect();
    for group in overlapping(&differing) {
        let names: Vec<&str> = group.iter().map(|(name, _)| *name).collect();
        text += &format!("; {} {}", list(&names), times(group));
    }
    let is_undecided =
        |one: &&&(&str, Relation)| matches!(one.1, Relation::Undecided { .. });
    let undecided: Vec<_> = rest.iter().filter(is_undecided).collect();
    if !undecided.is_empty() {
        let names: Vec<&str> =
            undecided.iter().map(|(name, _)| *name).collect();
        let more = more_rounds(undecided.iter().map(|(_, relation)| relation));
        text += &format!("; undecided: {}{more}", list(&names));
    }
    let mut open: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, relation) in rest {
        if let Relation::Open(why) = relation {
            open.entry(why).or_default().push(name);
        }
    }
    for (why, names) in open {
        text += &format!("; open ({why}): {}", list(&names));
    }
    text
}

/// Returns how many more rounds would decide all of these, in parentheses, if
/// that is known.
fn more_rounds<'b>(relations: impl Iterator<Item = &'b Relation>) -> String {
    let most = relations::most_rounds(relations);
    let text = most.map(|most| format!(" ({})", units::more_rounds(most)));
    text.unwrap_or_default()
}

/// Splits ratios, which are sorted, into groups whose intervals overlap.
fn overlapping<'b, 'a>(
    sorted: &'b [(&'a str, Estimate)],
) -> impl Iterator<Item = &'b [(&'a str, Estimate)]> {
    sorted.chunk_by(|(_, one), (_, other)| {
        one.low <= other.high && other.low <= one.high
    })
}

/// Describes ratios, in the form `1.20 times [1.10, 1.30]` or
/// `1.20 to 1.40 times [1.10, 1.50]`.
fn times(group: &[(&str, Estimate)]) -> String {
    let ends = |of: fn(&Estimate) -> f64| {
        let values = group.iter().map(|(_, times)| of(times));
        let least = values.clone().fold(f64::INFINITY, f64::min);
        [least, values.fold(f64::NEG_INFINITY, f64::max)].map(units::ratio)
    };
    let [least, most] = ends(|times| times.value);
    let [low, _] = ends(|times| times.low);
    let [_, high] = ends(|times| times.high);
    if group.iter().all(|(_, times)| times.high < SMALL) {
        return format!("under {SMALL} times");
    }
    let value =
        if least == most { least } else { format!("{least} to {most}") };
    format!("{value} times [{low}, {high}]")
}

/// Lists shares in the form `nearly all (98.0 %) with a; 32.1 to 40.2 % with b,
/// c; 50 to 90.2 %, too variable to compare, with d, e; next to nothing with f`.
fn shares(found: &[(&str, Estimate)]) -> String {
    let names = |part: &[(&str, Estimate)]| {
        list(&part.iter().map(|(name, _)| *name).collect::<Vec<_>>())
    };
    let (nothing, rest): (Vec<_>, Vec<_>) =
        found.iter().copied().partition(|(_, share)| share.high < NOTHING);
    let (wide, rest): (Vec<_>, Vec<_>) =
        rest.into_iter().partition(|(_, share)| share.half_width() > WIDE);
    let (all, some): (Vec<_>, Vec<_>) =
        rest.into_iter().partition(|(_, share)| share.value >= NEARLY_ALL);
    let mut parts = Vec::new();
    if !all.is_empty() {
        let range = range(Figure::Left, &all);
        parts.push(format!("nearly all ({range}) with {}", names(&all)));
    }
    for group in clusters(&some) {
        let range = range(Figure::Left, group);
        parts.push(format!("{range} with {}", names(group)));
    }
    if !wide.is_empty() {
        let range = range(Figure::Left, &wide);
        let names = names(&wide);
        parts.push(format!("{range}, too variable to compare, with {names}"));
    }
    if !nothing.is_empty() {
        parts.push(format!("next to nothing with {}", names(&nothing)));
    }
    parts.join("; ")
}

/// Splits values, which are sorted, where one is much larger than the next.
fn clusters<'b, 'a>(
    sorted: &'b [(&'a str, Estimate)],
) -> impl Iterator<Item = &'b [(&'a str, Estimate)]> {
    sorted.chunk_by(|(_, one), (_, other)| {
        let [one, other] = [one.value, other.value];
        one.max(other) <= one.min(other) * GAP
    })
}

/// Returns the smallest and the largest of some values in one unit, such as
/// `5.43 to 5.60 µs`.
fn range(figure: Figure, found: &[(&str, Estimate)]) -> String {
    let values: Vec<f64> = found.iter().map(|(_, one)| one.value).collect();
    let unit = ColumnUnit::of(figure.unit(), &values);
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let [least, most] = [least, most].map(|value| unit.text(value));
    let range =
        if least == most { least } else { format!("{least} to {most}") };
    format!("{range} {}", unit.symbol).trim_end().to_owned()
}

/// Lists names, or counts them if they are many.
fn few(names: &[&str]) -> String {
    match names.len() {
        ..=NAMED_MAX => list(names),
        many => many.to_string(),
    }
}

/// Lists names, in the form `a, b and c`.
fn list(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [others @ .., last] => format!("{} and {last}", others.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate(value: f64, half: f64) -> Estimate {
        let low = value / (1.0 + half);
        Estimate { value, low, high: value * (1.0 + half) }
    }

    #[test]
    fn where_no_best_is_decided_the_values_come_first() {
        let times = estimate(1.0, 0.04);
        let equal = || Relation::Equal { times };
        let unknown = |more_rounds| Relation::Undecided { times, more_rounds };
        let differs =
            || Relation::Differs { times: estimate(1.5, 0.1), is_small: false };
        let undecided_between_all_of_five =
            ["b", "c", "d", "e"].map(|name| (name, unknown(Some(7)))).to_vec();
        let cases = [
            (
                vec![("b", unknown(Some(62))), ("c", differs())],
                "5.00 to 5.01 µs with a and b, undecided which is better \
                 (about 62 more rounds)",
            ),
            (
                vec![("b", unknown(Some(7))), ("c", unknown(None))],
                "5.00 to 5.02 µs with a, b and c, undecided which is best",
            ),
            (
                vec![("b", equal()), ("c", unknown(Some(7)))],
                "5.00 to 5.02 µs with a, b and c; a and b equal within 3 %, c \
                 undecided (about 7 more rounds)",
            ),
            (
                undecided_between_all_of_five,
                "5.00 to 5.04 µs with all 5, undecided which is best (about 7 \
                 more rounds)",
            ),
        ];
        for (relations, expected) in cases {
            let names = ["a"].into_iter().chain(relations.iter().map(|r| r.0));
            let values = (0..).map(|step| 5_000.0 + 10.0 * f64::from(step));
            let found: Vec<(&str, Estimate)> =
                names.zip(values.map(|value| estimate(value, 0.1))).collect();
            let standing = Standing::of("a", relations, Figure::Cost);
            let (text, _) = undecided(Figure::Cost, &found, 3.0, &standing);
            assert_eq!(text, expected);
        }
    }

    #[test]
    fn a_share_with_a_wide_interval_is_not_compared() {
        let found = [
            ("a", estimate(0.97, 0.1)),
            ("b", estimate(0.9, 0.9)),
            ("c", estimate(0.4, 0.1)),
            ("d", estimate(0.3, 0.6)),
            ("e", estimate(0.0002, 0.6)),
        ];
        let expected = "nearly all (97.0 %) with a; 40.0 % with c; 30.0 to \
                        90.0 %, too variable to compare, with b and d; next \
                        to nothing with e";
        assert_eq!(shares(&found), expected);
    }
}
