//! The flags that choose contestants.

use std::path::{Path, PathBuf};

use clap::Args;
use regex_lite::Regex;

use crate::model::contestant::Contestant;
use crate::model::contestant::Label;
use crate::model::contestants::read;
use crate::model::selection::selects;

/// Who is to be measured, as the command line says it.
#[derive(Args, Debug)]
pub(crate) struct ContestantArgs {
    /// Only contestants whose name matches; repeatable [default: the
    /// idiomatic ones]
    #[arg(short = 'e', long = "contestant", value_name = "REGEX")]
    contestant: Vec<Regex>,
    /// One more contestant, as 'mine=python3 my_server.py {port}'; {addr},
    /// {host} and {port} stand for where to listen; repeatable
    #[arg(long, value_name = "NAME=COMMAND")]
    with: Vec<String>,
    /// The file of contestants [default: bench/contestants.toml]
    #[arg(long, value_name = "FILE")]
    pub(crate) contestants: Option<PathBuf>,
}

impl ContestantArgs {
    /// Those of the file whose name one of the patterns matches, or the
    /// idiomatic ones where neither is said; and those of the command line, in
    /// place of any that have their name.
    ///
    /// # Errors
    ///
    /// A [`Usage`] error says what is wrong with whom.
    pub(crate) fn choose(
        &self,
        root: &Path,
    ) -> anyhow::Result<Vec<Contestant>> {
        let shipped = || root.join("bench/contestants.toml");
        let path = self.contestants.clone().unwrap_or_else(shipped);
        let only_usual =
            self.contestants.is_none() && self.contestant.is_empty();
        let mut contestants = read(&path)?;
        for pattern in &self.contestant {
            // Those that match somebody hide one that was mistyped.
            if !contestants.iter().any(|c| pattern.is_match(&c.name)) {
                eprintln!("-e '{pattern}' matches nobody");
            }
        }
        contestants.retain(|contestant| {
            let is_usual = contestant.label == Label::Idiomatic;
            selects(&self.contestant, &contestant.name)
                && (is_usual || !only_usual)
        });
        for text in &self.with {
            let mine = Contestant::given(text)?;
            if contestants.iter().any(|other| other.name == mine.name) {
                eprintln!("yours takes the place of our own `{}`", mine.name);
            }
            contestants.retain(|other| other.name != mine.name);
            contestants.push(mine);
        }
        Ok(contestants)
    }
}
