//! The outcomes of cases, and the report of a whole run of the suite.

use std::fmt;
use std::time::Duration;

use crate::case::{Case, Family};

/// The outcome of one case.
#[derive(Debug)]
pub struct CaseReport {
    /// The case.
    pub case: &'static Case,
    /// Its outcome.
    pub outcome: CaseOutcome,
    /// How long the case ran.
    pub elapsed: Duration,
}

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaseOutcome {
    /// The server did what it must.
    Passed,
    /// The server did not: what was expected, and what the server did.
    Failed(String),
    /// The server could not because of its model: the reason.
    ByDesign(String),
    /// The case doesn't apply to this server or machine: the reason.
    NotApplicable(String),
}

/// The outcomes of all selected cases, in the order of [`cases`](crate::cases).
#[derive(Debug)]
pub struct SuiteReport {
    /// One report per case.
    pub cases: Vec<CaseReport>,
    /// The seed of the random choices.
    pub seed: u64,
    /// How long the run took.
    pub elapsed: Duration,
}

/// The number of cases with each outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutcomeCounts {
    /// Cases with [`CaseOutcome::Passed`].
    pub passed: usize,
    /// Cases with [`CaseOutcome::Failed`].
    pub failed: usize,
    /// Cases with [`CaseOutcome::ByDesign`].
    pub by_design: usize,
    /// Cases with [`CaseOutcome::NotApplicable`].
    pub not_applicable: usize,
}

impl SuiteReport {
    /// Returns `true` if no case failed.
    pub fn conforms(&self) -> bool {
        self.counts().failed == 0
    }

    /// Counts the outcomes of all cases.
    pub fn counts(&self) -> OutcomeCounts {
        OutcomeCounts::of(self.cases.iter())
    }

    /// Counts the outcomes of one family's cases.
    pub fn counts_of(&self, family: Family) -> OutcomeCounts {
        let of_family = |report: &&CaseReport| report.case.family == family;
        OutcomeCounts::of(self.cases.iter().filter(of_family))
    }

    /// Returns a text with all failures: for each, what was expected and what
    /// the server did.
    pub fn failures(&self) -> String {
        let mut text = format!(
            "{} of {} cases failed (seed {}):\n",
            self.counts().failed,
            self.cases.len(),
            self.seed
        );
        for report in &self.cases {
            if let CaseOutcome::Failed(failure) = &report.outcome {
                let case = report.case;
                text += &format!("\n{}: {}\n", case.family, case.name);
                for line in failure.lines() {
                    text += &format!("    {line}\n");
                }
            }
        }
        text
    }
}

impl OutcomeCounts {
    fn of<'a>(reports: impl Iterator<Item = &'a CaseReport>) -> OutcomeCounts {
        let mut counts = OutcomeCounts::default();
        for report in reports {
            let count = match report.outcome {
                CaseOutcome::Passed => &mut counts.passed,
                CaseOutcome::Failed(_) => &mut counts.failed,
                CaseOutcome::ByDesign(_) => &mut counts.by_design,
                CaseOutcome::NotApplicable(_) => &mut counts.not_applicable,
            };
            *count += 1;
        }
        counts
    }
}

/// Writes one line, without the text of a failure.
impl fmt::Display for CaseReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (outcome, reason) = match &self.outcome {
            CaseOutcome::Passed => ("ok", None),
            CaseOutcome::Failed(_) => ("FAILED", None),
            CaseOutcome::ByDesign(reason) => ("by design", Some(reason)),
            CaseOutcome::NotApplicable(reason) => ("n/a", Some(reason)),
        };
        let Case { family, name, .. } = self.case;
        write!(f, "{outcome:9}  {:6.2} s  ", self.elapsed.as_secs_f64())?;
        write!(f, "{family:13}  {name}")?;
        reason.map_or(Ok(()), |reason| write!(f, " ({reason})"))
    }
}

/// Writes the counts of the outcomes, in one line.
impl fmt::Display for SuiteReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.counts();
        write!(
            f,
            "{} passed, {} failed, {} by design, {} not applicable, in {:.1} s",
            counts.passed,
            counts.failed,
            counts.by_design,
            counts.not_applicable,
            self.elapsed.as_secs_f64()
        )
    }
}
