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

mod advise;
mod agree;
mod answers;
mod asked;
mod build;
mod calibrate;
mod cell;
mod claims;
mod cli;
mod cmp;
mod completions;
mod contestants;
mod cpus;
mod exit;
mod faulty;
mod findings;
mod forms;
mod interrupt;
mod known;
mod limits;
mod list;
mod load;
mod machine;
mod measuring;
mod merge;
mod output;
mod parts;
mod process_tree;
mod progress;
mod questions;
mod rank;
mod record;
mod report;
mod run;
mod runs;
mod scenarios;
mod schema;
mod selection;
mod selftest;
mod statistics;
mod system_calls;
mod table;
mod units;
mod verdict;
mod verify;
mod workspace;

use std::process::ExitCode;

use clap::Parser;
use launch::keeper::{self, Role};

fn main() -> ExitCode {
    run().unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        exit::code_of(&error)
    })
}

fn run() -> anyhow::Result<ExitCode> {
    match Role::of_this_process()? {
        Role::Runner(arguments) => {
            cli::Cli::parse_from(arguments).carry_out().map(ExitCode::from)
        }
        Role::Keeper { parent, arguments } => {
            exit::code_of_kept(keeper::keep(parent, arguments)?)
        }
        Role::Front(arguments) => {
            let cli = cli::Cli::parse_from(&arguments);
            match cli.starts_servers() {
                true => exit::code_of_kept(keeper::run_kept(arguments)?),
                false => cli.carry_out().map(ExitCode::from),
            }
        }
    }
}
