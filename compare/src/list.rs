//! `compare list`: who and what there is to choose from.

use std::path::PathBuf;

use clap::Args;

use crate::contestants;
use crate::exit::Outcome;
use crate::output;
use crate::scenarios;
use crate::workspace;

/// What `compare list` is told.
#[derive(Args, Debug)]
pub(crate) struct List {
    /// The file of contestants [default: bench/contestants.toml]
    #[arg(long, value_name = "FILE")]
    contestants: Option<PathBuf>,
}

impl List {
    /// Prints the contestants and the scenarios.
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        let root = workspace::root()?;
        let shipped = || root.join("bench/contestants.toml");
        let path = self.contestants.unwrap_or_else(shipped);
        let mut text = String::from("contestants\n");
        for contestant in contestants::read(&path)? {
            let label = contestant.label.name();
            let command = contestant.command.join(" ");
            let name = contestant.name;
            text += &format!("  {name:<16} {label:<10} {command}\n");
        }
        text += "scenarios\n";
        for scenario in scenarios::read(&root.join("bench/scenarios"))? {
            let (name, question) = (scenario.name, scenario.question);
            text += &format!("  {name:<16} {question}\n");
        }
        output::print(&text)?;
        Ok(Outcome::Done)
    }
}
