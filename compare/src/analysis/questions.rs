//! What a run was asked: its scenarios, each with all its values together, in
//! the order in which a newcomer would ask.

use crate::analysis::units;
use crate::model::figure::Figure;
use crate::model::record::Record;
use crate::model::scenarios::{ClientGroup, Parameter, Scenario};

/// The order in which a newcomer would ask; others follow.
const READING_ORDER: [&str; 12] = [
    "perf1",
    "perf1-crowd",
    "perf2",
    "perf2-crowd",
    "interference",
    "longer",
    "one-core",
    "ladder",
    "idle",
    "churn",
    "pipeline",
    "load-curve",
];

/// A question, and the scenarios that put it: one, or one for each value of
/// what varies.
pub(crate) struct Question<'a> {
    /// The scenario's name, whatever value of its sweep it is.
    pub(crate) name: &'a str,
    /// In the order of their values.
    pub(crate) points: Vec<&'a Scenario>,
}

/// What was asked, in reading order. Scenarios that are only there for another
/// to be held against ask nothing.
pub(crate) fn of(record: &Record) -> Vec<Question<'_>> {
    let mut questions: Vec<Question<'_>> = Vec::new();
    for scenario in &record.scenarios {
        if scenario.figures.is_empty() {
            continue;
        }
        let name = scenario.base();
        match questions.iter_mut().find(|other| other.name == name) {
            Some(question) => question.points.push(scenario),
            None => {
                questions.push(Question { name, points: vec![scenario] });
            }
        }
    }
    questions.sort_by_key(|question| reading_position(question.name));
    questions
}

/// Where a scenario stands in the reading order; others follow.
pub(crate) fn reading_position(name: &str) -> usize {
    let place = READING_ORDER.iter().position(|other| *other == name);
    place.unwrap_or(READING_ORDER.len())
}

impl<'a> Question<'a> {
    /// The scenario that stands for all of them in what they share.
    pub(crate) fn first(&self) -> &'a Scenario {
        self.points[0]
    }

    /// Whether anything varies in what was measured.
    pub(crate) fn is_sweep(&self) -> bool {
        self.points.len() > 1
    }

    /// What varies, and in which group. A record keeps the values alone, but
    /// they stand in the groups too.
    pub(crate) fn varies(&self) -> Option<(Parameter, &'a str)> {
        let groups = self.points.iter().flat_map(|point| &point.groups);
        let mut names: Vec<&str> = groups.map(|g| g.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            for knob in KNOBS {
                let turned = self.points.iter().all(|point| {
                    let group = point.groups.iter().find(|g| g.name == name);
                    let value = point.point.as_ref().map(|p| p.value);
                    setting(group, knob) == value
                });
                if turned && self.is_sweep() {
                    return Some((knob, name));
                }
            }
        }
        None
    }

    /// What one point is called, as `4 long clients`.
    pub(crate) fn point_name(&self, point: &Scenario) -> String {
        let value = value_of(point);
        match self.varies() {
            Some((Parameter::Load, _)) => {
                format!("{} % of capacity", (value * 100.0).round())
            }
            Some((Parameter::Connections, group)) => {
                let plural = if value == 1.0 { "" } else { "s" };
                let group = self.group_word(group);
                format!("{} {group}client{plural}", short(value))
            }
            Some((Parameter::Depth, _)) => {
                format!("{} in flight", short(value))
            }
            Some((Parameter::Rate, _)) => format!("{} /s", short(value)),
            Some((Parameter::N, _)) => format!("n = {}", short(value)),
            Some((Parameter::Cost, _)) => format!("{} ms each", short(value)),
            None => point.name.clone(),
        }
    }

    /// What varies, in words.
    pub(crate) fn knob_name(&self) -> String {
        match self.varies() {
            Some((Parameter::Load, _)) => {
                "offered load, share of capacity".into()
            }
            Some((Parameter::Connections, group)) => {
                format!("{}clients", self.group_word(group))
            }
            Some((Parameter::Depth, _)) => {
                "requests in flight per client".into()
            }
            Some((Parameter::Rate, _)) => "requests a second".into(),
            Some((Parameter::N, _)) => "n".into(),
            Some((Parameter::Cost, group)) => {
                format!("{}request's cost, in ms", self.group_word(group))
            }
            None => String::new(),
        }
    }

    /// One value of what varies, without saying of what.
    pub(crate) fn value_text(&self, point: &Scenario) -> String {
        let value = value_of(point);
        match self.varies() {
            Some((Parameter::Load, _)) => {
                format!("{} %", (value * 100.0).round())
            }
            Some((
                Parameter::Connections
                | Parameter::Depth
                | Parameter::N
                | Parameter::Cost
                | Parameter::Rate,
                _,
            ))
            | None => short(value),
        }
    }

    /// The name of a group where another one is measured; where there is only
    /// one, nobody needs it.
    fn group_word(&self, group: &str) -> String {
        if self.first().measured_group == group {
            String::new()
        } else {
            format!("{group} ")
        }
    }

    /// The point whose sentence stands for all: of what is left, the first
    /// with anybody to be disturbed by, and else the last, where those who are
    /// compared are furthest apart.
    pub(crate) fn main_point(&self) -> &'a Scenario {
        let points = &self.points;
        let first = self.first();
        if first.figures.first() == Some(&Figure::Left) {
            let disturbed = points.iter().find(|point| value_of(point) > 0.0);
            return disturbed.copied().unwrap_or(first);
        }
        // Past its capacity, a server is compared with nobody's.
        let is_load = matches!(self.varies(), Some((Parameter::Load, _)));
        let within = points.iter().rev().find(|point| value_of(point) < 0.9);
        let last = points.last().copied().unwrap_or(first);
        if is_load { within.copied().unwrap_or(last) } else { last }
    }
}

const KNOBS: [Parameter; 6] = [
    Parameter::Connections,
    Parameter::Depth,
    Parameter::N,
    Parameter::Cost,
    Parameter::Rate,
    Parameter::Load,
];

/// Where a knob stands.
fn setting(group: Option<&ClientGroup>, knob: Parameter) -> Option<f64> {
    match knob {
        // Without clients, there is no group.
        Parameter::Connections => {
            Some(group.map_or(0.0, |group| group.connections as f64))
        }
        Parameter::Depth => group?.depth.map(|depth| depth as f64),
        Parameter::N => group?.n.map(f64::from),
        Parameter::Cost => group?.cost.map(|cost| cost.as_secs_f64() * 1e3),
        Parameter::Rate => group?.rate,
        Parameter::Load => group?.load,
    }
}

/// The value of what varies.
pub(crate) fn value_of(point: &Scenario) -> f64 {
    point.point.as_ref().map_or(0.0, |point| point.value)
}

/// A number without digits that say nothing.
fn short(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() >= 1000.0 {
        units::number(value)
    } else {
        value.to_string()
    }
}
