//! The table of a run for a terminal: one line per contestant, one column per
//! figure, in tables of at most 80 columns.

use crate::analysis::findings::Standing;
use crate::analysis::statistics::Estimate;
use crate::model::contestant::{Contestant, Label};
use crate::model::figure::Figure;
use crate::model::scenarios::Scenario;
use crate::output::column_unit::ColumnUnit;
use crate::output::columns::{self, Cell, Column};
use crate::output::marks::{self, Mark};
use crate::output::sheet::{Sheet, Validity};
use crate::output::style::{Emphasis, Styles};
use crate::output::titles;
use crate::output::wrap;

/// The largest half of an interval, in per cent, that is shown as a number.
const HALF_MAX: f64 = 99.0;

/// Draws the figures of a run, with a legend of the marks.
pub(crate) fn draw(sheet: &Sheet<'_>, styles: Styles) -> String {
    let columns: Vec<Column> = sheet
        .questions()
        .into_iter()
        .flat_map(|question| question.points)
        .flat_map(|scenario| {
            let figures = scenario.figures.iter();
            figures.map(move |figure| column(sheet, scenario, *figure))
        })
        .collect();
    let contestants = sheet.contestants().into_iter();
    let names: Vec<String> = contestants.map(title).collect();
    columns::draw(&names, &columns, styles) + &legend(sheet, &columns)
}

fn column(sheet: &Sheet<'_>, scenario: &Scenario, figure: Figure) -> Column {
    let contestants = sheet.contestants();
    let values: Vec<f64> = contestants
        .iter()
        .filter_map(|one| sheet.estimate(scenario, &one.name, figure))
        .map(|estimate| estimate.value)
        .collect();
    let unit = ColumnUnit::of(figure.unit(), &values);
    let standing = sheet.standing(scenario, figure);
    let cells = contestants
        .iter()
        .map(|one| cell(sheet, scenario, &one.name, figure, unit, standing));
    let heading = format!("{} {}", titles::column(figure), unit.symbol);
    Column {
        title: titles::short(scenario),
        heading: heading.trim_end().to_owned(),
        cells: cells.collect(),
    }
}

fn cell(
    sheet: &Sheet<'_>,
    scenario: &Scenario,
    name: &str,
    figure: Figure,
    unit: ColumnUnit,
    standing: Option<&Standing<'_>>,
) -> Cell {
    let validity = sheet.validity(scenario, name, figure);
    let without = |number: &str, emphasis| Cell {
        number: number.to_owned(),
        half: String::new(),
        suspect: "",
        emphasis,
    };
    if let Validity::Void(_) = validity {
        return without("void", Emphasis::Void);
    }
    let Some(estimate) = sheet.estimate(scenario, name, figure) else {
        return without("-", Emphasis::Plain);
    };
    let mark = marks::mark(standing, name);
    let is_bound = sheet.is_lower_bound(scenario, name, figure);
    let is_suspect = matches!(validity, Validity::Suspect(_));
    let bound = if is_bound { "≥" } else { "" };
    let rounds = sheet.record.figure(scenario, name, figure).len();
    // One round has no interval, and neither has 0 or nearly 0.
    let has_interval = rounds > 1 && !unit.is_tiny(estimate.value);
    let (half, digits) =
        if has_interval { half(&estimate) } else { (String::new(), 3) };
    let number = unit.rounded(estimate.value, digits);
    Cell {
        number: format!("{}{bound}{number}", mark.sign()),
        half,
        suspect: if is_suspect { "?" } else { "" },
        emphasis: match mark {
            Mark::Best => Emphasis::Best,
            _ if is_suspect => Emphasis::Suspect,
            Mark::Equal => Emphasis::Equal,
            Mark::Undecided | Mark::None => Emphasis::Plain,
        },
    }
}

/// Returns half of an interval, in per cent of the value, rounded up, and the
/// number of digits with which it leaves the value worth printing.
fn half(estimate: &Estimate) -> (String, u8) {
    // Without the noise of binary fractions.
    let percent = (estimate.half_width() * 100.0 - 1e-6).max(0.0).ceil();
    match percent {
        ..10.0 => (format!("±{percent}"), 3),
        ..=HALF_MAX => (format!("±{percent}"), 2),
        _ => (format!("±>{HALF_MAX}"), 1),
    }
}

/// Returns the explanation of the marks that occur in the table.
fn legend(sheet: &Sheet<'_>, columns: &[Column]) -> String {
    let has = |sign: char| {
        let mut cells = columns.iter().flat_map(|column| &column.cells);
        let has = |text: &str| text.contains(sign);
        cells.any(|cell| {
            has(&cell.number) || has(&cell.half) || has(cell.suspect)
        })
    };
    let margin = sheet.findings.margin() * 100.0;
    let signs = [
        ('±', "± half of the 95 % interval, in %".to_owned()),
        ('*', "* best".to_owned()),
        ('=', format!("= equal to the best within {margin} %")),
        ('~', "~ undecided".to_owned()),
        ('?', "? suspect".to_owned()),
        ('≥', "≥ lower bound".to_owned()),
    ];
    let signs = signs.into_iter().filter(|(sign, _)| has(*sign));
    let mut parts: Vec<String> = signs.map(|(_, text)| text).collect();
    let labels = [Label::Mistake, Label::Historical, Label::Peer];
    let mut contestants = sheet.record.contestants();
    let labels = labels.into_iter().filter_map(|label| {
        let is_there = contestants.by_ref().any(|one| one.label == label);
        contestants = sheet.record.contestants();
        is_there.then(|| format!("{} {}", letter(label), label.name()))
    });
    parts.extend(labels);
    if parts.is_empty() {
        return String::new();
    }
    wrap::items(&parts)
}

/// Returns the contestant's name, with the letter of its label unless that is
/// `idiomatic`.
fn title(contestant: &Contestant) -> String {
    let name = &contestant.name;
    match contestant.label {
        Label::Idiomatic => name.clone(),
        label => format!("{name} {}", letter(label)),
    }
}

/// Returns the letter of a label, in parentheses.
fn letter(label: Label) -> &'static str {
    match label {
        Label::Idiomatic => "",
        Label::Mistake => "(m)",
        Label::Historical => "(h)",
        Label::Peer => "(p)",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_has_as_many_digits_as_its_interval_is_worth() {
        let cases = [
            (0.0, "±0", 3),
            (0.03, "±3", 3),
            (0.091, "±10", 2),
            (0.99, "±99", 2),
            (1.2, "±>99", 1),
        ];
        for (share, text, digits) in cases {
            let [low, high] = [1.0 / (1.0 + share), 1.0 + share];
            let estimate = Estimate { value: 1.0, low, high };
            assert_eq!(half(&estimate), (text.to_owned(), digits), "{share}");
        }
    }
}
