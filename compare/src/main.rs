//! Measures what concurrency models cost: runs servers that differ only in
//! their model side by side, under the same load, and compares them.
//!
//! ```text
//! cargo run --release -p compare
//! cargo run --release -p compare -- --quick -e threads -e mio
//! cargo run --release -p compare -- load --addr 127.0.0.1:25000 --n 30
//! ```

#[cfg(not(target_os = "linux"))]
compile_error!(
    "compare runs only on Linux: it needs epoll, /proc, CPU affinity and the \
     CPU clocks of other processes"
);

mod analysis;
mod base;
mod cmd;
mod load;
mod measure;
mod model;
mod output;

use std::process::ExitCode;

use launch::keeper::{self, Role};

fn main() -> ExitCode {
    run().unwrap_or_else(|error| {
        base::stderr::note!("error: {error:#}");
        base::exit::code_of(&error)
    })
}

fn run() -> anyhow::Result<ExitCode> {
    match Role::of_this_process()? {
        Role::Runner(arguments) => {
            cmd::cli::Cli::of(&arguments).run().map(ExitCode::from)
        }
        Role::Keeper { parent, arguments } => {
            base::exit::code_of_kept(keeper::keep(parent, arguments)?)
        }
        Role::Front(arguments) => {
            let cli = cmd::cli::Cli::of(&arguments);
            if cli.starts_servers() {
                base::exit::code_of_kept(keeper::run_kept(arguments)?)
            } else {
                cli.run().map(ExitCode::from)
            }
        }
    }
}
