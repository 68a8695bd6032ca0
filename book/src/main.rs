//! Builds the course.
//!
//! ```text
//! cargo run -p book -- build
//! cargo run -p book -- build --run my-run.json
//! cargo run -p book -- serve
//! ```
//!
//! Nothing in a chapter is copied: code is taken from the crates that ship,
//! figures from a run that was kept. What is not there breaks the build.

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

/// The run that the book is printed with.
const FIGURES: &str = "bench/recorded/full-2026-11-24/figures.json";

/// One that the mistakes take part in, where the other has not got them.
const MISTAKES: &str = "bench/recorded/mistakes-2026-11-24/figures.json";

/// What it said of the talk's claims.
const CLAIMS: &str = "bench/recorded/claims-2026-11-24/claims.json";

/// Builds the course.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Builds the pages, and checks every link
    Build(Build),
    /// Builds and serves them, and does so again when a source changes
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
    /// Take the figures of another run: what `compare report RUN --json FILE`
    /// wrote
    #[arg(long, value_name = "FILE")]
    run: Option<PathBuf>,
    /// Take the verdicts of another run: what `compare claims RUN --json FILE`
    /// wrote
    #[arg(long, value_name = "FILE")]
    claims: Option<PathBuf>,
    /// Where the pages go [default: book/html]
    #[arg(long, value_name = "FOLDER")]
    dest: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let root = root()?;
    match Cli::parse().verb {
        Verb::Build(build) => {
            let pages = build.build(&root)?;
            println!("{}", pages.join("index.html").display());
            Ok(())
        }
        Verb::Serve(Serve { build, listen }) => {
            serve::serve(&root, listen, || build.build(&root))
        }
    }
}

impl Build {
    /// Builds the book, and says where it is.
    fn build(&self, root: &Path) -> anyhow::Result<PathBuf> {
        let ours = |path: &Option<PathBuf>, otherwise: &str| {
            path.clone().unwrap_or_else(|| root.join(otherwise))
        };
        let runs = Runs(vec![
            Figures::read(&ours(&self.run, FIGURES))?,
            Figures::read(&root.join(MISTAKES))?,
        ]);
        let verdicts = Verdicts::read(&ours(&self.claims, CLAIMS))?;
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

    /// What to do about it, where a run of the reader's own lacks something.
    fn with_advice(&self, error: anyhow::Error) -> anyhow::Error {
        match &self.run {
            Some(run) => error.context(format!(
                "the course shows what `compare run --full` measures, in \
                 windows as long as it has by itself: has {} all of that?",
                run.display()
            )),
            None => error,
        }
    }
}

/// The workspace, wherever in it we are.
fn root() -> anyhow::Result<PathBuf> {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(Path::to_owned)
        .context("the crate stands in the workspace")
}
