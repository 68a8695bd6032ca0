//! The run as one page: no network, no fonts, nothing outside the file. It
//! follows the reader's theme, prints, and works without its script.

pub(crate) mod chart_frame;
pub(crate) mod charts;
pub(crate) mod document;
pub(crate) mod dot_plot;
pub(crate) mod family;
pub(crate) mod heat_map;
pub(crate) mod overview;
pub(crate) mod panels;
pub(crate) mod rerun;
pub(crate) mod shared;
pub(crate) mod sweep_charts;
pub(crate) mod tables;

use std::fmt::Write;

use ::charts::{escaped, inline, prose};

use crate::analysis::questions::Question;
use crate::model::scenarios::Scenario;
use crate::output::html::charts::charts;
use crate::output::html::document::document;
use crate::output::html::family::Family;
use crate::output::html::overview::{doubts, glance, legend, top};
use crate::output::html::shared::PageContestant;
use crate::output::sheet::Sheet;

/// Draws the page.
///
/// # Errors
///
/// Never: it shares its form with exporters that may fail.
pub(crate) fn page(sheet: &Sheet<'_>) -> anyhow::Result<String> {
    let page_contestants: Vec<PageContestant<'_>> = sheet
        .contestants()
        .into_iter()
        .enumerate()
        .map(|(index, contestant)| {
            let family = Family::of(contestant);
            PageContestant { index, contestant, family }
        })
        .collect();
    let questions = sheet.questions();
    let mut html = top(sheet, &questions);
    html += "<main>\n";
    html += &glance(sheet, &questions);
    html += &legend(&page_contestants);
    html += &doubts(sheet, &questions);
    for question in &questions {
        html += &section(sheet, question, &page_contestants)?;
    }
    html += "</main>\n";
    html += &foot(sheet, &page_contestants);
    Ok(document(&format!("Run {}", sheet.record.id()), &html))
}

fn section<'a>(
    sheet: &Sheet<'a>,
    question: &Question<'a>,
    page_contestants: &[PageContestant<'a>],
) -> anyhow::Result<String> {
    let first = question.first();
    let name = escaped(question.name);
    let mut html = format!(
        "<section class=\"question\" id=\"{name}\">\n\
         <p class=\"kicker\"><a href=\"#{name}\">{name}</a></p>\n\
         <h2>{}</h2>\n",
        inline(&first.question)
    );
    html += &answer_text(sheet, question);
    writeln!(
        html,
        "<details class=\"expected\"><summary>What one would expect\
         </summary>{}</details>",
        prose(&first.expectation)
    )?;
    html += &charts(sheet, question, page_contestants);
    html += &tables::system_calls(sheet, question, page_contestants);
    write!(
        html,
        "<div class=\"analysis\"><h3>What the figures mean</h3>\n{}</div>\n\
         </section>\n",
        prose(&first.analysis)
    )?;
    Ok(html)
}

fn answer_text<'a>(sheet: &Sheet<'a>, question: &Question<'a>) -> String {
    let telling = question.main_point();
    let Some(answer) = sheet.answer(telling) else { return String::new() };
    if !question.is_sweep() {
        return format!("<p class=\"answer\">{}</p>\n", escaped(&answer));
    }
    let item = |point: &Scenario, answer: &str| {
        let name = escaped(&question.point_name(point));
        format!("<b>{name}:</b> {}", escaped(answer))
    };
    let mut html =
        format!("<p class=\"answer\">{}</p>\n", item(telling, &answer));
    html += "<details><summary>The answer at each value</summary>\n<ul>\n";
    for point in &question.points {
        if let Some(answer) = sheet.answer(point) {
            let _ = writeln!(html, "<li>{}</li>", item(point, &answer));
        }
    }
    html + "</ul></details>\n"
}

fn foot(sheet: &Sheet<'_>, page_contestants: &[PageContestant<'_>]) -> String {
    let mut html = String::from(
        "<footer>\n<details><summary>The commands of those who took part\
         </summary>\n<dl class=\"commands\">\n",
    );
    for PageContestant { contestant, .. } in page_contestants {
        let _ = writeln!(
            html,
            "<dt>{}</dt><dd><code>{}</code></dd>",
            escaped(&contestant.name),
            escaped(&contestant.command.join(" "))
        );
    }
    let _ = write!(
        html,
        "</dl></details>\n<p>Medians of the rounds with 95 % bootstrap \
         intervals. Contestants are compared by the ratio within each round. \
         Made by <code>compare report {} --html</code>; <code>--csv</code> \
         and <code>--json</code> give the figures.</p>\n</footer>\n",
        escaped(&sheet.record.id())
    );
    html
}
