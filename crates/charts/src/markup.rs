//! Text as markup: what is not ours is escaped, always.

/// A text that stands for itself, in an element or an attribute.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            // A server's log may hold anything, and these break a page.
            letter if letter.is_control() && letter != '\n' => escaped += "�",
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// Paragraphs of prose, with `code` between backticks, as the files of
/// scenarios have it.
pub fn prose(text: &str) -> String {
    let paragraphs = text.trim().split("\n\n").filter(|p| !p.is_empty());
    let paragraphs = paragraphs.map(|paragraph| {
        let words: Vec<&str> = paragraph.split_whitespace().collect();
        format!("<p>{}</p>\n", inline(&words.join(" ")))
    });
    paragraphs.collect()
}

/// One line of it.
pub fn inline(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        // A backtick without its partner is just that.
        return escaped(text);
    }
    let parts = parts.iter().enumerate().map(|(index, part)| {
        let part = escaped(part);
        if index % 2 == 1 { format!("<code>{part}</code>") } else { part }
    });
    parts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_name_becomes_markup() {
        let text = "<b onclick='a'>\"&\u{1b}[1m";
        let expected = "&lt;b onclick=&#39;a&#39;&gt;&quot;&amp;�[1m";
        assert_eq!(escaped(text), expected);
    }

    #[test]
    fn prose_has_paragraphs_and_code() {
        let text = "\nOne `p99`\nline.\n\nTwo <b> `lines.\n";
        let expected = "<p>One <code>p99</code> line.</p>\n\
                        <p>Two &lt;b&gt; `lines.</p>\n";
        assert_eq!(prose(text), expected);
    }
}
