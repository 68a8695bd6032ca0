//! The advice for a terminal.

use comfy_table::{Attribute, Cell};

use crate::analysis::advice::{Advice, Place};
use crate::analysis::findings::Relation;
use crate::analysis::statistics::{Estimate, median};
use crate::analysis::units;
use crate::model::figure::Figure;
use crate::output::advice::sentences;
use crate::output::notes;
use crate::output::table;
use crate::output::wrap::paragraph;

/// Returns the question, the advice, the table, the reasons and the notes.
pub(crate) fn text(advice: &Advice<'_>) -> String {
    let mut text = paragraph(&advice.scenario.question);
    text += &paragraph(&sentences::limit(advice));
    text += "\n";
    for line in sentences::advice(advice) {
        text += &paragraph(&line);
    }
    text += &format!("\n{}\n\n", table(advice));
    for place in &advice.places {
        if let Some(why) = sentences::reason(advice, place) {
            text += &paragraph(&format!("{}: {why}", place.contestant.name));
        }
    }
    text += "\n";
    for line in sentences::method(advice) {
        text += &paragraph(&line);
    }
    for note in notes(advice) {
        text += &paragraph(&note);
    }
    text
}

/// Returns the notes on the figures and on the run.
pub(crate) fn notes(advice: &Advice<'_>) -> Vec<String> {
    let suspects = notes::suspects(advice.record, &advice.findings);
    let circumstances = notes::circumstances(advice.record).into_iter();
    suspects.into_iter().chain(circumstances).collect()
}

fn table(advice: &Advice<'_>) -> String {
    let of_others = others(advice).map(|name| format!("{name}\np50"));
    let headings = ["verdict", "p99", "95 %", "p50", "cost"];
    let headings = headings.into_iter().map(str::to_owned).chain(of_others);
    let mut table = table::empty(headings);
    for place in &advice.places {
        let name = place.contestant.name.as_str();
        let figure = |figure| {
            let scenario = advice.scenario;
            let found = advice.findings.estimate(scenario, name, figure);
            found.map(|found| units::value(figure, &found))
        };
        let interval =
            |p99: &Estimate| units::interval(Figure::ResponseP99, p99);
        let cost = figure(Figure::Cost)
            .map(|cost| mark(advice, name).to_owned() + &cost);
        let verdict = place.rating.verdict(advice.slo.is_some());
        let verdict = Cell::new(verdict).add_attribute(Attribute::Bold);
        let cells = [
            figure(Figure::ResponseP99),
            place.p99.as_ref().map(interval),
            figure(Figure::ResponseP50),
            cost,
        ];
        let others = others(advice)
            .map(|group| response_p50(advice, place, group).map(units::time));
        let cells = cells.into_iter().chain(others);
        let cells = cells.map(|cell| Cell::new(cell.as_deref().unwrap_or("-")));
        let row = [Cell::new(name), verdict];
        table.add_row(row.into_iter().chain(cells));
    }
    table.trim_fmt()
}

/// Returns the groups of the mix whose p99 isn't judged.
pub(crate) fn others<'a>(
    advice: &Advice<'a>,
) -> impl Iterator<Item = &'a str> + use<'a> {
    let scenario = advice.scenario;
    let groups = scenario.groups.iter().map(|group| group.name.as_str());
    groups.filter(|name| *name != scenario.measured_group)
}

/// Returns the mark of a cost that is equal to the lowest, or may be.
pub(crate) fn mark(advice: &Advice<'_>, name: &str) -> &'static str {
    if advice.slo.is_none() {
        return "";
    }
    let standing = &advice.standing;
    let relation = standing.relations.iter().find(|(other, _)| *other == name);
    match relation {
        Some((_, Relation::Equal { .. })) => "= ",
        Some((_, Relation::Undecided { .. })) => "~ ",
        Some((_, Relation::Differs { .. } | Relation::Open(_))) | None => "",
    }
}

/// Returns the median over rounds of the p50 response time of another group of
/// the mix, in nanoseconds.
pub(crate) fn response_p50(
    advice: &Advice<'_>,
    place: &Place<'_>,
    group: &str,
) -> Option<f64> {
    let name = &place.contestant.name;
    let cell = advice.record.cell(&advice.scenario.name, name)?;
    let rounds = cell.rounds.iter();
    let times = rounds.filter_map(|round| {
        let open = round.report.group(group)?.open.as_ref()?;
        Some(open.response_ns.at_quantile_ns(0.5)? as f64)
    });
    median(&mut times.collect::<Vec<f64>>())
}
