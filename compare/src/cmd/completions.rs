//! `compare completions`: prints shell completions.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::base::exit::Outcome;
use crate::base::stdout;
use crate::cmd::cli::Cli;

/// The arguments of `compare completions`.
#[derive(Args, Debug)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    /// Prints the script.
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        let mut script = Vec::new();
        let mut command = Cli::command();
        clap_complete::generate(
            self.shell,
            &mut command,
            "compare",
            &mut script,
        );
        stdout::print(&String::from_utf8_lossy(&script))?;
        Ok(Outcome::Done)
    }
}
