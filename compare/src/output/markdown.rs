//! The results of a run as Markdown tables, for a README or an issue.

use std::fmt::Write;

use crate::analysis::questions::Question;
use crate::analysis::units;
use crate::model::figure::Figure;
use crate::model::scenarios::Scenario;
use crate::output::notes;
use crate::output::sheet::{Sheet, Validity};

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
    text += "## Notes\n\n";
    for note in notes::notes(sheet.record) {
        // Keep the lines of a log in one list item.
        let note = escaped(&note).replace('\n', "\n  ");
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
        let Some(answer) = sheet.answer(point) else { continue };
        let answer = escaped(&answer);
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
    let best = columns.iter().map(|(_, scenario, figure)| {
        sheet.findings.standing(scenario, *figure).best_ones()
    });
    let best: Vec<Vec<&str>> = best.collect();
    for contestant in sheet.contestants() {
        let name = contestant.name.as_str();
        let figures =
            columns.iter().zip(&best).map(|((_, scenario, figure), best)| {
                let mark = match best.iter().position(|b| *b == name) {
                    Some(0) => "\\* ",
                    Some(_) => "= ",
                    None => "",
                };
                let text = figure_text(sheet, scenario, name, *figure);
                format!("{mark}{text}")
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
    let median = units::median(figure, &estimate);
    let interval = units::interval(figure, &estimate);
    let suspect =
        if matches!(validity, Validity::Suspect(_)) { " ?" } else { "" };
    format!("{bound}{median}{suspect} ({interval})")
}

/// Escapes the characters that would break a table or a page. Names and logs
/// come from users.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|").replace('<', "&lt;")
}
