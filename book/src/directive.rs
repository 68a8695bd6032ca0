//! What a chapter asks for: `{{#name arguments}}`.

use std::ops::Range;

use anyhow::{Context, bail};

/// Something to be put in the place of a part of a chapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Directive {
    /// What is asked for.
    pub(crate) name: String,
    /// Of what.
    pub(crate) arguments: String,
    /// Where it stands, in bytes.
    pub(crate) place: Range<usize>,
}

/// A figure of a contestant in a scenario, as `cost of mio in perf2-crowd`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    /// Which figure.
    pub(crate) figure: String,
    /// Whose.
    pub(crate) contestant: String,
    /// In which scenario.
    pub(crate) scenario: String,
}

/// Finds the directives of a text. A backslash before one makes it a text
/// that is about directives.
pub(crate) fn find(text: &str) -> anyhow::Result<Vec<Directive>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(offset) = text[from..].find("{{#") {
        let start = from + offset;
        let inner = start + "{{#".len();
        let length = text[inner..]
            .find("}}")
            .with_context(|| format!("line {}: no }}}}", line(text, start)))?;
        let end = inner + length + "}}".len();
        from = end;
        if text[..start].ends_with('\\') {
            continue;
        }
        let body = text[inner..inner + length].trim();
        let (name, arguments) = body.split_once(' ').unwrap_or((body, ""));
        found.push(Directive {
            name: name.to_owned(),
            arguments: arguments.trim().to_owned(),
            place: start..end,
        });
    }
    Ok(found)
}

/// The line of a byte, from 1.
pub(crate) fn line(text: &str, place: usize) -> usize {
    text[..place].matches('\n').count() + 1
}

/// Reads `FIGURE of CONTESTANT in SCENARIO`.
pub(crate) fn cell(text: &str) -> anyhow::Result<Cell> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [figure, "of", contestant, "in", scenario] = words[..] else {
        bail!("`{text}`: expected FIGURE of CONTESTANT in SCENARIO");
    };
    Ok(Cell {
        figure: figure.to_owned(),
        contestant: contestant.to_owned(),
        scenario: scenario.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_found_where_they_stand() {
        let text = "a {{#code x.rs fn f}} b\n\\{{#not one}} {{#run}}";
        let found = find(text).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].name, "code");
        assert_eq!(found[0].arguments, "x.rs fn f");
        assert_eq!(&text[found[0].place.clone()], "{{#code x.rs fn f}}");
        assert_eq!((found[1].name.as_str(), &*found[1].arguments), ("run", ""));
        assert!(find("\n{{#code").unwrap_err().to_string().contains("line 2"));
    }

    #[test]
    fn a_cell_is_read() {
        let found = cell("cost of mio in perf2-crowd").unwrap();
        assert_eq!(found.contestant, "mio");
        assert!(cell("cost of mio").is_err());
    }
}
