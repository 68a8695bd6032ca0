//! `compare report`: writes the results of a run as a page, tables or data.

use std::path::PathBuf;

use clap::Args;

use crate::base::exit::Outcome;
use crate::base::stdout;
use crate::cmd::margin_args::MarginArgs;
use crate::model::runs;
use crate::output::export::{self, Export};
use crate::output::sheet::Sheet;
use crate::output::text::Detail;
use crate::output::{csv, html, json, markdown, text};

/// The arguments of `compare report`.
#[derive(Args, Debug)]
pub(crate) struct Report {
    /// The run: its file, its folder, its name under runs/, or `last`
    run: String,
    /// Write to FILE a page with charts that works offline; `-` is stdout
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write Markdown tables, for a README or an issue; `-` is stdout
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Write CSV, one row per scenario, contestant and figure; `-` is stdout
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Write JSON: the figures and a description of the run; `-` is stdout
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Print all intervals, ratios and notes, not only the answers
    #[arg(long, conflicts_with_all = ["html", "markdown", "csv", "json"])]
    verbose: bool,
    #[command(flatten)]
    margin: MarginArgs,
}

impl Report {
    /// Writes the requested formats, or prints the table if there are none.
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        let Report { run, html, markdown, csv, json, verbose, margin } = self;
        let exports = [
            Export::new("--html", &html, html::page as _),
            Export::new("--markdown", &markdown, markdown::tables as _),
            Export::new("--csv", &csv, csv::rows as _),
            Export::new("--json", &json, json::document as _),
        ];
        export::check(&exports)?;
        let record = runs::read(&run)?;
        let sheet = Sheet::with_margin(&record, margin.margin);
        if [&html, &markdown, &csv, &json].iter().all(|path| path.is_none()) {
            stdout::print(&text::text(&sheet, Detail::of(verbose)))?;
        } else {
            export::write(&exports, &sheet)?;
        }
        Ok(Outcome::Done)
    }
}
