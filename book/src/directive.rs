//! Finds and parses the directives of a chapter: `{{#name arguments}}`.

use std::ops::Range;

use anyhow::{Context, bail};

/// A part of a chapter that the preprocessor replaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Directive {
    /// The directive's name, such as `code`.
    pub(crate) name: String,
    /// Everything after the name, without surrounding white space.
    pub(crate) arguments: String,
    /// The byte range of the directive in the chapter, braces included.
    pub(crate) place: Range<usize>,
}

/// The parsed name of a figure, such as `cost of mio in perf2-crowd`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FigureName {
    /// The measured quantity, such as `cost`.
    pub(crate) figure: String,
    /// The contestant that it was measured for.
    pub(crate) contestant: String,
    /// The scenario that it was measured in.
    pub(crate) scenario: String,
}

/// Finds the directives in a chapter. A backslash before the braces escapes
/// them, for text about directives.
pub(crate) fn find(text: &str) -> anyhow::Result<Vec<Directive>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(offset) = text[from..].find("{{#") {
        let start = from + offset;
        let inner = start + "{{#".len();
        let length = text[inner..].find("}}").with_context(|| {
            format!("line {}: no closing }}}}", line(text, start))
        })?;
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

/// Returns the line number of a byte offset, counted from 1.
pub(crate) fn line(text: &str, place: usize) -> usize {
    text[..place].matches('\n').count() + 1
}

/// Parses `FIGURE of CONTESTANT in SCENARIO`.
pub(crate) fn figure_name(text: &str) -> anyhow::Result<FigureName> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [figure, "of", contestant, "in", scenario] = words[..] else {
        bail!("`{text}`: expected FIGURE of CONTESTANT in SCENARIO");
    };
    Ok(FigureName {
        figure: figure.to_owned(),
        contestant: contestant.to_owned(),
        scenario: scenario.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_directive_is_found_with_its_place() {
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
    fn a_figure_name_is_parsed() {
        let found = figure_name("cost of mio in perf2-crowd").unwrap();
        assert_eq!(found.contestant, "mio");
        assert!(figure_name("cost of mio").is_err());
    }
}
