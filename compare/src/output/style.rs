//! Bold type and colours, for stdout if it is a terminal.

use std::env;
use std::io::{self, IsTerminal};

/// What a part of a text is, which determines its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Emphasis {
    /// No emphasis.
    Plain,
    /// A heading.
    Heading,
    /// The best figure.
    Best,
    /// A figure that equals the best one.
    Equal,
    /// An unreliable figure.
    Suspect,
    /// A missing figure.
    Void,
}

/// Whether texts are emphasized.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Styles {
    is_on: bool,
}

impl Styles {
    /// Returns the styles for stdout: none if it isn't a terminal, or if
    /// NO_COLOR is set (see <https://no-color.org>).
    pub(crate) fn of_stdout() -> Styles {
        let is_off = env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty())
            || env::var_os("TERM").is_some_and(|term| term == "dumb");
        Styles { is_on: !is_off && io::stdout().is_terminal() }
    }

    /// Returns the styles of a text without escape sequences.
    pub(crate) fn none() -> Styles {
        Styles { is_on: false }
    }

    /// Returns the styles of a text with escape sequences.
    #[cfg(test)]
    pub(crate) fn always() -> Styles {
        Styles { is_on: true }
    }

    /// Returns a text with its emphasis.
    pub(crate) fn paint(self, emphasis: Emphasis, text: &str) -> String {
        let codes = match emphasis {
            Emphasis::Plain => "",
            Emphasis::Heading => "1",
            Emphasis::Best => "1;32",
            Emphasis::Equal => "32",
            Emphasis::Suspect => "33",
            Emphasis::Void => "31",
        };
        if !self.is_on || codes.is_empty() || text.is_empty() {
            return text.to_owned();
        }
        format!("\x1b[{codes}m{text}\x1b[0m")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_painted_only_with_a_style() {
        let on = Styles::always();
        assert_eq!(on.paint(Emphasis::Void, "void"), "\x1b[31mvoid\x1b[0m");
        assert_eq!(on.paint(Emphasis::Plain, "1"), "1");
        assert_eq!(Styles::none().paint(Emphasis::Best, "1"), "1");
    }
}
