//! The figures of a run, computed once for all output formats.

use std::collections::HashMap;

use crate::analysis::bootstrap;
use crate::analysis::findings::{Doubt, Findings, Relation};
use crate::analysis::questions::{self, Question};
use crate::analysis::statistics::{Estimate, median};
use crate::model::contestant::Contestant;
use crate::model::figure::Figure;
use crate::model::record::{Entrant, REPLIES_BEYOND, Record};
use crate::model::scenarios::Scenario;
use crate::output::summary;

/// The figures that are computed for every cell, whether or not its scenario
/// shows them.
const ALWAYS: [Figure; 11] = [
    Figure::Rate,
    Figure::P50,
    Figure::P99,
    Figure::Cost,
    Figure::Rss,
    Figure::ResponseP50,
    Figure::ResponseP99,
    Figure::VoluntarySwitches,
    Figure::InvoluntarySwitches,
    Figure::Instructions,
    Figure::CacheMisses,
];

/// A run and all its figures.
pub(crate) struct Sheet<'a> {
    /// The run.
    pub(crate) record: &'a Record,
    /// What follows from it.
    pub(crate) findings: Findings<'a>,
    estimates: HashMap<Key<'a>, Estimate>,
    doubts: HashMap<Key<'a>, String>,
}

type Key<'a> = (&'a str, &'a str, Figure);

/// One figure of one cell.
pub(crate) struct Row<'a> {
    /// The scenario.
    pub(crate) scenario: &'a Scenario,
    /// The contestant.
    pub(crate) entrant: &'a Entrant,
    /// The kind of figure.
    pub(crate) figure: Figure,
    /// Its value, if there is one.
    pub(crate) estimate: Option<Estimate>,
    /// The number of rounds that it is computed from.
    pub(crate) rounds: usize,
    /// Whether it is a lower bound, because the load generator was the
    /// bottleneck.
    pub(crate) is_lower_bound: bool,
    /// Its validity.
    pub(crate) validity: Validity,
}

/// Whether a figure of a cell is valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Validity {
    /// There is no reason to doubt it.
    Valid,
    /// It is unreliable, for these reasons.
    Suspect(String),
    /// It has no figures, for this reason.
    Void(String),
    /// The model can't play the scenario by design, for this reason.
    ByDesign(String),
    /// It was not measured.
    Absent,
}

impl<'a> Sheet<'a> {
    /// Computes the figures of a run.
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

    /// Returns the value of a figure, if there is one.
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

    /// Returns the contestants, in the order of the record.
    pub(crate) fn contestants(&self) -> Vec<&'a Contestant> {
        self.record.contestants().collect()
    }

    /// Returns the questions of the run, in reading order.
    pub(crate) fn questions(&self) -> Vec<Question<'a>> {
        questions::of(self.record)
    }

    /// Returns every figure of every cell.
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

    /// Returns whether a figure is only a lower bound.
    pub(crate) fn is_lower_bound(
        &self,
        scenario: &Scenario,
        contestant: &str,
        figure: Figure,
    ) -> bool {
        self.findings.is_lower_bound(scenario, contestant, figure)
    }

    /// Returns the validity of a figure.
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

    /// Returns the reasons why a figure is unreliable, if there are any.
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

    /// Returns the sentence that answers a scenario's question, without the
    /// question.
    pub(crate) fn answer(&self, scenario: &Scenario) -> Option<String> {
        let sentence = summary::answer(self.record, scenario)?;
        let question = format!("{}: {}", scenario.name, scenario.question);
        let answer = sentence.strip_prefix(&question).unwrap_or(&sentence);
        Some(answer.trim_start().to_owned())
    }

    /// Returns the contestant that is best in a figure.
    pub(crate) fn best(
        &self,
        scenario: &Scenario,
        figure: Figure,
    ) -> Option<(&'a str, Estimate)> {
        let found = self.record.contestants().filter_map(|contestant| {
            let name = contestant.name.as_str();
            if self.findings.starved(scenario, name, figure).is_some()
                || self.findings.computes_another_n(scenario, name)
            {
                return None;
            }
            Some((name, self.estimate(scenario, name, figure)?))
        });
        found.min_by(|(_, one), (_, other)| {
            figure.better_first(one.value, other.value)
        })
    }

    /// Compares a contestant with the best.
    pub(crate) fn relation(
        &self,
        scenario: &Scenario,
        contestant: &str,
        figure: Figure,
    ) -> Option<Relation> {
        let (best, _) = self.best(scenario, figure)?;
        if best == contestant {
            return None;
        }
        self.findings.relation(scenario, contestant, best, figure)
    }

    /// Returns a quantile of the service times, as the median over rounds.
    ///
    /// Returns `None` if any round has too few replies beyond the quantile. If
    /// only such rounds were left out, a higher quantile could be below a lower
    /// one, since they would be computed from different rounds.
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
        let rounds = cell.rounds.iter();
        let values: Option<Vec<f64>> = rounds
            .map(|round| {
                let group = round.report.group(&scenario.measured_group)?;
                let beyond = (1.0 - quantile) * group.replies as f64;
                let is_known = quantile <= 0.5 || beyond >= REPLIES_BEYOND;
                let time_ns = group.service_ns.at_quantile_ns(quantile);
                Some(time_ns.filter(|_| is_known)? as f64)
            })
            .collect();
        bootstrap::of_rounds(&values?, self.record.seed)
    }

    /// Returns the growth of a figure from one scenario to another, per client;
    /// the second has `clients` more. Never negative: a negative difference is
    /// noise.
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
        bootstrap::of_rounds(&slopes, self.record.seed)
    }

    /// Returns the capacity of a contestant, as measured for a scenario whose
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

/// Returns the figures that a cell of a scenario may have.
fn figures_of(scenario: &Scenario) -> Vec<Figure> {
    let mut figures = scenario.figures.clone();
    // A control scenario shows only its rate, but all figures are worth
    // keeping.
    figures.extend(ALWAYS.iter().filter(|f| !scenario.figures.contains(f)));
    figures
}

fn in_words(doubts: &[Doubt]) -> Option<String> {
    let texts: Vec<String> = doubts.iter().map(Doubt::to_string).collect();
    (!texts.is_empty()).then(|| texts.join("; "))
}
