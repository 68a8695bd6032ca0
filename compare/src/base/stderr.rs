//! Printing to stderr.

/// Prints a line to stderr, without control characters. Unlike `eprintln!`, it
/// doesn't panic if its reader has gone.
macro_rules! note {
    ($($argument:tt)*) => {{
        use std::io::Write;
        let text = crate::base::printable::printable(&format!($($argument)*));
        let _ = writeln!(std::io::stderr(), "{text}");
    }};
}

pub(crate) use note;
