//! The figures of a run, as `compare report --json` writes them.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail};
use serde::Deserialize;

use crate::directive::Cell;

/// A run.
#[derive(Deserialize)]
pub(crate) struct Figures {
    run: String,
    rounds_done: u64,
    machine: Machine,
    figures: Vec<Row>,
}

#[derive(Deserialize)]
struct Machine {
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
    unit: String,
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

impl Figures {
    /// Reads them.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Figures> {
        let text = fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| {
            format!("{}: not what --json writes", path.display())
        })
    }

    /// A figure of all who have it in a scenario.
    pub(crate) fn of(
        &self,
        figure: &str,
        scenario: &str,
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
        Ok(rows)
    }

    /// One figure of one contestant.
    pub(crate) fn one(&self, cell: &Cell) -> anyhow::Result<&Row> {
        let Cell { figure, contestant, scenario } = cell;
        let rows = self.of(figure, scenario)?;
        let row = rows.into_iter().find(|row| row.contestant == *contestant);
        row.with_context(|| {
            format!("run {}: {contestant} is not in {scenario}", self.run)
        })
    }

    /// Where and when they were measured.
    pub(crate) fn machine(&self) -> String {
        let Machine { processor, processors_allowed, kernel } = &self.machine;
        let processor = processor.value.as_deref().unwrap_or("unknown");
        format!(
            "run {}: {processor}, {} processors, {kernel}; medians of {} \
             rounds with 95 % intervals",
            self.run,
            processors_allowed.len(),
            self.rounds_done
        )
    }
}

impl Row {
    /// The median with its unit, or a dash.
    pub(crate) fn text(&self) -> String {
        let Some(estimate) = &self.estimate else { return "–".to_owned() };
        let (scale, unit) = self.unit(estimate.median);
        let bound = if self.is_lower_bound { "≥ " } else { "" };
        format!("{bound}{} {unit}", number(estimate.median / scale))
            .trim_end()
            .to_owned()
    }

    /// A round value on an axis of this figure.
    pub(crate) fn tick(&self, value: f64) -> String {
        let (scale, unit) = self.unit(value);
        let text = number(value / scale);
        let text = match text.contains('.') {
            true => text.trim_end_matches('0').trim_end_matches('.'),
            false => &text,
        };
        format!("{text} {unit}").trim_end().to_owned()
    }

    /// The interval, in the unit of the median.
    pub(crate) fn interval(&self) -> String {
        let Some(estimate) = &self.estimate else { return String::new() };
        let (scale, _) = self.unit(estimate.median);
        let [low, high] =
            [estimate.low, estimate.high].map(|end| number(end / scale));
        format!("{low}–{high}")
    }

    fn unit(&self, value: f64) -> (f64, &'static str) {
        match (self.unit.as_str(), value) {
            ("ns", ns) if ns < 1e3 => (1.0, "ns"),
            ("ns", ns) if ns < 1e6 => (1e3, "µs"),
            ("ns", ns) if ns < 1e9 => (1e6, "ms"),
            ("ns", _) => (1e9, "s"),
            ("B", bytes) if bytes < f64::from(1 << 20) => (1024.0, "KiB"),
            ("B", _) => (f64::from(1 << 20), "MiB"),
            ("share", _) => (0.01, "%"),
            ("1/s", _) => (1.0, "/s"),
            _ => (1.0, ""),
        }
    }
}

/// Three significant digits, or all those before the point.
fn number(value: f64) -> String {
    let decimals = match value.abs() {
        0.0 => 0,
        size if size < 0.01 => 4,
        size if size < 10.0 => 2,
        size if size < 100.0 => 1,
        _ => 0,
    };
    let text = format!("{value:.decimals$}");
    if decimals > 0 {
        return text;
    }
    let mut grouped = String::new();
    for (index, digit) in text.chars().enumerate() {
        if index > 0 && (text.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
