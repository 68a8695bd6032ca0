//! Replaces the directives in the chapters by code, charts and figures.

use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use mdbook_preprocessor::book::{Book, BookItem};
use mdbook_preprocessor::errors::Result;
use mdbook_preprocessor::{Preprocessor, PreprocessorContext};

use crate::chart;
use crate::code;
use crate::directive::{self, Directive};
use crate::exercise;
use crate::figures::Runs;
use crate::timeline;
use crate::verdicts::Verdicts;

/// The sources of everything that a directive can insert.
pub(crate) struct Course {
    /// The root of the workspace.
    pub(crate) root: PathBuf,
    /// The runs that figures come from.
    pub(crate) runs: Runs,
    /// The verdicts on the talk's claims.
    pub(crate) verdicts: Verdicts,
}

impl Preprocessor for Course {
    fn name(&self) -> &str {
        "course"
    }

    fn run(&self, _: &PreprocessorContext, mut book: Book) -> Result<Book> {
        let mut errors = Vec::new();
        book.for_each_mut(|item| {
            let BookItem::Chapter(chapter) = item else { return };
            match self.chapter(&chapter.content) {
                Ok(content) => chapter.content = content,
                Err(error) => {
                    let path = chapter.source_path.clone().unwrap_or_default();
                    errors.push(format!("{}: {error:#}", path.display()));
                }
            }
        });
        if !errors.is_empty() {
            bail!("cannot build the course:\n{}", errors.join("\n"));
        }
        Ok(book)
    }
}

impl Course {
    /// Returns a chapter with its directives replaced.
    fn chapter(&self, text: &str) -> anyhow::Result<String> {
        if let Some(place) = text.find("\n```rust") {
            bail!(
                "line {}: Rust code in a chapter is not compiled; include it \
                 from a crate with {{{{#code}}}}",
                directive::line(text, place) + 1
            );
        }
        let mut filled = String::with_capacity(text.len());
        let mut from = 0;
        for directive in directive::find(text)? {
            let Directive { name, arguments, place } = &directive;
            let inserted = self.fill(name, arguments).with_context(|| {
                let line = directive::line(text, place.start);
                format!("line {line}: {{{{#{name} {arguments}}}}}")
            })?;
            let is_inline =
                ["value", "aa", "margin", "run"].contains(&name.as_str());
            let begins_line =
                text[..place.start].ends_with('\n') || place.start == 0;
            ensure!(
                is_inline || begins_line,
                "line {}: {{{{#{name}}}}} must begin a line, so that Markdown \
                 keeps its output as one block",
                directive::line(text, place.start)
            );
            filled += &text[from..place.start];
            filled += &inserted;
            from = place.end;
        }
        filled += &text[from..];
        Ok(filled)
    }

    /// Returns what replaces a directive.
    fn fill(&self, name: &str, arguments: &str) -> anyhow::Result<String> {
        match name {
            "code" => code::block(&self.root, arguments),
            "diff" => code::diff(&self.root, arguments),
            "exercise" => exercise::render(&self.root, arguments),
            "chart" => chart::render(&self.runs, arguments),
            "value" => chart::value(&self.runs, arguments),
            "aa" => chart::precision_of(&self.runs, arguments),
            "margin" => Ok(chart::margin(&self.runs)),
            "run" => Ok(self.runs.first().origin()),
            "timeline" => timeline::render(arguments),
            "claim" => self.verdicts.one(arguments),
            "claims" => self.verdicts.all(arguments),
            _ => bail!(
                "no such directive; expected code, diff, exercise, chart, \
                 value, aa, margin, run, timeline, claim or claims"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::figures::Figures;
    use crate::{CLAIMS, FIGURES};

    fn course() -> Course {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        Course {
            root: root.to_owned(),
            runs: Runs(vec![Figures::read(&root.join(FIGURES)).unwrap()]),
            verdicts: Verdicts::read(&root.join(CLAIMS)).unwrap(),
        }
    }

    #[test]
    fn a_directive_that_cannot_be_filled_fails_the_build() {
        let course = course();
        let threads = "crates/server-threads/src/main.rs";
        let cases = [
            (format!("{{{{#code {threads} fn gone}}}}"), "found it 0 times"),
            ("{{#code crates/gone.rs}}".into(), "cannot read crates/gone.rs"),
            (format!("{{{{#diff {threads} crates/gone.rs}}}}"), "cannot read"),
            ("{{#chart gone in perf2}}".into(), "no figure `gone` in perf2"),
            ("{{#chart rate in gone}}".into(), "no figure `rate` in gone"),
            ("{{#chart rate in perf2: gone}}".into(), "no contestant `gone`"),
            ("{{#value rate of gone in perf2}}".into(), "no contestant `gone`"),
            ("{{#value rate in perf2}}".into(), "expected FIGURE of"),
            ("{{#aa left in perf2}}".into(), "no figure `left` in perf2"),
            ("{{#aa rss in churn}}".into(), "no A/A ratio"),
            ("{{#timeline gone}}".into(), "no model `gone`"),
            ("{{#claim gone}}".into(), "gone"),
            ("{{#exercise gone}}".into(), "has no starter"),
            ("{{#gone}}".into(), "no such directive"),
            ("a {{#timeline mio}}".into(), "must begin a line"),
            ("{{#timeline mio".into(), "no closing }}"),
            ("```rust\nfn f() {}\n```".into(), "in a chapter is not"),
        ];
        for (text, expected) in cases {
            let chapter = format!("One.\n\n{text}\n");
            let error = format!("{:#}", course.chapter(&chapter).unwrap_err());
            assert!(error.contains("line 3"), "{text}: {error}");
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn a_directive_is_replaced_by_its_output() {
        let text = "It is {{#value rate of mio in perf2}}, \\{{#run}}.";
        let filled = course().chapter(text).unwrap();
        assert!(filled.starts_with("It is <span class=\"value\""), "{filled}");
        assert!(filled.ends_with(" /s</span>, \\{{#run}}."), "{filled}");
    }
}
