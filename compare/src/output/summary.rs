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
            let figure = titles::in_words(figure);
            Some(format!("{title}, {figure}: {answer}."))
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
        Figure::Left => shares(&found) + &left_out(sheet, scenario, figure),
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
    if names.len() < 2 {
        return (range(figure, found), rest);
    }
    let mut details = vec![range(figure, &candidates)];
    details.extend(more_rounds(among.iter().map(|(_, relation)| relation)));
    let equal = among.iter().filter(|(_, relation)| relation.is_equal());
    let equal = equal.map(|(name, _)| *name);
    let equal: Vec<&str> = standing.leader.into_iter().chain(equal).collect();
    if equal.len() > 1 {
        details.push(format!("{} are equal within {margin} %", list(&equal)));
    }
    let details = details.join("; ");
    let names = if names.len() > NAMED_MAX && rest.is_empty() {
        format!("all {}", names.len())
    } else {
        list(&names)
    };
    (format!("undecided between {names} ({details})"), rest)
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
        let more = more.map(|more| format!(" ({more})")).unwrap_or_default();
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

/// Returns how many more rounds would decide all of these, if that is known.
fn more_rounds<'b>(
    relations: impl Iterator<Item = &'b Relation>,
) -> Option<String> {
    let rounds = relations.filter_map(|relation| match relation {
        Relation::Undecided { more_rounds, .. } => *more_rounds,
        Relation::Differs { .. }
        | Relation::Equal { .. }
        | Relation::Open(_) => None,
    });
    rounds.max().map(units::more_rounds)
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

/// Lists shares in the form `nearly all with a (98.0 %); 32.1 to 40.2 % with b,
/// c; next to nothing with d`.
fn shares(found: &[(&str, Estimate)]) -> String {
    let names = |part: &[(&str, Estimate)]| {
        list(&part.iter().map(|(name, _)| *name).collect::<Vec<_>>())
    };
    let (nothing, rest): (Vec<_>, Vec<_>) =
        found.iter().copied().partition(|(_, share)| share.high < NOTHING);
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

/// Lists names, in the form `a, b and c`.
fn list(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [others @ .., last] => format!("{} and {last}", others.join(", ")),
    }
}
