//! What goes to stdout.

use std::fmt;
use std::io::{self, Write};
use std::process;

/// Prints a line. Who stops reading (`| head`) has read enough.
pub(crate) fn say(line: fmt::Arguments<'_>) {
    /// 128 + SIGPIPE, as a shell reports it.
    const UNREAD: i32 = 141;
    if writeln!(io::stdout(), "{line}").is_err() {
        // The keeper ends what was started.
        process::exit(UNREAD);
    }
}
