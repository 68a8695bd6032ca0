//! `compare list`: prints the contestants, scenarios, claims and budgets, or the
//! runs.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::analysis::questions;
use crate::base::exit::Outcome;
use crate::base::stderr::note;
use crate::base::stdout;
use crate::base::workspace;
use crate::model::budgets::{self, Budget};
use crate::model::claims::{self, Claim};
use crate::model::contestant::Label;
use crate::model::contestants;
use crate::model::record::Record;
use crate::model::runs;
use crate::model::scenarios::{self, Scenario};

/// The arguments of `compare list`.
#[derive(Args, Debug)]
pub(crate) struct List {
    /// Instead of what can be measured, list the runs under runs/
    #[arg(value_enum, conflicts_with = "contestants")]
    what: Option<What>,
    /// The file that describes the contestants [default:
    /// bench/contestants.toml]
    #[arg(long, value_name = "FILE")]
    contestants: Option<PathBuf>,
}

/// What can be listed alone.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    Runs,
}

impl List {
    /// Prints the contestants, the scenarios, the claims and the budgets, or
    /// the runs.
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        if let Some(What::Runs) = self.what {
            return list_runs();
        }
        let root = workspace::root()?;
        let shipped = || root.join("bench/contestants.toml");
        let path = self.contestants.unwrap_or_else(shipped);
        let contestants = contestants::read(&path)?;
        let mut scenarios = scenarios::read(&root.join("bench/scenarios"))?;
        scenarios.sort_by_key(|s| questions::reading_position(&s.name));
        let names = contestants.iter().map(|c| &c.name);
        let names = names.chain(scenarios.iter().map(|s| &s.name));
        let claims = claims::read(&root.join("bench/claims.toml"))?;
        let budgets = budgets::read(&root.join("bench/budgets.toml"))?.budgets;
        let names = names.map(String::as_str);
        let names = names.chain(claims.iter().map(Claim::name));
        let names = names.chain(budgets.iter().map(Budget::name));
        let width = names.map(str::len).max().unwrap_or(0);
        let mut text = String::from("contestants\n");
        for contestant in contestants {
            let label = contestant.label.name();
            let command = contestant.command.join(" ");
            let name = contestant.name;
            text += &format!("  {name:<width$} {label:<10} {command}\n");
        }
        text += &labels();
        text += "scenarios\n";
        for Scenario { name, question, on_request, .. } in scenarios {
            let when = if on_request { "on request" } else { "" };
            text += &format!("  {name:<width$} {when:<10} {question}\n");
        }
        text += "claims\n";
        for claim in claims {
            let (name, text_of_claim) = (claim.name(), &claim.says);
            let version = claim.version_in_words();
            text +=
                &format!("  {name:<width$} {version:<10} {text_of_claim}\n");
        }
        text += "budgets\n";
        for budget in budgets {
            let (name, what) = (budget.name(), &budget.what);
            text += &format!("  {name:<width$} {:<10} {what}\n", "");
        }
        stdout::print(&text)?;
        Ok(Outcome::Done)
    }
}

/// Prints one line per run, the newest last.
fn list_runs() -> anyhow::Result<Outcome> {
    let paths = runs::all()?;
    if paths.is_empty() {
        note!("there are no runs");
        return Ok(Outcome::NothingSelected);
    }
    let mut text = String::new();
    for path in paths {
        let folder = path.parent().and_then(Path::file_name);
        let name = folder.unwrap_or_default().to_string_lossy();
        let what = match Record::read(&path) {
            Ok(record) => about(&record),
            Err(error) => error.to_string(),
        };
        text += &format!("{name}  {what}\n");
    }
    stdout::print(&text)?;
    Ok(Outcome::Done)
}

/// Describes a run in a line.
fn about(record: &Record) -> String {
    let contestants = record.contestants().count();
    let scenarios = record.scenarios.len();
    let what = match (record.has_rounds(), record.complete) {
        (false, _) => "nothing was measured",
        (true, false) => "incomplete",
        (true, true) => "complete",
    };
    format!(
        "{contestants} contestants, {scenarios} scenarios, {} rounds: {what}",
        record.rounds
    )
}

/// Returns the legend of the labels.
fn labels() -> String {
    let labels =
        [Label::Idiomatic, Label::Mistake, Label::Historical, Label::Peer];
    let lines = labels
        .map(|label| format!("    {:<10} {}\n", label.name(), label.meaning()));
    format!("  labels\n{}", lines.concat())
}
