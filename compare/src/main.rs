//! Measures what a concurrency model costs: starts servers that differ in
//! nothing else, side by side, and prints what each does under the same load.
//!
//! ```text
//! cargo run --release -p compare
//! cargo run --release -p compare -- --quick -e threads -e mio
//! cargo run --release -p compare -- load --addr 127.0.0.1:25000 --n 30
//! ```

#[cfg(not(target_os = "linux"))]
compile_error!(
    "compare measures by means of Linux: epoll, /proc, CPU affinity and the \
     CPU clocks of other processes"
);

mod analysis {
    pub(crate) mod advice;
    pub(crate) mod claims;
    pub(crate) mod compatibility;
    pub(crate) mod findings;
    pub(crate) mod questions;
    pub(crate) mod statistics;
    pub(crate) mod sum;
    pub(crate) mod units;
    pub(crate) mod verdict;
}
mod base {
    pub(crate) mod exit;
    pub(crate) mod interrupt;
    pub(crate) mod limits;
    pub(crate) mod stdout;
    pub(crate) mod workspace;
}
mod cmd {
    pub(crate) mod advise;
    pub(crate) mod claims;
    pub(crate) mod cli;
    pub(crate) mod cmp;
    pub(crate) mod completions;
    pub(crate) mod faulty;
    pub(crate) mod list;
    pub(crate) mod load;
    pub(crate) mod merge;
    pub(crate) mod rank;
    pub(crate) mod report;
    pub(crate) mod run;
    pub(crate) mod schema;
    pub(crate) mod selftest;
    pub(crate) mod verify;
}
mod load {
    pub(crate) mod connection;
    pub(crate) mod engine;
    pub(crate) mod process_tree;
    pub(crate) mod resources;
    pub(crate) mod schedule;
    pub(crate) mod sockets;
    pub(crate) mod tally;
    pub(crate) mod worker;
}
mod measure {
    pub(crate) mod build;
    pub(crate) mod calibration;
    pub(crate) mod cell;
    pub(crate) mod machine;
    pub(crate) mod measuring;
    pub(crate) mod processors;
    pub(crate) mod progress;
    pub(crate) mod system_calls;
}
mod model {
    pub(crate) mod claims;
    pub(crate) mod contestants;
    pub(crate) mod invocation;
    pub(crate) mod load_plan;
    pub(crate) mod load_report;
    pub(crate) mod mix;
    pub(crate) mod provenance;
    pub(crate) mod reading;
    pub(crate) mod record;
    pub(crate) mod runs;
    pub(crate) mod scenarios;
    pub(crate) mod selection;
}
mod output {
    pub(crate) mod advice;
    pub(crate) mod claims {
        pub(crate) mod html;
        pub(crate) mod json;
        pub(crate) mod markdown;
        pub(crate) mod outcomes;
        pub(crate) mod text;
    }
    pub(crate) mod csv;
    pub(crate) mod export;
    pub(crate) mod html;
    pub(crate) mod json;
    pub(crate) mod markdown;
    pub(crate) mod sheet;
    pub(crate) mod summary;
    pub(crate) mod table;
    pub(crate) mod text;
}

use std::process::ExitCode;

use clap::Parser;
use launch::keeper::{self, Role};

fn main() -> ExitCode {
    run().unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        base::exit::code_of(&error)
    })
}

fn run() -> anyhow::Result<ExitCode> {
    match Role::of_this_process()? {
        Role::Runner(arguments) => {
            cmd::cli::Cli::parse_from(arguments).carry_out().map(ExitCode::from)
        }
        Role::Keeper { parent, arguments } => {
            base::exit::code_of_kept(keeper::keep(parent, arguments)?)
        }
        Role::Front(arguments) => {
            let cli = cmd::cli::Cli::parse_from(&arguments);
            match cli.starts_servers() {
                true => base::exit::code_of_kept(keeper::run_kept(arguments)?),
                false => cli.carry_out().map(ExitCode::from),
            }
        }
    }
}
