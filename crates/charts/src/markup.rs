//! Turns text into HTML or SVG markup. Text is always escaped, because it may
//! come from outside, such as a server's log.

/// Escapes text, for use in an element or an attribute.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            // A server's log may contain these, and they are invalid in a page.
            letter if letter.is_control() && letter != '\n' => escaped += "�",
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// Turns text as in scenario files into paragraphs: blank lines separate them,
/// and backticks enclose `code`.
pub fn prose(text: &str) -> String {
    let paragraphs = text.trim().split("\n\n").filter(|p| !p.is_empty());
    let paragraphs = paragraphs.map(|paragraph| {
        let words: Vec<&str> = paragraph.split_whitespace().collect();
        format!("<p>{}</p>\n", inline(&words.join(" ")))
    });
    paragraphs.collect()
}

/// Turns text with `code` between backticks into markup, without paragraphs.
pub fn inline(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        // A backtick without a partner: the text contains no code.
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
    fn special_characters_are_escaped() {
        let text = "<b onclick='a'>\"&\u{1b}[1m";
        let expected = "&lt;b onclick=&#39;a&#39;&gt;&quot;&amp;�[1m";
        assert_eq!(escaped(text), expected);
    }

    #[test]
    fn prose_becomes_paragraphs_with_code() {
        let text = "\nOne `p99`\nline.\n\nTwo <b> `lines.\n";
        let expected = "<p>One <code>p99</code> line.</p>\n\
                        <p>Two &lt;b&gt; `lines.</p>\n";
        assert_eq!(prose(text), expected);
    }
}
