//! The figures of a run, computed once for all output formats.

use std::collections::HashMap;

use crate::analysis::bootstrap;
use crate::analysis::findings::{Doubt, Findings, Relation, Standing};
use crate::analysis::questions::{self, Question};
use crate::analysis::statistics::{Estimate, median};
use crate::model::contestant::Contestant;
use crate::model::figure::Figure;
use crate::model::record::{Entrant, REPLIES_BEYOND, Record};
use crate::model::scenarios::Scenario;

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
    standings: HashMap<&'a str, HashMap<Figure, Standing<'a>>>,
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
    /// Whether it was shown to be the best, or equal to all that may be.
    pub(crate) is_best: bool,
    /// The contestant that it is compared with, if it is compared.
    pub(crate) leader: Option<&'a str>,
    /// How it compares with that contestant.
    pub(crate) relation: Option<Relation>,
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
    /// Computes the figures of a run. Those that differ by less than the share
    /// `margin` are equal.
    pub(crate) fn with_margin(record: &'a Record, margin: f64) -> Sheet<'a> {
        let findings = Findings::with_margin(record, margin);
        let mut estimates = HashMap::new();
        let mut doubts = HashMap::new();
        for scenario in &record.scenarios {
            for entrant in &record.entrants {
                let name = entrant.contestant.name.as_str();
                for figure in figures_of(scenario) {
                    let found = findings.estimate(scenario, name, figure);
                    if let Some(estimate) = found {
                        let values = record.figure(scenario, name, figure);
                        let estimate = estimate.within_rounds(&values);
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
        let standings = record.scenarios.iter().map(|scenario| {
            let figures = scenario.figures.iter();
            let of = figures
                .map(|&figure| (figure, findings.standing(scenario, figure)));
            (scenario.name.as_str(), of.collect())
        });
        let standings = standings.collect();
        Sheet { record, findings, estimates, standings, doubts }
    }

    /// Returns how the contestants compare with the best in a figure that the
    /// scenario shows.
    pub(crate) fn standing(
        &self,
        scenario: &Scenario,
        figure: Figure,
    ) -> Option<&Standing<'a>> {
        self.standings.get(scenario.name.as_str())?.get(&figure)
    }

    /// Returns how many of the comparisons with the best are decided or equal,
    /// and how many there are.
    pub(crate) fn decided(&self) -> [usize; 2] {
        let standings = self.standings.values().flat_map(HashMap::values);
        let relations = standings.flat_map(|one| &one.relations);
        let mut counts = [0; 2];
        for (_, relation) in relations {
            let is_decided = matches!(
                relation,
                Relation::Differs { .. } | Relation::Equal { .. }
            );
            counts[0] += usize::from(is_decided);
            counts[1] += 1;
        }
        counts
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
        let standing = self.standing(scenario, figure);
        Row {
            scenario,
            entrant,
            figure,
            estimate: self.estimate(scenario, name, figure),
            rounds: values.len(),
            is_lower_bound: self.is_lower_bound(scenario, name, figure),
            validity: self.validity(scenario, name, figure),
            is_best: standing.is_some_and(|one| one.best == Some(name)),
            leader: standing.and_then(|standing| standing.leader),
            relation: self.relation(scenario, name, figure).cloned(),
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

    /// Compares a contestant with the best, or with the one that comes first
    /// where no best is decided.
    pub(crate) fn relation(
        &self,
        scenario: &Scenario,
        contestant: &str,
        figure: Figure,
    ) -> Option<&Relation> {
        let standing = self.standing(scenario, figure)?;
        let mut relations = standing.relations.iter();
        let found = relations.find(|(name, _)| *name == contestant);
        found.map(|(_, relation)| relation)
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
