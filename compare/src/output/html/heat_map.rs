//! The heat map of the share that is left of a rate: one row per contestant,
//! one column per value, with the share as the number and the colour of a cell.
//!
//! It is an HTML table rather than an SVG picture, so that screen readers read
//! out the numbers, and users can select and search them.

use std::fmt::Write;

use charts::escaped;

use crate::analysis::questions::Question;
use crate::analysis::units;
use crate::model::figure::Figure;
use crate::output::html::shared::{PageContestant, none_text};
use crate::output::html::tables::suspect;
use crate::output::sheet::Sheet;

/// Draws the heat map.
pub(super) fn draw<'a>(
    sheet: &Sheet<'a>,
    question: &Question<'a>,
    page_contestants: &[PageContestant<'a>],
    figure: Figure,
) -> String {
    let mut html = String::from(
        "<div class=\"scroll\"><table class=\"heat\">\n<thead><tr>\
         <th scope=\"col\">contestant</th>",
    );
    for point in &question.points {
        let name = escaped(&question.point_name(point));
        // Writing to a string never fails.
        let _ = write!(html, "<th scope=\"col\">{name}</th>");
    }
    html += "</tr></thead>\n<tbody>\n";
    for PageContestant { index, contestant, family } in page_contestants {
        let name = escaped(&contestant.name);
        let (class, swatch) = (family.class, family.swatch());
        let _ = write!(
            html,
            "<tr class=\"row {class}\" data-c=\"{index}\">\
             <th scope=\"row\">{swatch}{name}</th>"
        );
        for point in &question.points {
            let name = contestant.name.as_str();
            html += &match sheet.estimate(point, name, figure) {
                Some(estimate) => {
                    let share = (estimate.value * 100.0).clamp(0.0, 100.0);
                    let value = units::value(figure, &estimate);
                    let interval = units::interval(figure, &estimate);
                    let doubts = sheet.doubts(point, name, figure);
                    let suspect = suspect(doubts.as_deref());
                    format!(
                        "<td style=\"--share:{share:.1}%\">\
                         <b>{value}{suspect}</b>\
                         <small>{interval}</small></td>"
                    )
                }
                None => {
                    let (text, why) = none_text(sheet, point, name, figure);
                    let why = escaped(&why);
                    format!("<td class=\"none\" title=\"{why}\">{text}</td>")
                }
            };
        }
        html += "</tr>\n";
    }
    html += "</tbody></table></div>\n";
    html
}
