//! Lines of a limited width, for terminals.

/// The width of what is printed, in columns.
pub(crate) const WIDTH: usize = 80;

/// The indentation of the second and following lines of a paragraph.
const INDENT: &str = "  ";

/// Returns a text as lines of at most [`WIDTH`] columns, all but the first one
/// indented. Words that are longer aren't broken.
pub(crate) fn paragraph(text: &str) -> String {
    let mut lines = wrapped(text, WIDTH - INDENT.len()).into_iter();
    let mut paragraph = lines.next().unwrap_or_default();
    for line in lines {
        paragraph += "\n";
        paragraph += INDENT;
        paragraph += &line;
    }
    paragraph + "\n"
}

/// Returns items as lines of at most [`WIDTH`] columns, without breaking them.
pub(crate) fn items(items: &[String]) -> String {
    let mut text = String::new();
    let mut column = 0;
    for (index, item) in items.iter().enumerate() {
        let is_last = index + 1 == items.len();
        let item = if is_last { item.clone() } else { format!("{item};") };
        let width = item.chars().count();
        if column > 0 && column + 1 + width > WIDTH {
            text += "\n";
            column = 0;
        }
        if column > 0 {
            text += " ";
            column += 1;
        }
        text += &item;
        column += width;
    }
    text + "\n"
}

/// Breaks a text into lines, between words. A line has at least one word.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    // A number stays with its unit.
    for word in words(text) {
        match lines.last_mut() {
            Some(line)
                if line.chars().count() + 1 + word.chars().count() <= width =>
            {
                *line += " ";
                *line += &word;
            }
            _ => lines.push(word),
        }
    }
    lines
}

/// Splits a text into words; a per cent sign belongs to its number.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match words.last_mut() {
            Some(last)
                if word.starts_with('%')
                    && last.ends_with(|c: char| c.is_ascii_digit()) =>
            {
                *last += " ";
                *last += word;
            }
            _ => words.push(word.to_owned()),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_broken_between_words() {
        let lines = wrapped("one two three unbreakable", 7);
        assert_eq!(lines, ["one two", "three", "unbreakable"]);
        assert_eq!(wrapped("", 7), [""; 0]);
        assert_eq!(wrapped("within 3 %", 8), ["within", "3 %"]);
    }

    #[test]
    fn a_paragraph_is_indented_from_its_second_line() {
        let text = paragraph(&"word ".repeat(20));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[1].starts_with("  word"), "{text}");
        assert!(lines.iter().all(|line| line.len() <= WIDTH), "{text}");
    }
}
