//! Printing to stdout.

use std::io::{self, ErrorKind, Write};

use anyhow::Context;

/// Prints a text to stdout. A closed pipe (`| head`) is not an error.
///
/// # Errors
///
/// Returns an error if the text can't be written for another reason, such as a
/// full disk.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result.context("cannot write to stdout"),
    }
}
