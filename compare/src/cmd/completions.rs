//! `compare completions`: prints shell completions.

use clap::{Args, Command};
use clap_complete::Shell;

use crate::base::exit::Outcome;
use crate::base::stdout;

/// The arguments of `compare completions`.
#[derive(Args, Debug)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    /// Prints the script that completes the flags of `command`.
    pub(crate) fn run(self, mut command: Command) -> anyhow::Result<Outcome> {
        let mut script = Vec::new();
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
