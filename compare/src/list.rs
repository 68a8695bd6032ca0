//! `compare list`: who and what there is to choose from.

use std::path::PathBuf;

use clap::Args;

use crate::contestants;
use crate::exit::Outcome;
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
        println!("contestants");
        for contestant in contestants::read(&path)? {
            let label = contestant.label.name();
            let command = contestant.command.join(" ");
            println!("  {:<16} {label:<10} {command}", contestant.name);
        }
        println!("scenarios");
        for scenario in scenarios::read(&root.join("bench/scenarios"))? {
            println!("  {:<16} {}", scenario.name, scenario.question);
        }
        Ok(Outcome::Done)
    }
}
