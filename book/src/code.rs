//! Renders code from the workspace's files as code blocks and diffs. An item is
//! found by its name, so sources need no markers for the book.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail};

/// Modifiers that may precede an item's keyword.
const MODIFIERS: [&str; 6] =
    ["pub ", "pub(crate) ", "pub(super) ", "async ", "const ", "unsafe "];

/// Renders a whole file (`PATH`) or one item of it (`PATH ITEM`) as a code
/// block. An item is named by its first words, such as `fn serve` or `impl
/// Future for Read`, or `def serve` in Python. In TOML, it is the `name` of a
/// table in an array of tables.
pub(crate) fn block(root: &Path, arguments: &str) -> anyhow::Result<String> {
    let (path, item) = match arguments.split_once(' ') {
        Some((path, item)) => (path, Some(item.trim())),
        None => (arguments, None),
    };
    let text = fs::read_to_string(root.join(path))
        .with_context(|| format!("cannot read {path}"))?;
    let part = match item {
        Some(name) if path.ends_with(".toml") => {
            entry(&text, name).with_context(|| path.to_owned())?
        }
        Some(item) => find(&text, item).with_context(|| path.to_owned())?,
        None => text.trim_end().to_owned(),
    };
    let language = match Path::new(path).extension() {
        Some(ending) if ending == "rs" => "rust,noplayground,ignore",
        Some(ending) if ending == "py" => "python",
        Some(ending) if ending == "toml" => "toml",
        Some(ending) if ending == "c" => "c",
        _ => "text",
    };
    Ok(format!(
        "<p class=\"from\"><code>{path}</code></p>\n\n\
         ```{language}\n{part}\n```\n"
    ))
}

/// Renders the difference between two files, as `diff -u` prints it.
pub(crate) fn diff(root: &Path, arguments: &str) -> anyhow::Result<String> {
    let Some((old, new)) = arguments.split_once(' ') else {
        bail!("expected two paths");
    };
    let read = |path: &str| {
        fs::read_to_string(root.join(path))
            .with_context(|| format!("cannot read {path}"))
    };
    let (old, new) = (old.trim(), new.trim());
    let texts = [read(old)?, read(new)?];
    let diff = similar::TextDiff::from_lines(&texts[0], &texts[1]);
    let text =
        diff.unified_diff().context_radius(2).header(old, new).to_string();
    Ok(format!("```diff\n{}\n```\n", text.trim_end()))
}

/// Returns an item with the comments and attributes above it.
///
/// # Errors
///
/// The file has no such item, or has several.
fn find(text: &str, item: &str) -> anyhow::Result<String> {
    let lines: Vec<&str> = text.lines().collect();
    let starts: Vec<usize> =
        (0..lines.len()).filter(|&i| begins(lines[i], item)).collect();
    let [start] = starts[..] else {
        bail!("expected `{item}` once, found it {} times", starts.len());
    };
    let indent = indent_of(lines[start]);
    let end = if item.starts_with("def ") || item.starts_with("class ") {
        let mut end = start + 1;
        while end < lines.len()
            && (lines[end].is_empty() || indent_of(lines[end]) > indent)
        {
            end += 1;
        }
        end
    } else {
        let closes = |line: &str| {
            indent_of(line) == indent && line.trim_start().starts_with('}')
        };
        let is_one_line =
            lines[start].ends_with(';') || lines[start].ends_with('}');
        if is_one_line {
            start + 1
        } else {
            let end = lines[start + 1..].iter().position(|l| closes(l));
            let end = end.with_context(|| format!("`{item}` has no end"))?;
            start + 2 + end
        }
    };
    let above = |line: &&&str| {
        let line = line.trim_start();
        line.starts_with("//") || line.starts_with("#[")
    };
    let first = start - lines[..start].iter().rev().take_while(above).count();
    let strip = |line: &&str| line.get(indent..).unwrap_or("").to_owned();
    let part: Vec<String> = lines[first..end].iter().map(strip).collect();
    Ok(part.join("\n").trim_end().to_owned())
}

/// Returns the table with this `name` from an array of tables, with its
/// subtables.
fn entry(text: &str, name: &str) -> anyhow::Result<String> {
    let lines: Vec<&str> = text.lines().collect();
    let named = format!("name = \"{name}\"");
    let places: Vec<usize> =
        (0..lines.len()).filter(|&i| lines[i] == named).collect();
    let [place] = places[..] else {
        bail!("expected `{name}` once, found it {} times", places.len());
    };
    let start = lines[..place].iter().rposition(|line| line.starts_with("[["));
    let start =
        start.with_context(|| format!("`{name}` is outside of any table"))?;
    let inner = lines[start].replace("]]", ".");
    let ends = |line: &&str| {
        line.starts_with('#')
            || line.starts_with("[[") && !line.starts_with(&inner)
    };
    let after = lines[place..].iter().position(ends);
    let end = after.map_or(lines.len(), |count| place + count);
    Ok(lines[start..end].join("\n").trim_end().to_owned())
}

/// Returns `true` if the line is the first line of the item.
fn begins(line: &str, item: &str) -> bool {
    let mut rest = line.trim_start();
    while let Some(shorter) = MODIFIERS
        .iter()
        .filter(|word| !item.starts_with(**word))
        .find_map(|word| rest.strip_prefix(word))
    {
        rest = shorter;
    }
    let ends = |c: char| !(c.is_alphanumeric() || c == '_');
    rest.strip_prefix(item)
        .is_some_and(|after| after.chars().next().is_none_or(ends))
}

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
/// Above.
#[inline]
pub(crate) fn f(a: u8) {
    if a > 0 {
        g();
    }
}

impl X {
    // A method.
    async fn method(&self) {
        f(1);
    }
}

const N: u8 = 1;

fn fg() {}
";

    #[test]
    fn an_item_includes_its_comments_and_attributes() {
        let f = find(TEXT, "fn f").unwrap();
        assert!(f.starts_with("/// Above.\n#[inline]\npub(crate) fn f"));
        assert!(f.ends_with("    }\n}"));
        let method = find(TEXT, "fn method").unwrap();
        assert_eq!(
            method,
            "// A method.\nasync fn method(&self) {\n    f(1);\n}"
        );
        assert_eq!(find(TEXT, "const N").unwrap(), "const N: u8 = 1;");
        assert_eq!(find(TEXT, "fn fg").unwrap(), "fn fg() {}");
        assert!(find(TEXT, "impl X").unwrap().ends_with("    }\n}"));
    }

    #[test]
    fn a_missing_item_is_an_error() {
        let error = find(TEXT, "fn gone").unwrap_err().to_string();
        assert_eq!(error, "expected `fn gone` once, found it 0 times");
    }

    #[test]
    fn a_table_includes_its_subtables() {
        let text = "[[a]]\nname = \"one\"\nx = 1\n\n[[a.b]]\ny = 2\n\n\
                    # Two.\n[[a]]\nname = \"two\"\n\n[[a]]\nname = \"three\"\n";
        let one = "[[a]]\nname = \"one\"\nx = 1\n\n[[a.b]]\ny = 2";
        assert_eq!(entry(text, "one").unwrap(), one);
        assert_eq!(entry(text, "two").unwrap(), "[[a]]\nname = \"two\"");
        let error = entry(text, "four").unwrap_err().to_string();
        assert_eq!(error, "expected `four` once, found it 0 times");
    }

    #[test]
    fn a_python_function_ends_at_the_next_line_with_its_indent() {
        let text = "def a():\n    x\n\n    y\n\n\ndef b():\n    z\n";
        assert_eq!(find(text, "def a").unwrap(), "def a():\n    x\n\n    y");
    }
}
