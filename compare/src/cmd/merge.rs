//! `compare merge`: merges several records into one.
//!
//! The rounds of runs are concatenated and renumbered, so that ratios within a
//! round still come from one run. Shards are added up: the loads of several
//! machines on one server, in one window, make one round of a larger load.
//!
//! Runs of different machines are refused: a record has one machine, and the
//! median over the rounds of two would describe neither. `compare cmp` compares
//! such runs. The machines of shards may differ, because the measured server is
//! the same; the record keeps them all.

use std::path::PathBuf;

use clap::Args;

use crate::analysis::merge;
use crate::analysis::merge::source::Source;
use crate::base::exit::Outcome;
use crate::base::stdout;
use crate::model::provenance::Part;
use crate::model::runs;
use crate::output::merge::text;

/// The arguments of `compare merge`.
#[derive(Args, Debug)]
pub(crate) struct Merge {
    /// The runs to merge, or the shards: records that `compare load` made on
    /// several machines. Each is a file, a folder, or a name under runs/
    #[arg(required = true, num_args = 2.., value_name = "RUN_OR_SHARD")]
    records: Vec<String>,
    /// The folder for the merged record
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

impl Merge {
    /// Merges the records, writes the result and prints its parts.
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

/// Reads a record to merge. One that wasn't merged itself is its only part.
fn read(name: &str) -> anyhow::Result<Source> {
    let mut record = runs::read(name)?;
    if record.parts.is_empty() {
        record.parts = vec![Part::of(&record, name)];
    }
    Ok(Source { name: name.to_owned(), record })
}
