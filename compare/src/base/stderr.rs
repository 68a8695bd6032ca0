//! Printing to stderr.

/// Prints a line to stderr. Unlike `eprintln!`, it doesn't panic if its
/// reader has gone.
macro_rules! note {
    ($($argument:tt)*) => {{
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), $($argument)*);
    }};
}

pub(crate) use note;
