//! What a run found.

use std::fmt;
use std::time::Duration;

use crate::case::{Case, Family};

/// How one case went.
#[derive(Debug)]
pub struct Finding {
    /// The case.
    pub case: &'static Case,
    /// Its outcome.
    pub outcome: Outcome,
    /// How long it took.
    pub elapsed: Duration,
}

/// The outcome of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The server did what it should.
    Passed,
    /// It didn't: what was expected, and what came.
    Failed(String),
    /// It can't, as its model can't: why.
    ByDesign(String),
    /// The case means nothing for this server: why.
    NotApplicable(String),
}

/// What a run found, case by case, in the order of [`cases`](crate::cases).
#[derive(Debug)]
pub struct Report {
    /// What was found.
    pub findings: Vec<Finding>,
    /// What the random choices followed from.
    pub seed: u64,
    /// How long it all took.
    pub elapsed: Duration,
}

/// How many cases had which outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// The server did what it should.
    pub passed: usize,
    /// It didn't.
    pub failed: usize,
    /// It can't by design.
    pub by_design: usize,
    /// The case means nothing for this server.
    pub not_applicable: usize,
}

impl Report {
    /// Whether no case failed.
    pub fn conforms(&self) -> bool {
        self.tally().failed == 0
    }

    /// The outcomes of all cases.
    pub fn tally(&self) -> Tally {
        Tally::of(self.findings.iter())
    }

    /// The outcomes of one family.
    pub fn family(&self, family: Family) -> Tally {
        let of_family = |finding: &&Finding| finding.case.family == family;
        Tally::of(self.findings.iter().filter(of_family))
    }

    /// Every failure, with what was expected and what came.
    pub fn failures(&self) -> String {
        let mut text = format!(
            "{} of {} cases failed (seed {}):\n",
            self.tally().failed,
            self.findings.len(),
            self.seed
        );
        for finding in &self.findings {
            if let Outcome::Failed(why) = &finding.outcome {
                let case = finding.case;
                text += &format!("\n{}: {}\n", case.family, case.name);
                for line in why.lines() {
                    text += &format!("    {line}\n");
                }
            }
        }
        text
    }
}

impl Tally {
    fn of<'a>(findings: impl Iterator<Item = &'a Finding>) -> Tally {
        let mut tally = Tally::default();
        for finding in findings {
            let count = match finding.outcome {
                Outcome::Passed => &mut tally.passed,
                Outcome::Failed(_) => &mut tally.failed,
                Outcome::ByDesign(_) => &mut tally.by_design,
                Outcome::NotApplicable(_) => &mut tally.not_applicable,
            };
            *count += 1;
        }
        tally
    }
}

/// One line, without what was expected and what came.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (verdict, reason) = match &self.outcome {
            Outcome::Passed => ("ok", None),
            Outcome::Failed(_) => ("FAILED", None),
            Outcome::ByDesign(reason) => ("by design", Some(reason)),
            Outcome::NotApplicable(reason) => ("n/a", Some(reason)),
        };
        let Case { family, name, .. } = self.case;
        write!(f, "{verdict:9}  {:6.2} s  ", self.elapsed.as_secs_f64())?;
        write!(f, "{family:13}  {name}")?;
        reason.map_or(Ok(()), |reason| write!(f, " ({reason})"))
    }
}

/// The counts of one line.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tally = self.tally();
        write!(
            f,
            "{} passed, {} failed, {} by design, {} not applicable, in {:.1} s",
            tally.passed,
            tally.failed,
            tally.by_design,
            tally.not_applicable,
            self.elapsed.as_secs_f64()
        )
    }
}
