//! Builds the course: an mdBook whose code, charts and figures are filled in.
//!
//! ```text
//! cargo run -p book -- build
//! cargo run -p book -- build --run my-run.json
//! cargo run -p book -- serve
//! ```
//!
//! Nothing is copied into a chapter by hand. Code comes from the crates, and
//! figures come from a recorded run. A name that can't be found fails the
//! build.

mod chart;
mod code;
mod directive;
mod exercise;
mod figures;
mod links;
mod preprocessor;
mod serve;
mod timeline;
mod verdicts;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::{Parser, Subcommand};
use mdbook_driver::MDBook;

use figures::{Figures, Runs};
use preprocessor::Course;
use verdicts::Verdicts;

/// The run that the course takes its figures from by default.
const FIGURES: &str = "bench/recorded/full-2026-11-30/figures.json";

/// A run of the deliberate mistakes, for figures that the first run lacks.
const MISTAKES: &str = "bench/recorded/mistakes-2026-11-30/figures.json";

/// The verdicts on the talk's claims.
const CLAIMS: &str = "bench/recorded/claims-2026-11-30/claims.json";

/// Builds the course
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build the pages and check every link between them
    Build(Build),
    /// Build and serve the pages; rebuild when a source changes
    Serve(Serve),
}

#[derive(clap::Args)]
struct Serve {
    #[command(flatten)]
    build: Build,
    /// The address to serve on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
}

#[derive(clap::Args)]
struct Build {
    /// Take the figures from FILE, written by `compare report RUN --json FILE`
    #[arg(long, value_name = "FILE")]
    run: Option<PathBuf>,
    /// Take the verdicts from FILE, written by `compare claims RUN --json FILE`
    #[arg(long, value_name = "FILE")]
    claims: Option<PathBuf>,
    /// The folder for the pages [default: book/html]
    #[arg(long, value_name = "FOLDER")]
    dest: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let root = root()?;
    match Cli::parse().command {
        Command::Build(build) => {
            let pages = build.build(&root)?;
            println!("{}", pages.join("index.html").display());
            Ok(())
        }
        Command::Serve(Serve { build, listen }) => {
            serve::serve(&root, listen, || build.build(&root))
        }
    }
}

impl Build {
    /// Builds the book and returns the folder of its pages.
    fn build(&self, root: &Path) -> anyhow::Result<PathBuf> {
        let path_or = |path: &Option<PathBuf>, default: &str| {
            path.clone().unwrap_or_else(|| root.join(default))
        };
        let runs = Runs(vec![
            Figures::read(&path_or(&self.run, FIGURES))?,
            Figures::read(&root.join(MISTAKES))?,
        ]);
        let verdicts = Verdicts::read(&path_or(&self.claims, CLAIMS))?;
        let mut book = MDBook::load(root.join("book"))?;
        if let Some(folder) = &self.dest {
            book.config.build.build_dir = std::path::absolute(folder)?;
        }
        if self.run.is_some() {
            println!("{}", runs.first().origin());
        }
        let course = Course { root: root.to_owned(), runs, verdicts };
        book.with_preprocessor(course);
        book.build().map_err(|error| self.with_advice(error))?;
        let pages = book.build_dir_for("html");
        let dead = links::dead(&pages)?;
        ensure!(dead.is_empty(), "dead links:\n{}", dead.join("\n"));
        Ok(pages)
    }

    /// Adds advice to a build error if the figures come from `--run`.
    fn with_advice(&self, error: anyhow::Error) -> anyhow::Error {
        match &self.run {
            Some(run) => error.context(format!(
                "the figures in {} may be incomplete: record the run with \
                 `compare run --full` and its default windows",
                run.display()
            )),
            None => error,
        }
    }
}

/// Returns the root of the workspace.
fn root() -> anyhow::Result<PathBuf> {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(Path::to_owned)
        .context("the crate must be inside the workspace")
}
