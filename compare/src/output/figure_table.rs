//! The table of a run for a terminal: one line per contestant, one column per
//! figure, in tables of at most 80 columns.

use crate::analysis::findings::Standing;
use crate::analysis::statistics::Estimate;
use crate::model::contestant::{Contestant, Label};
use crate::model::figure::Figure;
use crate::model::scenarios::Scenario;
use crate::output::column_unit::ColumnUnit;
use crate::output::marks::{self, Mark};
use crate::output::sheet::{Sheet, Validity};
use crate::output::style::{Emphasis, Styles};
use crate::output::titles;
use crate::output::wrap::{self, WIDTH};

/// The heading of the first column.
const NAMES: &str = "contestant";

/// The largest half of an interval, in per cent, that is shown as a number.
const HALF_MAX: f64 = 99.0;

/// A column of figures.
struct Column<'a> {
    scenario: &'a Scenario,
    /// The heading: figure and unit.
    heading: String,
    cells: Vec<Cell>,
}

/// A figure, aligned at the sign of its interval.
struct Cell {
    /// The mark and the number.
    number: String,
    /// The interval and the mark of a suspect figure.
    interval: String,
    emphasis: Emphasis,
}

/// Draws the figures of a run, with a legend of the marks.
pub(crate) fn draw(sheet: &Sheet<'_>, styles: Styles) -> String {
    let columns: Vec<Column<'_>> = sheet
        .questions()
        .into_iter()
        .flat_map(|question| question.points)
        .flat_map(|scenario| {
            let figures = scenario.figures.iter();
            figures.map(move |figure| column(sheet, scenario, *figure))
        })
        .collect();
    let contestants = sheet.contestants();
    let mut text = String::new();
    for columns in in_tables(&columns, names_width(&contestants)) {
        if !text.is_empty() {
            text += "\n";
        }
        text += &table(&contestants, columns, styles);
    }
    text + &legend(sheet, &columns)
}

/// Splits the columns into tables of at most [`WIDTH`] columns. A scenario
/// stays in one table if it fits.
fn in_tables<'a, 'b>(
    columns: &'b [Column<'a>],
    names: usize,
) -> Vec<&'b [Column<'a>]> {
    let mut tables = Vec::new();
    let mut start = 0;
    let mut end = 0;
    let fits = |part: &[Column<'_>]| {
        let widths = spans(part).iter().map(|span| span.width()).sum::<usize>();
        names + widths <= WIDTH
    };
    let same = |one: &Column<'_>, other: &Column<'_>| {
        one.scenario.name == other.scenario.name
    };
    for scenario in columns.chunk_by(same) {
        if fits(&columns[start..end + scenario.len()]) {
            end += scenario.len();
            continue;
        }
        if end > start {
            tables.push(&columns[start..end]);
            start = end;
        }
        // A scenario that is too wide for one table is split.
        for _ in scenario {
            if end > start && !fits(&columns[start..=end]) {
                tables.push(&columns[start..end]);
                start = end;
            }
            end += 1;
        }
    }
    if end > start {
        tables.push(&columns[start..end]);
    }
    tables
}

/// Adjacent columns of one scenario.
struct Span<'b> {
    title: String,
    columns: &'b [Column<'b>],
}

fn spans<'b>(columns: &'b [Column<'b>]) -> Vec<Span<'b>> {
    let same = |one: &Column<'_>, other: &Column<'_>| {
        one.scenario.name == other.scenario.name
    };
    let spans = columns.chunk_by(same).map(|columns| {
        let title = titles::short(columns[0].scenario);
        Span { title, columns }
    });
    spans.collect()
}

impl Span<'_> {
    /// Returns the width, with a gap before each column.
    fn width(&self) -> usize {
        let columns = self.columns.iter().map(|column| 1 + column.width());
        columns.sum::<usize>().max(1 + width_of(&self.title))
    }

    /// Returns the width by which the first column is widened for the title.
    fn extra(&self) -> usize {
        let columns = self.columns.iter().map(|column| 1 + column.width());
        self.width() - columns.sum::<usize>()
    }

    /// Returns the title, centred above several columns with a line to both
    /// sides, or above one column at its right.
    fn heading(&self) -> String {
        let width = self.width() - 1;
        let rest = width - width_of(&self.title);
        if self.columns.len() == 1 || rest < 4 {
            return format!(" {:>width$}", self.title);
        }
        let left = (rest - 2) / 2;
        let right = rest - 2 - left;
        let [left, right] = [left, right].map(|count| "-".repeat(count));
        format!(" {left} {} {right}", self.title)
    }
}

impl Column<'_> {
    fn width(&self) -> usize {
        let [number, interval] = self.parts();
        (number + interval).max(width_of(&self.heading))
    }

    /// Returns the widths of the numbers and of the intervals.
    fn parts(&self) -> [usize; 2] {
        let most = |part: fn(&Cell) -> &String| {
            let widths = self.cells.iter().map(|cell| width_of(part(cell)));
            widths.max().unwrap_or(0)
        };
        [most(|cell| &cell.number), most(|cell| &cell.interval)]
    }
}

fn table(
    contestants: &[&Contestant],
    columns: &[Column<'_>],
    styles: Styles,
) -> String {
    let names = names_width(contestants);
    let spans = spans(columns);
    let titles: String = spans.iter().map(Span::heading).collect();
    let line = format!("{:names$}{titles}", "");
    let mut text = styles.paint(Emphasis::Heading, line.trim_end()) + "\n";
    let mut line = format!("{NAMES:names$}");
    for span in &spans {
        let mut extra = span.extra();
        for column in span.columns {
            let width = column.width() + std::mem::take(&mut extra);
            line += &format!(" {:>width$}", column.heading);
        }
    }
    text += &(styles.paint(Emphasis::Heading, &line) + "\n");
    for (row, contestant) in contestants.iter().enumerate() {
        let mut line = format!("{:names$}", title(contestant));
        for span in &spans {
            let mut extra = span.extra();
            for column in span.columns {
                let width = column.width() + std::mem::take(&mut extra);
                line += " ";
                line += &cell_text(column, row, width, styles);
            }
        }
        text += line.trim_end();
        text += "\n";
    }
    text
}

fn cell_text(
    column: &Column<'_>,
    row: usize,
    width: usize,
    styles: Styles,
) -> String {
    let Cell { number, interval, emphasis } = &column.cells[row];
    let [_, intervals] = column.parts();
    let numbers = width - intervals;
    let before = " ".repeat(numbers.saturating_sub(width_of(number)));
    let after = " ".repeat(intervals - width_of(interval));
    let text = styles.paint(*emphasis, &format!("{number}{interval}"));
    format!("{before}{text}{after}")
}

fn column<'a>(
    sheet: &Sheet<'a>,
    scenario: &'a Scenario,
    figure: Figure,
) -> Column<'a> {
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
        scenario,
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
        interval: String::new(),
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
    let number = unit.text(estimate.value);
    let bound = if is_bound { "≥" } else { "" };
    let rounds = sheet.record.figure(scenario, name, figure).len();
    // One round has no interval, and neither has 0.
    let has_interval = rounds > 1 && estimate.value != 0.0;
    let half = if has_interval { half(&estimate) } else { String::new() };
    let suspect = if is_suspect { "?" } else { "" };
    Cell {
        number: format!("{}{bound}{number}", mark.sign()),
        interval: format!("{half}{suspect}"),
        emphasis: match mark {
            Mark::Best => Emphasis::Best,
            _ if is_suspect => Emphasis::Suspect,
            Mark::Equal => Emphasis::Equal,
            Mark::Undecided | Mark::None => Emphasis::Plain,
        },
    }
}

/// Returns half of an interval, in per cent of the value, rounded up.
fn half(estimate: &Estimate) -> String {
    let percent = estimate.half_width() * 100.0;
    if percent > HALF_MAX {
        format!("±>{HALF_MAX}")
    } else {
        // Without the noise of binary fractions.
        format!("±{}", (percent - 1e-6).max(0.0).ceil())
    }
}

/// Returns the explanation of the marks that occur in the table.
fn legend(sheet: &Sheet<'_>, columns: &[Column<'_>]) -> String {
    let cells = || columns.iter().flat_map(|column| &column.cells);
    let has = |sign: char| {
        cells().any(|cell| {
            cell.number.starts_with(sign) || cell.interval.ends_with(sign)
        })
    };
    let mut parts = Vec::new();
    if cells().any(|cell| cell.interval.contains('±')) {
        parts.push("± half of the 95 % interval, in %".to_owned());
    }
    let margin = sheet.findings.margin() * 100.0;
    let signs = [
        ('*', "* best".to_owned()),
        ('=', format!("= equal to the best within {margin} %")),
        ('~', "~ undecided".to_owned()),
        ('?', "? suspect".to_owned()),
    ];
    let signs = signs.into_iter().filter(|(sign, _)| has(*sign));
    parts.extend(signs.map(|(_, text)| text));
    if cells().any(|cell| cell.number.contains('≥')) {
        parts.push("≥ lower bound".to_owned());
    }
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

fn names_width(contestants: &[&Contestant]) -> usize {
    let names = contestants.iter().map(|one| width_of(&title(one)));
    names.max().unwrap_or(0).max(NAMES.len())
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

/// Returns the width of a text in columns.
fn width_of(text: &str) -> usize {
    text.chars().count()
}
