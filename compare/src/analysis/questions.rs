//! The questions of a run: its scenarios in reading order, with all values of a
//! sweep together.

use crate::analysis::units;
use crate::model::figure::Figure;
use crate::model::record::Record;
use crate::model::scenarios::{ClientGroup, Parameter, Scenario};

/// The scenarios in reading order. Scenarios that aren't listed come last.
const READING_ORDER: [&str; 13] = [
    "perf1",
    "perf1-crowd",
    "perf2",
    "perf2-crowd",
    "interference",
    "longer",
    "workers",
    "one-core",
    "ladder",
    "idle",
    "churn",
    "pipeline",
    "load-curve",
];

/// A question, and its scenario, or one scenario per value of its sweep.
pub(crate) struct Question<'a> {
    /// The scenario's name, without the value of a sweep.
    pub(crate) name: &'a str,
    /// The scenarios, in the order of their values.
    pub(crate) points: Vec<&'a Scenario>,
}

/// Returns the questions of a run, in reading order. Scenarios without figures
/// ask nothing: they are measured only because others are compared with them.
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

/// Returns the position of a scenario in the reading order.
pub(crate) fn reading_position(name: &str) -> usize {
    let place = READING_ORDER.iter().position(|other| *other == name);
    place.unwrap_or(READING_ORDER.len())
}

impl<'a> Question<'a> {
    /// Returns the first scenario, for what all of them have in common.
    pub(crate) fn first(&self) -> &'a Scenario {
        let shows = |point: &&&Scenario| !point.figures.is_empty();
        self.points.iter().find(shows).unwrap_or(&self.points[0])
    }

    /// Returns `true` if more than one value was measured.
    pub(crate) fn is_sweep(&self) -> bool {
        self.points.len() > 1
    }

    /// Returns the parameter that varies, and its client group (empty for a
    /// parameter of the servers). A record
    /// contains only the values of a sweep, so this finds the parameter that
    /// has these values.
    pub(crate) fn varies(&self) -> Option<(Parameter, &'a str)> {
        let has_workers = self.points.iter().all(|scenario| {
            let value = scenario.point.as_ref().map(|point| point.value);
            scenario.workers.is_some_and(|n| value == Some(n as f64))
        });
        if has_workers && self.is_sweep() {
            return Some((Parameter::Workers, ""));
        }
        let groups = self.points.iter().flat_map(|point| &point.groups);
        let mut names: Vec<&str> = groups.map(|g| g.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            for parameter in PARAMETERS {
                let matches = self.points.iter().all(|point| {
                    let group = point.groups.iter().find(|g| g.name == name);
                    let value = point.point.as_ref().map(|p| p.value);
                    setting(group, parameter) == value
                });
                if matches && self.is_sweep() {
                    return Some((parameter, name));
                }
            }
        }
        None
    }

    /// Returns the name of one point, such as `4 long clients`.
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
            Some((Parameter::Workers, _)) => {
                let plural = if value == 1.0 { "" } else { "s" };
                format!("{} worker{plural}", short(value))
            }
            Some((Parameter::Rate, _)) => format!("{} /s", short(value)),
            Some((Parameter::N, _)) => format!("n = {}", short(value)),
            Some((Parameter::Cost, _)) => format!("{} ms each", short(value)),
            None => point.name.clone(),
        }
    }

    /// Returns the name of the parameter that varies.
    pub(crate) fn parameter_name(&self) -> String {
        match self.varies() {
            Some((Parameter::Load, _)) => {
                "offered load (share of capacity)".into()
            }
            Some((Parameter::Connections, group)) => {
                format!("{}clients", self.group_word(group))
            }
            Some((Parameter::Depth, _)) => {
                "requests in flight per client".into()
            }
            Some((Parameter::Workers, _)) => "workers of the pool".into(),
            Some((Parameter::Rate, _)) => "requests per second".into(),
            Some((Parameter::N, _)) => "n".into(),
            Some((Parameter::Cost, group)) => {
                format!("cost of a {}request, in ms", self.group_word(group))
            }
            None => String::new(),
        }
    }

    /// Returns the value of one point, without the name of the parameter.
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
                | Parameter::Rate
                | Parameter::Workers,
                _,
            ))
            | None => short(value),
        }
    }

    /// Returns the name of a group, or nothing if it is the measured group,
    /// which needs no name.
    fn group_word(&self, group: &str) -> String {
        if self.first().measured_group == group {
            String::new()
        } else {
            format!("{group} ")
        }
    }

    /// Returns the point whose answer represents the whole sweep. For the share
    /// that is left of a rate, this is the first one with other clients.
    /// Otherwise it is the last one, where the contestants differ most.
    pub(crate) fn main_point(&self) -> &'a Scenario {
        let points = &self.points;
        let first = self.first();
        if first.figures.first() == Some(&Figure::Left) {
            let disturbed = points.iter().find(|point| value_of(point) > 0.0);
            return disturbed.copied().unwrap_or(first);
        }
        // Above its capacity, a server can't be compared with others.
        let is_load = matches!(self.varies(), Some((Parameter::Load, _)));
        let within = points.iter().rev().find(|point| value_of(point) < 0.9);
        let last = points.last().copied().unwrap_or(first);
        if is_load { within.copied().unwrap_or(last) } else { last }
    }
}

const PARAMETERS: [Parameter; 6] = [
    Parameter::Connections,
    Parameter::Depth,
    Parameter::N,
    Parameter::Cost,
    Parameter::Rate,
    Parameter::Load,
];

/// Returns the value of a parameter in a group.
fn setting(group: Option<&ClientGroup>, parameter: Parameter) -> Option<f64> {
    match parameter {
        // A group without connections isn't in the record.
        Parameter::Connections => {
            Some(group.map_or(0.0, |group| group.connections as f64))
        }
        Parameter::Depth => group?.depth.map(|depth| depth as f64),
        Parameter::N => group?.n.map(f64::from),
        Parameter::Cost => group?.cost.map(|cost| cost.as_secs_f64() * 1e3),
        Parameter::Rate => group?.rate,
        Parameter::Load => group?.load,
        Parameter::Workers => None,
    }
}

/// Returns the value of a point, or 0 if the scenario isn't a sweep.
pub(crate) fn value_of(point: &Scenario) -> f64 {
    point.point.as_ref().map_or(0.0, |point| point.value)
}

/// Returns a number without trailing zeros, and with thousands separators.
fn short(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() >= 1000.0 {
        units::number(value)
    } else {
        value.to_string()
    }
}
