//! The summary under the table: one sentence per scenario that answers its
//! question.

use std::collections::BTreeMap;

use crate::analysis::findings::{Findings, Relation};
use crate::analysis::questions::{self, Question};
use crate::analysis::statistics::Estimate;
use crate::analysis::units;
use crate::model::figure::Figure;
use crate::model::record::Record;
use crate::model::scenarios::Scenario;

/// The share of a rate below which it counts as close to zero.
const CLOSE_TO_ZERO: f64 = 0.05;

/// The reason why a time can't be compared.
const STARVED: &str = "some of its clients got no reply";

/// Returns one sentence per question; for a sweep, at its most informative
/// value.
pub(crate) fn answers(record: &Record) -> Vec<String> {
    let questions = questions::of(record);
    let points = questions.iter().map(Question::main_point);
    points.filter_map(|point| answer(record, point)).collect()
}

/// Returns the sentence for one scenario, if it has figures.
pub(crate) fn answer(record: &Record, scenario: &Scenario) -> Option<String> {
    let findings = Findings::of(record);
    // The server's cost is unknown if it ran on another machine.
    let is_known =
        |figure: &&Figure| !findings.ranked(scenario, **figure).is_empty();
    let mut figures = scenario.figures.iter();
    let figure = figures.find(is_known).or(scenario.figures.first())?;
    let figure = *figure;
    let found = findings.ranked(scenario, figure);
    let question = format!("{}: {}", scenario.name, scenario.question);
    let Some(&(best, estimate)) = found.first() else {
        return Some(format!("{question} No figures."));
    };
    if figure == Figure::Left {
        return Some(format!("{question} {}", shares(&found)));
    }
    let others = found[1..].iter().filter_map(|&(other, _)| {
        let relation = findings.relation(scenario, other, best, figure)?;
        Some((other, relation))
    });
    let names = record.contestants().map(|c| c.name.as_str());
    let starved =
        names.filter(|n| findings.starved(scenario, n, figure).is_some());
    let starved = starved.map(|name| (name, Relation::Open(STARVED)));
    let names = record.contestants().map(|c| c.name.as_str());
    let others_n = names.filter_map(|name| {
        let relation = findings.relation(scenario, name, best, figure)?;
        findings.computes_another_n(scenario, name).then_some((name, relation))
    });
    let others = others.chain(starved).chain(others_n);
    let others = compare(&others.collect::<Vec<_>>());
    let median = units::median(figure, &estimate);
    let bound = if findings.is_lower_bound(scenario, best, figure) {
        "at least "
    } else {
        ""
    };
    Some(format!("{question} {bound}{median} with {best}{others}."))
}

/// Compares the others with the best, in the form
/// `; equal: a, b; c 1.20 [1.10, 1.30] times that; undecided: d`.
fn compare(others: &[(&str, Relation)]) -> String {
    let named = |is_one: fn(&Relation) -> bool| -> Vec<&str> {
        let named = others.iter().filter(|(_, relation)| is_one(relation));
        named.map(|(name, _)| *name).collect()
    };
    let equal = named(Relation::is_equal);
    let undecided = named(|r| matches!(r, Relation::Undecided { .. }));
    let apart: Vec<String> = others
        .iter()
        .filter(|(_, relation)| relation.is_different())
        .filter_map(|(name, relation)| {
            let Estimate { value, low, high } = relation.times()?;
            Some(format!("{name} {value:.2} [{low:.2}, {high:.2}] times that"))
        })
        .collect();
    let mut open: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, relation) in others {
        if let Relation::Open(why) = relation {
            open.entry(why).or_default().push(name);
        }
    }
    let mut text = String::new();
    if !equal.is_empty() {
        text += &format!("; equal: {}", equal.join(", "));
    }
    if !apart.is_empty() {
        text += &format!("; {}", apart.join(", "));
    }
    if !undecided.is_empty() {
        text += &format!("; undecided: {}", undecided.join(", "));
    }
    for (why, names) in open {
        text += &format!("; open ({why}): {}", names.join(", "));
    }
    text
}

/// Lists shares in the form `98 % with a, 95 % with b; close to zero: c.`
fn shares(found: &[(&str, Estimate)]) -> String {
    let (most, least): (Vec<_>, Vec<_>) =
        found.iter().partition(|(_, estimate)| estimate.value >= CLOSE_TO_ZERO);
    let list = |part: &[(&str, Estimate)]| {
        let shares = part.iter().map(|(name, estimate)| {
            let median = units::median(Figure::Left, estimate);
            let interval = units::interval(Figure::Left, estimate);
            format!("{median} [{interval}] with {name}")
        });
        shares.collect::<Vec<_>>().join(", ")
    };
    if most.is_empty() {
        format!("Close to zero: {}.", list(&least))
    } else if least.is_empty() {
        format!("{}.", list(&most))
    } else {
        format!("{}; close to zero: {}.", list(&most), list(&least))
    }
}
