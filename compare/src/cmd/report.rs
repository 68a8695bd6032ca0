//! `compare report`: a run that was kept, in a form to read and to pass on.

use std::path::PathBuf;

use clap::Args;

use crate::base::exit::Outcome;
use crate::base::stdout;
use crate::model::runs;
use crate::output::export::{self, Export};
use crate::output::sheet::Sheet;
use crate::output::{csv, html, json, markdown, text};

/// What `compare report` is told.
#[derive(Args, Debug)]
pub(crate) struct Report {
    /// The run: its file, its folder, its name under runs/, or `last`
    run: String,
    /// A page that needs no network, with charts
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Tables for a README or an issue
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// A row for each figure of each cell; - is stdout, for all four
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// The same, with what one must know of the run
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl Report {
    /// Writes what was asked for; the table, if nothing was.
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        let Report { run, html, markdown, csv, json } = self;
        let exports = [
            Export::new("--html", &html, html::page as _),
            Export::new("--markdown", &markdown, markdown::tables as _),
            Export::new("--csv", &csv, csv::rows as _),
            Export::new("--json", &json, json::document as _),
        ];
        export::check(&exports)?;
        let record = runs::read(&run)?;
        if [&html, &markdown, &csv, &json].iter().all(|path| path.is_none()) {
            stdout::print(&text::text(&record))?;
        } else {
            export::write(&exports, &Sheet::of(&record))?;
        }
        Ok(Outcome::Done)
    }
}
