//! `compare report`: a run that was kept, in a form to read and to pass on.

mod csv;
mod html;
mod json;
mod markdown;
mod sheet;
pub(crate) mod text;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::Args;

use crate::exit::{Outcome, Usage};
use crate::output;
use crate::runs;
use sheet::Sheet;

/// Stands for stdout where a file is asked for.
const STDOUT: &str = "-";

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
        let wanted: [(&str, Option<PathBuf>, Exporter); 4] = [
            ("--html", html, html::page),
            ("--markdown", markdown, markdown::tables),
            ("--csv", csv, csv::rows),
            ("--json", json, json::document),
        ];
        let wanted: Vec<_> = wanted
            .into_iter()
            .filter_map(|(flag, path, export)| Some((flag, path?, export)))
            .collect();
        let to_stdout = wanted.iter().filter(|(_, path, _)| is_stdout(path));
        ensure!(
            to_stdout.count() <= 1,
            Usage("only one of the forms can go to stdout (-)".to_owned())
        );
        let record = runs::read(&run)?;
        if wanted.is_empty() {
            output::print(&text::text(&record))?;
            return Ok(Outcome::Done);
        }
        let sheet = Sheet::of(&record);
        for (flag, path, export) in wanted {
            let text = export(&sheet)?;
            if is_stdout(&path) {
                output::print(&text)?;
            } else {
                fs::write(&path, text).with_context(|| {
                    format!("{flag}: cannot write {}", path.display())
                })?;
            }
        }
        Ok(Outcome::Done)
    }
}

/// Makes a text of the figures of a run.
type Exporter = fn(&Sheet<'_>) -> anyhow::Result<String>;

fn is_stdout(path: &Path) -> bool {
    path.as_os_str() == STDOUT
}
