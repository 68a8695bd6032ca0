//! Prints to stdout.

use std::fmt;
use std::io::{self, Write};
use std::process;

/// Prints a line. Exits if stdout has been closed, as by `| head`.
pub(crate) fn print_line(line: fmt::Arguments<'_>) {
    /// The exit code that a shell reports after SIGPIPE: 128 + 13.
    const SIGPIPE: i32 = 141;
    if writeln!(io::stdout(), "{line}").is_err() {
        // The keeper ends the processes that were started.
        process::exit(SIGPIPE);
    }
}
