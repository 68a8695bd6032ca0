//! `compare merge`: several records as one.
//!
//! Runs are joined: their rounds come one after the other, each with a number
//! of its own, so that what is held against each other round by round comes
//! from the same run. Shards are added up: what several machines loaded one
//! server with in one window is one round of a larger load.
//!
//! Runs of unlike machines are refused, not kept side by side in one record:
//! a record has one machine, and the median over the rounds of two would be
//! that of neither. `compare cmp` holds one against the other. Load machines
//! may be unlike, because what is measured, the server, is the same one; which
//! they were is kept.

use std::path::PathBuf;

use clap::Args;

use crate::analysis::merge;
use crate::analysis::merge::source::Source;
use crate::base::exit::Outcome;
use crate::base::stdout;
use crate::model::provenance::Part;
use crate::model::runs;
use crate::output::merge::text;

/// What `compare merge` is told.
#[derive(Args, Debug)]
pub(crate) struct Merge {
    /// The runs, or the shards of a load: files, folders, or names in runs/
    #[arg(required = true, num_args = 2.., value_name = "RUN_OR_SHARD")]
    records: Vec<String>,
    /// The folder for the record that they make
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

impl Merge {
    /// Joins them, keeps the record and says what it is made of.
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        let mut sources = Vec::new();
        for name in &self.records {
            sources.push(read(name)?);
        }
        let merged = merge::merge(sources)?;
        runs::create(&self.out)?;
        let path = runs::file(&self.out);
        merged.write(&path)?;
        stdout::print(&text(&merged, &path))?;
        Ok(Outcome::Done)
    }
}

fn read(name: &str) -> anyhow::Result<Source> {
    let mut record = runs::read(name)?;
    if record.parts.is_empty() {
        record.parts = vec![Part::of(&record, name)];
    }
    Ok(Source { name: name.to_owned(), record })
}
