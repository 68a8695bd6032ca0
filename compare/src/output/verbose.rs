//! The details of a run for a terminal: every figure with its interval and its
//! ratio to the best, and all notes.

use crate::analysis::findings::Relation;
use crate::analysis::units;
use crate::model::figure::Figure;
use crate::model::scenarios::Scenario;
use crate::output::notes;
use crate::output::relations;
use crate::output::sheet::{Sheet, Validity};
use crate::output::table;
use crate::output::wrap::paragraph;

/// Returns the details.
pub(crate) fn text(sheet: &Sheet<'_>) -> String {
    let mut text = String::new();
    for question in sheet.questions() {
        for scenario in &question.points {
            text += &paragraph(&format!(
                "{}: {}",
                scenario.name, scenario.question
            ));
            for &figure in &scenario.figures {
                text += &format!("\n{}\n", of_figure(sheet, scenario, figure));
            }
            text += "\n";
        }
    }
    for note in notes::notes(sheet.record, &sheet.findings) {
        text += &format!("{}\n", note.text);
    }
    text
}

/// Returns the table of one figure.
fn of_figure(sheet: &Sheet<'_>, scenario: &Scenario, figure: Figure) -> String {
    let headings = [figure.name(), "95 % interval", "ratio to the best", ""];
    let mut table = table::empty(headings.map(str::to_owned).into_iter());
    for contestant in sheet.contestants() {
        let name = contestant.name.as_str();
        let estimate = sheet.estimate(scenario, name, figure);
        let validity = sheet.validity(scenario, name, figure);
        let (value, interval) = match (estimate, &validity) {
            (_, Validity::Void(_)) => ("void".to_owned(), String::new()),
            (None, _) => ("-".to_owned(), String::new()),
            (Some(estimate), _) => (
                units::value(figure, &estimate),
                units::interval(figure, &estimate),
            ),
        };
        let is_bound = sheet.is_lower_bound(scenario, name, figure);
        let bound = if is_bound { "≥ " } else { "" };
        let relation = sheet.relation(scenario, name, figure);
        let suspect = match validity {
            Validity::Suspect(_) => "?",
            _ => "",
        };
        table.add_row([
            name.to_owned(),
            format!("{bound}{value}"),
            interval,
            relation_text(sheet, scenario, name, figure, relation),
            suspect.to_owned(),
        ]);
    }
    table.trim_fmt()
}

fn relation_text(
    sheet: &Sheet<'_>,
    scenario: &Scenario,
    name: &str,
    figure: Figure,
    relation: Option<&Relation>,
) -> String {
    let standing = sheet.standing(scenario, figure);
    let is_leader = standing.is_some_and(|one| one.leader == Some(name));
    match relation {
        Some(relation) => relations::text(relation),
        None if is_leader => "(compared with this one)".to_owned(),
        None => String::new(),
    }
}
