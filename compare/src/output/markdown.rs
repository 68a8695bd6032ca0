//! The results of a run as Markdown tables, for a README or an issue.

use std::fmt::Write;

use crate::analysis::questions::Question;
use crate::analysis::units;
use crate::model::figure::Figure;
use crate::model::scenarios::Scenario;
use crate::output::marks::{self, Mark};
use crate::output::notes;
use crate::output::sheet::{Sheet, Validity};
use crate::output::{summary, titles};

/// Returns the tables as Markdown.
///
/// # Errors
///
/// Never fails; other exporters with the same signature may.
pub(crate) fn tables(sheet: &Sheet<'_>) -> anyhow::Result<String> {
    let mut text = format!("# Run {}\n\n", sheet.record.id());
    for question in sheet.questions() {
        section(&mut text, sheet, &question)?;
    }
    writeln!(
        text,
        "\\* the best; = equal to the best within {} %; ~ undecided; ? \
         suspect; ≥ lower bound; in parentheses, the 95 % interval\n",
        sheet.findings.margin() * 100.0
    )?;
    text += "## Notes\n\n";
    for note in notes::notes(sheet.record, &sheet.findings) {
        // Keep the lines of a log in one list item.
        let note = escaped(&note.text).replace('\n', "\n  ");
        writeln!(text, "- {note}")?;
    }
    Ok(text)
}

fn section(
    text: &mut String,
    sheet: &Sheet<'_>,
    question: &Question<'_>,
) -> std::fmt::Result {
    let first = question.first();
    writeln!(text, "## {}\n\n{}\n", question.name, first.question)?;
    if question.is_sweep() {
        for &figure in &first.figures {
            let columns: Vec<(String, &Scenario, Figure)> = question
                .points
                .iter()
                .map(|point| (question.point_name(point), *point, figure))
                .collect();
            writeln!(text, "{}:\n", figure.name())?;
            table(text, sheet, &columns)?;
        }
    } else {
        let figures = first.figures.iter();
        let columns: Vec<(String, &Scenario, Figure)> = figures
            .map(|figure| (figure.name().to_owned(), first, *figure))
            .collect();
        table(text, sheet, &columns)?;
    }
    for point in &question.points {
        let Some((figure, answer)) = summary::answer(sheet, point) else {
            continue;
        };
        let figure = titles::capitalized(figure);
        let answer = escaped(&format!("{figure}: {answer}."));
        if question.is_sweep() {
            writeln!(text, "- {}: {}", question.point_name(point), answer)?;
        } else {
            writeln!(text, "{answer}")?;
        }
    }
    writeln!(text)
}

/// Writes a table with one row per contestant and one column per figure.
fn table<'a>(
    text: &mut String,
    sheet: &Sheet<'a>,
    columns: &[(String, &'a Scenario, Figure)],
) -> std::fmt::Result {
    let headings = columns.iter().map(|(heading, ..)| escaped(heading));
    let headings = headings.collect::<Vec<_>>().join(" | ");
    writeln!(text, "| contestant | {headings} |")?;
    writeln!(text, "| --- |{}", " ---: |".repeat(columns.len()))?;
    for contestant in sheet.contestants() {
        let name = contestant.name.as_str();
        let figures = columns.iter().map(|(_, scenario, figure)| {
            figure_text(sheet, scenario, name, *figure)
        });
        let figures = figures.collect::<Vec<_>>().join(" | ");
        writeln!(text, "| {} | {figures} |", escaped(name))?;
    }
    writeln!(text)
}

fn figure_text<'a>(
    sheet: &Sheet<'a>,
    scenario: &'a Scenario,
    contestant: &'a str,
    figure: Figure,
) -> String {
    let validity = sheet.validity(scenario, contestant, figure);
    if let Validity::Void(_) = validity {
        return "void".to_owned();
    }
    let Some(estimate) = sheet.estimate(scenario, contestant, figure) else {
        return "–".to_owned();
    };
    let bound = if sheet.is_lower_bound(scenario, contestant, figure) {
        "≥ "
    } else {
        ""
    };
    let mark = marks::mark(sheet.standing(scenario, figure), contestant);
    let mark = match mark {
        Mark::None => String::new(),
        Mark::Best => "\\* ".to_owned(),
        Mark::Equal | Mark::Undecided => format!("{} ", mark.sign()),
    };
    let value = units::value(figure, &estimate);
    let interval = units::interval(figure, &estimate);
    let suspect =
        if matches!(validity, Validity::Suspect(_)) { " ?" } else { "" };
    format!("{mark}{bound}{value}{suspect} ({interval})")
}

/// Escapes the characters that would break a table or a page. Names and logs
/// come from users.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|").replace('<', "&lt;")
}
