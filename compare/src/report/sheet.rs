//! The figures of a run, worked out once: what all the forms of a report
//! draw from.

use std::collections::HashMap;

use crate::answers;
use crate::contestants::Contestant;
use crate::findings::{Doubt, Findings, Standing};
use crate::record::{Entrant, REPLIES_BEYOND, Record};
use crate::scenarios::{Figure, Group, Knob, Scenario};
use crate::statistics::{Estimate, median};

/// What is worked out of every cell, whether or not its scenario shows it.
const ALWAYS: [Figure; 7] = [
    Figure::Rate,
    Figure::P50,
    Figure::P99,
    Figure::Cost,
    Figure::Rss,
    Figure::ResponseP50,
    Figure::ResponseP99,
];

/// The order in which a newcomer would ask; others follow.
const READING_ORDER: [&str; 11] = [
    "perf1",
    "perf1-crowd",
    "perf2",
    "perf2-crowd",
    "interference",
    "one-core",
    "ladder",
    "idle",
    "churn",
    "pipeline",
    "load-curve",
];

/// A run and all its figures.
pub(crate) struct Sheet<'a> {
    /// The run.
    pub(crate) record: &'a Record,
    /// What it says.
    pub(crate) findings: Findings<'a>,
    estimates: HashMap<Key<'a>, Estimate>,
    doubts: HashMap<Key<'a>, String>,
}

type Key<'a> = (&'a str, &'a str, Figure);

/// A question, and the scenarios that put it: one, or one for each value of
/// what varies.
pub(crate) struct Question<'a> {
    /// The scenario's name, whatever value of its sweep it is.
    pub(crate) name: &'a str,
    /// In the order of their values.
    pub(crate) points: Vec<&'a Scenario>,
}

/// One figure of one cell.
pub(crate) struct Row<'a> {
    /// Under which scenario.
    pub(crate) scenario: &'a Scenario,
    /// Whose.
    pub(crate) entrant: &'a Entrant,
    /// Which.
    pub(crate) figure: Figure,
    /// The figure, if it can be had.
    pub(crate) estimate: Option<Estimate>,
    /// The rounds that it stands on.
    pub(crate) rounds: usize,
    /// It is at least that, because the load generator was the bottleneck.
    pub(crate) is_lower_bound: bool,
    /// How far it can be believed.
    pub(crate) validity: Validity,
}

/// How far a figure of a cell can be believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Validity {
    /// Nothing speaks against it.
    Valid,
    /// It should not be leaned on, for these reasons.
    Suspect(String),
    /// It has no figures, for this reason.
    Void(String),
    /// The model can't be asked that, for this reason.
    ByDesign(String),
    /// It was not measured.
    Absent,
}

impl<'a> Sheet<'a> {
    /// Works out the figures of a run.
    pub(crate) fn of(record: &'a Record) -> Sheet<'a> {
        let findings = Findings::of(record);
        let mut estimates = HashMap::new();
        let mut doubts = HashMap::new();
        for scenario in &record.scenarios {
            for entrant in &record.entrants {
                let name = entrant.contestant.name.as_str();
                for figure in figures_of(scenario) {
                    let found = findings.estimate(scenario, name, figure);
                    if let Some(estimate) = found {
                        let key = (scenario.name.as_str(), name, figure);
                        estimates.insert(key, estimate);
                        let found = findings.doubts(scenario, name, figure);
                        if let Some(text) = in_words(&found) {
                            doubts.insert(key, text);
                        }
                    }
                }
            }
        }
        Sheet { record, findings, estimates, doubts }
    }

    /// A figure, if it can be had.
    pub(crate) fn estimate(
        &self,
        scenario: &Scenario,
        contestant: &str,
        figure: Figure,
    ) -> Option<Estimate> {
        let key = (scenario.name.as_str(), contestant, figure);
        let estimates: &HashMap<Key<'_>, Estimate> = &self.estimates;
        estimates.get(&key).copied()
    }

    /// Who is compared, in the order of the record.
    pub(crate) fn contestants(&self) -> Vec<&'a Contestant> {
        self.record.contestants().collect()
    }

    /// What was asked, in reading order. Scenarios that are only there for
    /// another to be held against ask nothing.
    pub(crate) fn questions(&self) -> Vec<Question<'a>> {
        let mut questions: Vec<Question<'_>> = Vec::new();
        for scenario in &self.record.scenarios {
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
        questions.sort_by_key(|question| {
            let place = READING_ORDER.iter().position(|n| *n == question.name);
            place.unwrap_or(READING_ORDER.len())
        });
        questions
    }

    /// Every figure of every cell.
    pub(crate) fn rows(&self) -> Vec<Row<'a>> {
        let mut rows = Vec::new();
        for scenario in &self.record.scenarios {
            for entrant in &self.record.entrants {
                for figure in figures_of(scenario) {
                    let row = self.row(scenario, entrant, figure);
                    let is_shown = scenario.figures.contains(&figure);
                    if row.estimate.is_some() || is_shown {
                        rows.push(row);
                    }
                }
            }
        }
        rows
    }

    fn row(
        &self,
        scenario: &'a Scenario,
        entrant: &'a Entrant,
        figure: Figure,
    ) -> Row<'a> {
        let name = entrant.contestant.name.as_str();
        let values = self.record.figure(scenario, name, figure);
        Row {
            scenario,
            entrant,
            figure,
            estimate: self.estimate(scenario, name, figure),
            rounds: values.len(),
            is_lower_bound: self.is_lower_bound(scenario, name, figure),
            validity: self.validity(scenario, name, figure),
        }
    }

    /// Whether a figure is only a lower bound.
    pub(crate) fn is_lower_bound(
        &self,
        scenario: &Scenario,
        contestant: &str,
        figure: Figure,
    ) -> bool {
        self.findings.is_lower_bound(scenario, contestant, figure)
    }

    /// How far a figure can be believed.
    pub(crate) fn validity(
        &self,
        scenario: &Scenario,
        contestant: &str,
        figure: Figure,
    ) -> Validity {
        let Some(cell) = self.record.cell(&scenario.name, contestant) else {
            return Validity::Absent;
        };
        if let Some(reason) = &cell.by_design {
            return Validity::ByDesign(reason.clone());
        }
        if let Some(void) = &cell.void {
            return Validity::Void(void.reason.clone());
        }
        if cell.rounds.is_empty() {
            return Validity::Absent;
        }
        match self.doubts(scenario, contestant, figure) {
            Some(doubts) => Validity::Suspect(doubts),
            None => Validity::Valid,
        }
    }

    /// Why a figure should not be leaned on, if there is a reason.
    pub(crate) fn doubts(
        &self,
        scenario: &Scenario,
        contestant: &str,
        figure: Figure,
    ) -> Option<String> {
        let key = (scenario.name.as_str(), contestant, figure);
        let doubts: &HashMap<Key<'_>, String> = &self.doubts;
        doubts.get(&key).cloned()
    }

    /// The sentence that answers a scenario's question, without the question.
    pub(crate) fn answer(&self, scenario: &Scenario) -> Option<String> {
        let sentence = answers::answer(self.record, scenario)?;
        let question = format!("{}: {}", scenario.name, scenario.question);
        let answer = sentence.strip_prefix(&question).unwrap_or(&sentence);
        Some(answer.trim_start().to_owned())
    }

    /// The best of all in a figure.
    pub(crate) fn best(
        &self,
        scenario: &Scenario,
        figure: Figure,
    ) -> Option<(&'a str, Estimate)> {
        let found = self.record.contestants().filter_map(|contestant| {
            let name = contestant.name.as_str();
            Some((name, self.estimate(scenario, name, figure)?))
        });
        found.min_by(|(_, one), (_, other)| {
            figure.better_first(one.median, other.median)
        })
    }

    /// How a contestant stands to the best.
    pub(crate) fn standing(
        &self,
        scenario: &Scenario,
        contestant: &str,
        figure: Figure,
    ) -> Option<Standing> {
        let (best, _) = self.best(scenario, figure)?;
        if best == contestant {
            return None;
        }
        self.findings.standing(scenario, contestant, best, figure)
    }

    /// A quantile of the service times: the median of the rounds. `None`
    /// where too few replies lie beyond it.
    pub(crate) fn quantile(
        &self,
        scenario: &Scenario,
        contestant: &str,
        quantile: f64,
    ) -> Option<Estimate> {
        let cell = self.record.cell(&scenario.name, contestant)?;
        if cell.void.is_some() {
            return None;
        }
        let groups = cell.rounds.iter();
        let groups = groups.filter_map(|r| r.report.group(&scenario.of));
        let mut replies = 0;
        let mut values = Vec::new();
        for group in groups {
            replies += group.replies;
            let time = group.service_ns.at_quantile_ns(quantile);
            values.extend(time.map(|ns| ns as f64));
        }
        let beyond = (1.0 - quantile) * replies as f64;
        if beyond < REPLIES_BEYOND {
            return None;
        }
        Estimate::of(&values, self.record.seed)
    }

    /// How much a figure grows between two scenarios, for each of so many
    /// clients that the second has more. Never less than nothing: what looks
    /// so is noise.
    pub(crate) fn slope(
        &self,
        [few, many]: [&Scenario; 2],
        contestant: &str,
        figure: Figure,
        clients: f64,
    ) -> Option<Estimate> {
        let low = self.record.figure(few, contestant, figure);
        let high = self.record.figure(many, contestant, figure);
        let slopes = high.iter().filter_map(|(round, high)| {
            Some(((high - low.get(round)?) / clients).max(0.0))
        });
        let slopes: Vec<f64> = slopes.collect();
        Estimate::of(&slopes, self.record.seed)
    }

    /// What a contestant can do at most, as measured for a scenario whose
    /// load is a share of it.
    pub(crate) fn capacity(
        &self,
        scenario: &Scenario,
        contestant: &str,
    ) -> Option<f64> {
        let cell = self.record.cell(&scenario.name, contestant)?;
        let rounds = cell.rounds.iter();
        let mut values: Vec<f64> =
            rounds.filter_map(|round| round.capacity.value).collect();
        median(&mut values)
    }
}

/// The figures that a cell of a scenario may have.
fn figures_of(scenario: &Scenario) -> Vec<Figure> {
    let mut figures = scenario.figures.clone();
    // A control is there for its rate alone, but all of it is worth keeping.
    figures.extend(ALWAYS.iter().filter(|f| !scenario.figures.contains(f)));
    figures
}

fn in_words(doubts: &[Doubt]) -> Option<String> {
    let texts: Vec<String> = doubts.iter().map(Doubt::to_string).collect();
    (!texts.is_empty()).then(|| texts.join("; "))
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
    pub(crate) fn varies(&self) -> Option<(Knob, &'a str)> {
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
            Some((Knob::Load, _)) => {
                format!("{} % of capacity", (value * 100.0).round())
            }
            Some((Knob::Connections, group)) => {
                let plural = if value == 1.0 { "" } else { "s" };
                let group = self.group_word(group);
                format!("{} {group}client{plural}", short(value))
            }
            Some((Knob::Depth, _)) => format!("{} in flight", short(value)),
            Some((Knob::Rate, _)) => format!("{} /s", short(value)),
            Some((Knob::N, _)) => format!("n = {}", short(value)),
            None => point.name.clone(),
        }
    }

    /// What varies, in words.
    pub(crate) fn knob_name(&self) -> String {
        match self.varies() {
            Some((Knob::Load, _)) => "offered load, share of capacity".into(),
            Some((Knob::Connections, group)) => {
                format!("{}clients", self.group_word(group))
            }
            Some((Knob::Depth, _)) => "requests in flight per client".into(),
            Some((Knob::Rate, _)) => "requests a second".into(),
            Some((Knob::N, _)) => "n".into(),
            None => String::new(),
        }
    }

    /// One value of what varies, without saying of what.
    pub(crate) fn value_text(&self, point: &Scenario) -> String {
        let value = value_of(point);
        match self.varies() {
            Some((Knob::Load, _)) => {
                format!("{} %", (value * 100.0).round())
            }
            _ => short(value),
        }
    }

    /// The name of a group where another one is measured; where there is only
    /// one, nobody needs it.
    fn group_word(&self, group: &str) -> String {
        if self.first().of == group {
            String::new()
        } else {
            format!("{group} ")
        }
    }
}

const KNOBS: [Knob; 5] =
    [Knob::Connections, Knob::Depth, Knob::N, Knob::Rate, Knob::Load];

/// Where a knob stands.
fn setting(group: Option<&Group>, knob: Knob) -> Option<f64> {
    match knob {
        // Without clients, there is no group.
        Knob::Connections => {
            Some(group.map_or(0.0, |group| group.connections as f64))
        }
        Knob::Depth => group?.depth.map(|depth| depth as f64),
        Knob::N => group?.n.map(f64::from),
        Knob::Rate => group?.rate,
        Knob::Load => group?.load,
    }
}

/// The value of what varies.
pub(crate) fn value_of(point: &Scenario) -> f64 {
    point.point.as_ref().map_or(0.0, |point| point.value)
}

/// A number without digits that say nothing.
fn short(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() >= 1000.0 {
        crate::units::number(value)
    } else {
        value.to_string()
    }
}
