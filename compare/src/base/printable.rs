//! Texts for a terminal that contain names from files.

/// Escapes the control characters of a text: a terminal would take them as
/// commands. Line feeds, tabs and colours are kept.
pub(crate) fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for (index, c) in text.char_indices() {
        if c.is_control() && !"\n\t".contains(c) && !is_colour(&text[index..]) {
            printable.extend(c.escape_default());
        } else {
            printable.push(c);
        }
    }
    printable
}

/// Escapes line feeds, too, which names from files may contain.
pub(crate) fn one_line(text: &str) -> String {
    printable(text).replace('\n', "\\n")
}

/// Returns whether a text begins with an escape sequence for colours or bold
/// type.
fn is_colour(text: &str) -> bool {
    let codes = text.strip_prefix("\u{1b}[");
    codes.is_some_and(|codes| {
        let is_code = |c: char| c.is_ascii_digit() || c == ';';
        codes.trim_start_matches(is_code).starts_with('m')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_line_feeds_tabs_and_colours_are_left_of_control_characters() {
        let cases = [
            ("a\n\tb", "a\n\tb"),
            ("\u{1b}[1;32mbest\u{1b}[0m", "\u{1b}[1;32mbest\u{1b}[0m"),
            ("\u{1b}[2Jclear", "\\u{1b}[2Jclear"),
            ("\u{1b}]0;title\u{7}", "\\u{1b}]0;title\\u{7}"),
            ("\u{1b}", "\\u{1b}"),
            ("over\rwrite\u{9b}2J", "over\\rwrite\\u{9b}2J"),
        ];
        for (text, expected) in cases {
            assert_eq!(printable(text), expected);
        }
        assert_eq!(one_line("a\nb"), "a\\nb");
    }
}
