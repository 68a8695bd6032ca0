//! The folded tables below charts, with the exact figures.

use std::fmt::Write;

use charts::escaped;

use crate::analysis::questions::Question;
use crate::analysis::statistics::Estimate;
use crate::analysis::units;
use crate::model::figure::Figure;
use crate::model::scenarios::Scenario;
use crate::output::html::rerun;
use crate::output::html::shared::{PageContestant, none_text};
use crate::output::relations;
use crate::output::sheet::Sheet;
use crate::output::system_calls;

/// A column of a table.
pub(super) struct Column<'a> {
    /// The heading.
    pub(super) name: String,
    /// The kind of figure, which determines the unit.
    pub(super) figure: Figure,
    /// Returns the value for a contestant.
    pub(super) of: OfContestant<'a>,
}

/// Returns the value of a column for a contestant, or the reason why there is
/// none.
type OfContestant<'a> =
    Box<dyn Fn(&PageContestant<'_>) -> Result<Estimate, String> + 'a>;

/// Returns a folded table of figures with their intervals.
pub(super) fn folded(
    what: &str,
    page_contestants: &[PageContestant<'_>],
    columns: &[Column<'_>],
) -> String {
    let mut html =
        head(what, columns.iter().map(|column| column.name.as_str()));
    for one in page_contestants {
        html += &row_head(one);
        for Column { figure, of, .. } in columns {
            html += &cell(*figure, of(one));
        }
        html += "</tr>\n";
    }
    html + FOOT
}

/// Returns a folded table of one figure, with the ratio of each contestant to
/// the best.
pub(super) fn of_figure<'a>(
    sheet: &Sheet<'a>,
    scenario: &'a Scenario,
    page_contestants: &[PageContestant<'a>],
    figure: Figure,
) -> String {
    let standing = sheet.standing(scenario, figure);
    let leader = standing.and_then(|standing| standing.leader);
    let has_best = standing.is_some_and(|standing| standing.best.is_some());
    let against = if has_best { "ratio to the best" } else { "ratio" };
    let mut html = head("", ["value", against, "rounds"].into_iter());
    for one in page_contestants {
        let name = one.contestant.name.as_str();
        let estimate = sheet.estimate(scenario, name, figure);
        html += &row_head(one);
        let value =
            estimate.ok_or_else(|| none_text(sheet, scenario, name, figure).1);
        let bound = if sheet.is_lower_bound(scenario, name, figure) {
            "≥ "
        } else {
            ""
        };
        let doubts = sheet.doubts(scenario, name, figure);
        html += &cell_with(bound, figure, value, doubts.as_deref());
        let relation = match sheet.relation(scenario, name, figure) {
            _ if leader == Some(name) && has_best => "the best".to_owned(),
            _ if leader == Some(name) => "the others / this".to_owned(),
            Some(relation) => escaped(&relations::text(relation)),
            None => "–".to_owned(),
        };
        let rounds = sheet.record.figure(scenario, name, figure).len();
        let _ = writeln!(html, "<td>{relation}</td><td>{rounds}</td></tr>");
    }
    html + FOOT
}

/// Returns a folded table of the system calls per reply, if they were counted:
/// the total, and the frequent calls by name. A sweep has one column per value.
pub(super) fn system_calls<'a>(
    sheet: &Sheet<'a>,
    question: &Question<'a>,
    page_contestants: &[PageContestant<'a>],
) -> String {
    let counts = |point: &Scenario, name: &str| {
        let cell = sheet.record.cell(&point.name, name)?;
        cell.system_calls.value.as_ref().map(system_calls::in_words)
    };
    let is_counted = |point: &&&Scenario| {
        let mut names =
            page_contestants.iter().map(|one| one.contestant.name.as_str());
        names.any(|name| counts(point, name).is_some())
    };
    let points = question.points.iter().filter(is_counted).copied();
    let points: Vec<&Scenario> = points.collect();
    if points.is_empty() {
        return String::new();
    }
    let names: Vec<String> =
        points.iter().map(|point| question.point_name(point)).collect();
    let what = "system calls per reply, counted with strace in a separate pass";
    let mut html = head(what, names.iter().map(String::as_str));
    for one in page_contestants {
        html += &row_head(one);
        for point in &points {
            html += &match counts(point, &one.contestant.name) {
                Some((all, often)) => format!(
                    "<td><b>{}</b><small>{}</small></td>",
                    units::number(all),
                    escaped(&often)
                ),
                None => "<td>–</td>".to_owned(),
            };
        }
        html += "</tr>\n";
    }
    let flags = ["--system-calls"];
    html + FOOT + &rerun::folded_with(sheet.record, &points, &flags)
}

const FOOT: &str = "</tbody></table></div></details>\n";

fn head<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> String {
    let what = if what.is_empty() { "" } else { &format!(": {what}") };
    let mut html = format!(
        "<details class=\"data\"><summary>Figures{what}</summary>\
         <div class=\"scroll\"><table>\n<thead><tr>\
         <th scope=\"col\">contestant</th>",
    );
    for name in names {
        // Writing to a string never fails.
        let _ = write!(html, "<th scope=\"col\">{}</th>", escaped(name));
    }
    html + "</tr></thead>\n<tbody>\n"
}

pub(super) fn row_head(
    PageContestant { index, contestant, .. }: &PageContestant<'_>,
) -> String {
    let name = escaped(&contestant.name);
    format!(
        "<tr class=\"row\" data-c=\"{index}\"><th scope=\"row\">{name}</th>"
    )
}

fn cell(figure: Figure, value: Result<Estimate, String>) -> String {
    cell_with("", figure, value, None)
}

fn cell_with(
    bound: &str,
    figure: Figure,
    value: Result<Estimate, String>,
    doubts: Option<&str>,
) -> String {
    match value {
        Ok(estimate) => {
            let value = units::value(figure, &estimate);
            let interval = units::interval(figure, &estimate);
            let suspect = suspect(doubts);
            format!(
                "<td><b>{bound}{value}{suspect}</b>\
                 <small>{interval}</small></td>"
            )
        }
        Err(why) => {
            format!("<td class=\"none\" title=\"{}\">–</td>", escaped(&why))
        }
    }
}

/// Returns the mark of a suspect figure, with the reasons as its title.
pub(super) fn suspect(doubts: Option<&str>) -> String {
    let sign = |why| format!(" <span title=\"{}\">?</span>", escaped(why));
    doubts.map(sign).unwrap_or_default()
}
