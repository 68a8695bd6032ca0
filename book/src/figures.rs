//! The figures of a run, as `compare report --json` writes them.

use std::path::Path;
use std::{fmt, fs};

use anyhow::{Context, bail};
use charts::Unit;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// Runs, of which the first that has what is asked for is taken.
pub(crate) struct Runs(pub(crate) Vec<Figures>);

/// A run.
#[derive(Deserialize)]
pub(crate) struct Figures {
    /// Its name.
    pub(crate) run: String,
    complete: bool,
    rounds_wanted: u64,
    rounds_done: u64,
    machine: Machine,
    noise_floors: Vec<Floor>,
    figures: Vec<Row>,
}

/// How far a contestant came out apart from itself, as a share.
#[derive(Deserialize)]
struct Floor {
    scenario: String,
    figure: String,
    share: f64,
}

/// Where something was measured.
#[derive(Deserialize)]
pub(crate) struct Machine {
    processor: Known<String>,
    processors_allowed: Vec<usize>,
    kernel: String,
}

#[derive(Deserialize)]
struct Known<T> {
    value: Option<T>,
}

/// A figure of a cell.
#[derive(Clone, Deserialize)]
pub(crate) struct Row {
    pub(crate) scenario: String,
    pub(crate) contestant: String,
    again: Option<String>,
    pub(crate) figure: String,
    #[serde(deserialize_with = "unit")]
    pub(crate) unit: Unit,
    pub(crate) estimate: Option<Estimate>,
    pub(crate) is_lower_bound: bool,
    pub(crate) validity: String,
    pub(crate) reason: Option<String>,
}

/// A median and its interval.
#[derive(Clone, Copy, Deserialize)]
pub(crate) struct Estimate {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Runs {
    /// The run that has a figure of all of these in a scenario.
    pub(crate) fn with(
        &self,
        figure: &str,
        scenario: &str,
        contestants: &[&str],
    ) -> anyhow::Result<&Figures> {
        let has_all =
            |run: &&Figures| run.of(figure, scenario, contestants).is_ok();
        if let Some(run) = self.0.iter().find(has_all) {
            return Ok(run);
        }
        // What is amiss is said of the run that the book is printed with.
        self.first().of(figure, scenario, contestants)?;
        Ok(self.first())
    }

    /// The run that the book is printed with.
    pub(crate) fn first(&self) -> &Figures {
        &self.0[0]
    }
}

impl Figures {
    /// Reads them.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Figures> {
        let text = fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| {
            format!("{}: not what --json writes", path.display())
        })
    }

    /// A figure of all who have it in a scenario, these among them.
    pub(crate) fn of(
        &self,
        figure: &str,
        scenario: &str,
        contestants: &[&str],
    ) -> anyhow::Result<Vec<&Row>> {
        let is_it = |row: &&Row| {
            row.scenario == scenario
                && row.figure == figure
                && row.again.is_none()
        };
        let rows: Vec<&Row> = self.figures.iter().filter(is_it).collect();
        if !rows.iter().any(|row| row.estimate.is_some()) {
            bail!("run {}: there is no {figure} in {scenario}", self.run);
        }
        for name in contestants {
            if !rows.iter().any(|row| row.contestant == *name) {
                bail!("run {}: {name} is not in {scenario}", self.run);
            }
        }
        Ok(rows)
    }

    /// Below which difference two contestants tie, as a share.
    pub(crate) fn noise_floor(
        &self,
        figure: &str,
        scenario: &str,
    ) -> Option<f64> {
        let is_it = |floor: &&Floor| {
            floor.scenario == scenario && floor.figure == figure
        };
        self.noise_floors.iter().find(is_it).map(|floor| floor.share)
    }

    /// Where and when they were measured, and how often.
    pub(crate) fn origin(&self) -> String {
        let Figures { run, machine, .. } = self;
        let done = self.rounds_done;
        let medians = medians(done);
        if self.complete {
            return format!("run {run}: {machine}; {medians}");
        }
        let wanted = self.rounds_wanted;
        format!(
            "run {run}: {machine}; broken off after {done} of {wanted} \
             rounds; {medians}"
        )
    }
}

/// What stands for so many rounds.
pub(crate) fn medians(rounds: u64) -> String {
    match rounds {
        0 | 1 => "a single round, without intervals".to_owned(),
        // All of n values lie on one side of the median in two of 2^n cases.
        2..=5 => format!(
            "medians of {rounds} rounds; their intervals span them all, which \
             holds the true median in {} of 100 cases",
            100 - 200 / (1 << rounds)
        ),
        _ => format!("medians of {rounds} rounds with bootstrap intervals"),
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine { processor, processors_allowed, kernel } = self;
        let processor = processor.value.as_deref().unwrap_or("unknown");
        let count = processors_allowed.len();
        write!(f, "{processor}, {count} processors, {kernel}")
    }
}

impl Row {
    /// The median with its unit, or a dash.
    pub(crate) fn text(&self) -> String {
        let Some(estimate) = &self.estimate else { return "–".to_owned() };
        let bound = if self.is_lower_bound { "≥ " } else { "" };
        format!("{bound}{}", self.unit.text(estimate.median))
    }

    /// The interval, in the unit of the median.
    pub(crate) fn interval(&self) -> String {
        let Some(estimate) = &self.estimate else { return String::new() };
        self.unit.interval(estimate.median, [estimate.low, estimate.high])
    }
}

fn unit<'de, D: Deserializer<'de>>(from: D) -> Result<Unit, D::Error> {
    let name = String::deserialize(from)?;
    Unit::named(&name)
        .ok_or_else(|| D::Error::custom(format!("no unit `{name}`")))
}
