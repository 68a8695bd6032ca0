//! Printing to stdout.

use std::borrow::Cow;
use std::io::{self, ErrorKind, IsTerminal, Write};

use anyhow::Context;

use crate::base::printable::printable;

/// Prints a text to stdout; to a terminal, without control characters that are
/// commands to it. A closed pipe (`| head`) is not an error.
///
/// # Errors
///
/// Returns an error if the text can't be written for another reason, such as a
/// full disk.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    let text = if stdout.is_terminal() {
        Cow::Owned(printable(text))
    } else {
        Cow::Borrowed(text)
    };
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result.context("cannot write to stdout"),
    }
}
