//! The flags that choose contestants.

use std::path::{Path, PathBuf};

use anyhow::ensure;
use clap::Args;
use regex_lite::Regex;

use crate::base::exit::Usage;
use crate::base::stderr::note;
use crate::cmd::patterns;
use crate::measure::programs;
use crate::model::contestant::{Contestant, Label};
use crate::model::contestants;
use crate::model::selection::selects;

/// The contestants that the command line selects.
#[derive(Args, Debug)]
pub(crate) struct ContestantArgs {
    /// Only contestants with this name or, if there is none, with a name that
    /// matches; repeatable, or separated by commas [default: those that
    /// `compare list` labels as idiomatic; with --contestants, all]
    #[arg(short = 'e', long = "contestant", value_name = "REGEX")]
    contestant: Vec<Regex>,
    /// Add a contestant, for example 'mine=python3 my_server.py {port}';
    /// {addr}, {host} and {port} are replaced by the address to listen on, its
    /// host and its port; repeatable
    #[arg(long, value_name = "NAME=COMMAND")]
    with: Vec<String>,
    /// The file that describes the contestants [default:
    /// bench/contestants.toml]
    #[arg(long, value_name = "FILE")]
    pub(crate) contestants: Option<PathBuf>,
}

impl ContestantArgs {
    /// Returns the contestants of the file whose name matches a pattern, or the
    /// idiomatic ones if neither a file nor a pattern is given, and those of
    /// `--with`, which replace contestants of the same name.
    ///
    /// # Errors
    ///
    /// Returns a [`Usage`] error if the file or a `--with` is invalid.
    pub(crate) fn choose(
        &self,
        root: &Path,
    ) -> anyhow::Result<Vec<Contestant>> {
        let shipped = || root.join("bench/contestants.toml");
        let path = self.contestants.clone().unwrap_or_else(shipped);
        let only_idiomatic =
            self.contestants.is_none() && self.contestant.is_empty();
        let mut contestants = contestants::read(&path)?;
        let given = self.given()?;
        let names = contestants.iter().chain(&given);
        let names: Vec<&str> = names.map(|c| c.name.as_str()).collect();
        let chosen = patterns::resolve("-e", &self.contestant, &names);
        contestants.retain(|contestant| {
            let is_idiomatic = contestant.label == Label::Idiomatic;
            selects(&chosen, &contestant.name)
                && (is_idiomatic || !only_idiomatic)
        });
        for mine in given {
            if contestants.iter().any(|other| other.name == mine.name) {
                note!(
                    "--with replaces the contestant `{}` of {}",
                    mine.name,
                    path.display()
                );
            }
            contestants.retain(|other| other.name != mine.name);
            contestants.push(mine);
        }
        Ok(contestants)
    }

    /// Returns the contestants of `--with`.
    fn given(&self) -> anyhow::Result<Vec<Contestant>> {
        let given = self.with.iter().map(|text| {
            let contestant = Contestant::given(text)?;
            let program = &contestant.command[0];
            // Reported before anything is built.
            ensure!(
                programs::is_executable(program),
                Usage(format!("--with '{text}': no program `{program}`"))
            );
            Ok(contestant)
        });
        given.collect()
    }
}
