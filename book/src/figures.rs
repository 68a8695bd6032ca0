//! Reads the figures of recorded runs, as `compare report --json` writes them.

use std::path::Path;
use std::{fmt, fs};

use anyhow::{Context, bail};
use charts::Unit;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// The runs that chapters take figures from. A figure comes from the first run
/// that has it.
pub(crate) struct Runs(pub(crate) Vec<Figures>);

/// The figures of one run.
#[derive(Deserialize)]
pub(crate) struct Figures {
    /// The run's name.
    pub(crate) run: String,
    complete: bool,
    rounds_wanted: u64,
    rounds_done: u64,
    machine: Machine,
    margin: f64,
    self_ratios: Vec<SelfRatio>,
    figures: Vec<Row>,
}

/// The ratio of the contestant that took part twice to itself.
#[derive(Deserialize)]
struct SelfRatio {
    scenario: String,
    figure: String,
    ratio: Estimate,
}

/// The machine that a run was measured on.
#[derive(Deserialize)]
pub(crate) struct Machine {
    processor: Fact<String>,
    processors_allowed: Vec<usize>,
    kernel: String,
}

/// A fact about the machine, or `None` if it could not be determined.
#[derive(Deserialize)]
struct Fact<T> {
    value: Option<T>,
}

/// One figure of one contestant in one scenario.
#[derive(Clone, Deserialize)]
pub(crate) struct Row {
    pub(crate) scenario: String,
    pub(crate) contestant: String,
    /// The contestant that this one is an alias of, if it is one.
    again: Option<String>,
    pub(crate) figure: String,
    #[serde(deserialize_with = "unit")]
    pub(crate) unit: Unit,
    pub(crate) estimate: Option<Estimate>,
    pub(crate) is_lower_bound: bool,
    pub(crate) validity: String,
    pub(crate) reason: Option<String>,
    /// How the figure compares with the best one, if both were measured.
    pub(crate) compared: Option<Compared>,
}

/// How a figure compares with that of another contestant.
#[derive(Clone, Deserialize)]
pub(crate) struct Compared {
    pub(crate) contestant: String,
    /// `better`, `worse`, `equal`, `undecided` or `open`.
    pub(crate) outcome: String,
    pub(crate) ratio: Option<Estimate>,
}

/// A value, and the interval that is likely to contain the true one.
#[derive(Clone, Copy, Deserialize)]
pub(crate) struct Estimate {
    pub(crate) value: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Runs {
    /// Returns the first run that has a figure for all `contestants` in a
    /// scenario.
    ///
    /// # Errors
    ///
    /// No run has it. The error describes what the first run lacks.
    pub(crate) fn with(
        &self,
        figure: &str,
        scenario: &str,
        contestants: &[&str],
    ) -> anyhow::Result<&Figures> {
        let has_all =
            |run: &&Figures| run.rows(figure, scenario, contestants).is_ok();
        if let Some(run) = self.0.iter().find(has_all) {
            return Ok(run);
        }
        self.first().rows(figure, scenario, contestants)?;
        Ok(self.first())
    }

    /// Returns the run that is searched first.
    pub(crate) fn first(&self) -> &Figures {
        &self.0[0]
    }
}

impl Figures {
    /// Reads a file that `compare report --json` wrote.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Figures> {
        let text = fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| {
            format!(
                "cannot parse {}: expected a file written by `compare report \
                 --json`",
                path.display()
            )
        })
    }

    /// Returns a figure's rows for all contestants of a scenario.
    ///
    /// # Errors
    ///
    /// The scenario has no such figure, or one of `contestants` has no row.
    pub(crate) fn rows(
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
            bail!("run {}: no figure `{figure}` in {scenario}", self.run);
        }
        for name in contestants {
            if !rows.iter().any(|row| row.contestant == *name) {
                bail!("run {}: no contestant `{name}` in {scenario}", self.run);
            }
        }
        Ok(rows)
    }

    /// Returns the ratio of a contestant's figure to that of the same
    /// contestant under another name, if one took part twice.
    pub(crate) fn self_ratio(
        &self,
        figure: &str,
        scenario: &str,
    ) -> Option<Estimate> {
        let is_it =
            |one: &&SelfRatio| one.scenario == scenario && one.figure == figure;
        self.self_ratios.iter().find(is_it).map(|one| one.ratio)
    }

    /// Returns the share by which equal figures may differ.
    pub(crate) fn margin(&self) -> f64 {
        self.margin
    }

    /// Describes the run: its name, the machine, and the number of rounds.
    pub(crate) fn origin(&self) -> String {
        let Figures { run, machine, .. } = self;
        let done = self.rounds_done;
        let rounds = rounds(done);
        if self.complete {
            return format!("run {run}: {machine}; {rounds}");
        }
        let wanted = self.rounds_wanted;
        format!(
            "run {run}: {machine}; interrupted after {done} of \
             {wanted} rounds; {rounds}"
        )
    }
}

/// Describes what the figures of a run with this many rounds are.
pub(crate) fn rounds(count: u64) -> String {
    match count {
        0 | 1 => "a single round, without intervals".to_owned(),
        _ => format!("{count} rounds, 95 % intervals"),
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

impl Estimate {
    /// Returns how far the interval extends from the value, as a share.
    pub(crate) fn half_width(&self) -> f64 {
        (self.high / self.low).sqrt() - 1.0
    }
}

impl Row {
    /// Formats the value with its unit, or a dash if there is none.
    pub(crate) fn text(&self) -> String {
        let Some(estimate) = &self.estimate else { return "–".to_owned() };
        let bound = if self.is_lower_bound { "≥ " } else { "" };
        format!("{bound}{}", self.unit.text(estimate.value))
    }

    /// Formats the interval, in the unit of the value.
    pub(crate) fn interval(&self) -> String {
        let Some(estimate) = &self.estimate else { return String::new() };
        self.unit.interval(estimate.value, [estimate.low, estimate.high])
    }
}

impl Compared {
    /// Describes the outcome, with the ratio unless none can be given.
    pub(crate) fn text(&self) -> String {
        let Compared { contestant, outcome, ratio } = self;
        let Some(Estimate { value, low, high }) = ratio else {
            return format!("{outcome}, compared with {contestant}");
        };
        let [value, low, high] = [*value, *low, *high].map(charts::ratio);
        format!("{outcome}: {value} times {contestant} [{low}, {high}]")
    }
}

fn unit<'de, D: Deserializer<'de>>(from: D) -> Result<Unit, D::Error> {
    let name = String::deserialize(from)?;
    Unit::named(&name)
        .ok_or_else(|| D::Error::custom(format!("unknown unit `{name}`")))
}
