//! The charts of a question, each with its title, note, table of figures and
//! command.

use charts::{Zero, escaped};

use crate::analysis::questions::{Question, value_of};
use crate::analysis::units;
use crate::model::figure::Figure;
use crate::model::scenarios::{Parameter, Scenario};
use crate::output::html::dot_plot::{self, Dot};
use crate::output::html::heat_map;
use crate::output::html::overview::floor_text;
use crate::output::html::panels::{self, Chart, Line, Panel, Point, spread};
use crate::output::html::rerun;
use crate::output::html::shared::PageContestant;
use crate::output::html::shared::none_text;
use crate::output::html::tables::{self, Column};
use crate::output::sheet::Sheet;

/// The quantiles of service times that are drawn. Most of them are in the tail,
/// which a mean hides.
const QUANTILES: [(f64, &str); 7] = [
    (0.5, "p50"),
    (0.75, "p75"),
    (0.9, "p90"),
    (0.95, "p95"),
    (0.99, "p99"),
    (0.995, "p99.5"),
    (0.999, "p99.9"),
];

/// The ratio of response time to service time above which a load is past the
/// knee: a request then waits longer than it is served.
const KNEE_RATIO: f64 = 2.0;

/// Returns all charts of a question.
pub(super) fn charts<'a>(
    sheet: &Sheet<'a>,
    question: &Question<'a>,
    page_contestants: &[PageContestant<'a>],
) -> String {
    let first = question.first();
    let figures = &first.figures;
    let mut html = String::new();
    if question.is_sweep() {
        let responds = figures.contains(&Figure::ResponseP99);
        for &figure in figures {
            html += &match figure {
                Figure::Left => heat_figure(sheet, question, page_contestants),
                Figure::ResponseP99 => {
                    knee_figure(sheet, question, page_contestants)
                }
                // The chart of the response time includes it.
                Figure::P99 if responds => continue,
                figure => {
                    sweep_figure(sheet, question, page_contestants, figure)
                }
            };
        }
        let crowds =
            matches!(question.varies(), Some((Parameter::Connections, _)));
        if crowds && figures.contains(&Figure::Rss) {
            html += &per_client_figure(sheet, question, page_contestants);
        }
        return html;
    }
    html += "<div class=\"dot-plots\">\n";
    for &figure in figures {
        html += &dot_figure(sheet, question, page_contestants, figure);
    }
    html += "</div>\n";
    if figures.contains(&Figure::P99) {
        html += &quantile_figure(sheet, question, page_contestants);
    }
    html
}

/// A chart with its title and note above it, and below it the table of its
/// figures and the command that measures them again.
struct Shown<'a> {
    /// The name of what it shows, for the id of the element.
    what: &'a str,
    title: &'a str,
    note: &'a str,
    /// The chart, as HTML.
    chart: &'a str,
    /// The table of its figures, as HTML.
    data: &'a str,
}

impl Shown<'_> {
    fn html<'a>(self, sheet: &Sheet<'a>, question: &Question<'a>) -> String {
        let Shown { what, title, note, chart, data } = self;
        format!(
            "<figure id=\"{}-{what}-chart\">\n<figcaption><b>{}</b> {}\
             </figcaption>\n{chart}{data}{}</figure>\n",
            escaped(question.name),
            escaped(title),
            escaped(note),
            rerun::folded(sheet.record, &question.points)
        )
    }
}

fn dot_figure<'a>(
    sheet: &Sheet<'a>,
    question: &Question<'a>,
    page_contestants: &[PageContestant<'a>],
    figure: Figure,
) -> String {
    let scenario = question.first();
    let floor = sheet.findings.noise_floor(scenario, figure);
    let floor = floor.filter(|floor| floor.is_finite());
    let mut dots: Vec<Dot<'_>> = page_contestants
        .iter()
        .map(|one| {
            let name = one.contestant.name.as_str();
            let estimate = sheet.estimate(scenario, name, figure);
            Dot {
                index: one.index,
                name,
                family: one.family,
                value: estimate
                    .ok_or_else(|| none_text(sheet, scenario, name, figure)),
                is_lower_bound: sheet.is_lower_bound(scenario, name, figure),
                doubts: sheet.doubts(scenario, name, figure),
            }
        })
        .collect();
    let words = words(figure);
    let label =
        format!("{} in {}, one row per contestant", words.title, scenario.name);
    let chart = dot_plot::draw(&label, words.axis, figure, floor, &mut dots);
    let note = match floor {
        Some(floor) => {
            format!(
                "{}; band: noise floor, {:.0} %",
                better(figure),
                floor * 100.0
            )
        }
        None => better(figure).to_owned(),
    };
    let data = tables::of_figure(sheet, scenario, page_contestants, figure);
    let shown = Shown {
        what: figure.name(),
        title: words.title,
        note: &note,
        chart: &chart,
        data: &data,
    };
    shown.html(sheet, question)
}

fn quantile_figure<'a>(
    sheet: &Sheet<'a>,
    question: &Question<'a>,
    page_contestants: &[PageContestant<'a>],
) -> String {
    let scenario = question.first();
    let at = |name: &str, quantile: f64| {
        let found = sheet.quantile(scenario, name, quantile);
        found.ok_or_else(|| "too few replies beyond it".to_owned())
    };
    let panels = page_contestants.iter().map(|one| {
        let name = one.contestant.name.as_str();
        let points = QUANTILES.iter().map(|(quantile, _)| {
            let estimate = at(name, *quantile)?;
            Ok(Point { estimate, doubts: None })
        });
        // Percentiles with too few replies are left out of the line.
        let points: Vec<_> = points.take_while(Result::is_ok).collect();
        panel(one, vec![Line { name: "", points }])
    });
    let nines = |quantile: f64| -(1.0 - quantile).log10();
    let [first, last] = [QUANTILES[0].0, QUANTILES[6].0].map(nines);
    let x = QUANTILES.iter().map(|(quantile, name)| {
        ((nines(*quantile) - first) / (last - first), (*name).to_owned())
    });
    let chart = Chart {
        id: format!("{}-quantiles", scenario.name),
        label: format!("service time by percentile in {}", scenario.name),
        x_name: "percentile of replies".to_owned(),
        x: x.collect(),
        figure: Figure::P99,
        zero: Zero::Free,
        panels: panels.collect(),
    };
    let columns = QUANTILES.map(|(quantile, name)| Column {
        name: name.to_owned(),
        figure: Figure::P99,
        of: Box::new(move |one: &PageContestant<'_>| {
            at(&one.contestant.name, quantile)
        }),
    });
    let shown = Shown {
        what: "percentiles",
        title: "Service time by percentile",
        note: "median over the rounds, if each round has at least ten replies \
               beyond the percentile; less is better; grey: the other \
               contestants",
        chart: &panels::draw(&chart),
        data: &tables::folded("", page_contestants, &columns),
    };
    shown.html(sheet, question)
}

fn heat_figure<'a>(
    sheet: &Sheet<'a>,
    question: &Question<'a>,
    page_contestants: &[PageContestant<'a>],
) -> String {
    let figure = Figure::Left;
    let against = question.first().against.as_deref().unwrap_or("alone");
    let against = against.split('@').next().unwrap_or(against);
    let floor = floor_text(sheet, question, figure);
    let floor = floor.map(|floor| format!("; noise floor {floor}"));
    let note = format!(
        "share of the same contestant's rate in {against}, within the same \
         round; more is better{}",
        floor.unwrap_or_default()
    );
    let title =
        format!("Share left of the rate of {} requests", question.first().of);
    let chart = heat_map::draw(sheet, question, page_contestants, figure);
    let shown = Shown {
        what: figure.name(),
        title: &title,
        note: &note,
        chart: &chart,
        data: &matrix_table(sheet, question, page_contestants),
    };
    shown.html(sheet, question)
}

/// Returns the table of the shares that the heat map shows, with the two rates
/// that each share is computed from.
fn matrix_table<'a>(
    sheet: &Sheet<'a>,
    question: &Question<'a>,
    page_contestants: &[PageContestant<'a>],
) -> String {
    let mut columns = Vec::new();
    for &point in &question.points {
        let name = question.point_name(point);
        let mut add = |what: String, scenario, figure| {
            let name = format!("{name}: {what}");
            columns.push(column(sheet, scenario, figure, name));
        };
        add("left".to_owned(), point, Figure::Left);
        add("rate".to_owned(), point, Figure::Rate);
        if let Some(against) = sheet.record.against(point) {
            let what = format!("rate in {}", against.base());
            add(what, against, Figure::Rate);
        }
    }
    tables::folded("", page_contestants, &columns)
}

fn sweep_figure<'a>(
    sheet: &Sheet<'a>,
    question: &Question<'a>,
    page_contestants: &[PageContestant<'a>],
    figure: Figure,
) -> String {
    let panels = page_contestants.iter().map(|one| {
        let points = points(sheet, question, one, figure);
        panel(one, vec![Line { name: "", points }])
    });
    let panels = panels.collect();
    let words = words(figure);
    let chart = chart(question, figure, panels);
    let title = format!("{} against {}", words.title, question.knob_name());
    let floor = floor_text(sheet, question, figure);
    let floor = floor.map(|floor| format!("noise floor {floor}; "));
    let note = format!(
        "{}; {}grey: the other contestants",
        better(figure),
        floor.unwrap_or_default()
    );
    let data = sweep_table(sheet, question, page_contestants, figure);
    let shown = Shown {
        what: figure.name(),
        title: &title,
        note: &note,
        chart: &panels::draw(&chart),
        data: &data,
    };
    shown.html(sheet, question)
}

/// Returns the chart of response and service times against the load, with the
/// knee from which on they diverge.
fn knee_figure<'a>(
    sheet: &Sheet<'a>,
    question: &Question<'a>,
    page_contestants: &[PageContestant<'a>],
) -> String {
    let figure = Figure::ResponseP99;
    let panels = page_contestants.iter().map(|one| {
        let response = points(sheet, question, one, figure);
        let service = points(sheet, question, one, Figure::P99);
        let knee = knee(&response, &service).map(|index| {
            let load = question.value_text(question.points[index]);
            (index, format!("knee {load}"))
        });
        let name = one.contestant.name.as_str();
        let capacity = sheet.capacity(question.first(), name);
        let x_name = capacity
            .map(|rate| format!("load; 100 % = {}/s", thousands(rate)))
            .unwrap_or_default();
        let lines = vec![
            Line { name: "response p99", points: response },
            Line { name: "service p99", points: service },
        ];
        Panel { knee, x_name, ..panel(one, lines) }
    });
    let panels = panels.collect();
    let chart = chart(question, figure, panels);
    let chart = panels::draw(&chart);
    let mut data = sweep_table(sheet, question, page_contestants, figure);
    if question.first().figures.contains(&Figure::P99) {
        data += &sweep_table(sheet, question, page_contestants, Figure::P99);
    }
    let shown = Shown {
        what: "knee",
        title: "Response time (solid) and service time (dashed), p99, \
                against offered load",
        note: "less is better; from the knee on, a request waits longer than \
               it is served; grey: the response times of the other \
               contestants",
        chart: &chart,
        data: &data,
    };
    shown.html(sheet, question)
}

/// Returns the index of the load from which on requests wait longer than they
/// are served. If they do so at one load but not at the next, that was a stall,
/// not the knee.
fn knee(
    response: &[Result<Point, String>],
    service: &[Result<Point, String>],
) -> Option<usize> {
    let pairs = response.iter().zip(service).enumerate().rev();
    let mut knee = None;
    for (index, pair) in pairs {
        // A missing value is neither before nor after the knee.
        let (Ok(response), Ok(service)) = pair else { continue };
        let [response, service] = [response, service].map(|p| p.estimate);
        if response.median <= KNEE_RATIO * service.median {
            break;
        }
        knee = Some(index);
    }
    knee
}

/// Returns the chart of the memory that each additional client takes: the slope
/// between the ends of the sweep.
fn per_client_figure<'a>(
    sheet: &Sheet<'a>,
    question: &Question<'a>,
    page_contestants: &[PageContestant<'a>],
) -> String {
    let figure = Figure::Rss;
    let [few, many] =
        [question.points[0], question.points[question.points.len() - 1]];
    let clients = value_of(many) - value_of(few);
    let slope = |one: &PageContestant<'_>| {
        let name = one.contestant.name.as_str();
        sheet
            .slope([few, many], name, figure, clients)
            .ok_or_else(|| "not measured at both ends".to_owned())
    };
    let mut dots: Vec<Dot<'_>> = page_contestants
        .iter()
        .map(|one| Dot {
            index: one.index,
            name: &one.contestant.name,
            family: one.family,
            value: slope(one).map_err(|why| ("–", why)),
            is_lower_bound: false,
            doubts: None,
        })
        .collect();
    let title = "Resident memory per client";
    let label = format!("{title} in {}, one row each", question.name);
    let axis = "memory per client";
    let chart = dot_plot::draw(&label, axis, figure, None, &mut dots);
    let column =
        Column { name: "per client".to_owned(), figure, of: Box::new(slope) };
    let note = format!(
        "from {} to {}; less is better",
        question.point_name(few),
        question.point_name(many)
    );
    let data = tables::folded("", page_contestants, &[column]);
    let shown = Shown {
        what: "per-client",
        title,
        note: &note,
        chart: &chart,
        data: &data,
    };
    let figure = shown.html(sheet, question);
    format!("<div class=\"dot-plots\">\n{figure}</div>\n")
}

fn panel<'a>(one: &PageContestant<'a>, lines: Vec<Line>) -> Panel<'a> {
    Panel {
        index: one.index,
        name: &one.contestant.name,
        family: one.family,
        x_name: String::new(),
        lines,
        knee: None,
    }
}

fn points(
    sheet: &Sheet<'_>,
    question: &Question<'_>,
    one: &PageContestant<'_>,
    figure: Figure,
) -> Vec<Result<Point, String>> {
    let name = one.contestant.name.as_str();
    let points = question.points.iter().map(|point| {
        let estimate = sheet.estimate(point, name, figure);
        let doubts = sheet.doubts(point, name, figure);
        match estimate {
            Some(estimate) => Ok(Point { estimate, doubts }),
            None => Err(none_text(sheet, point, name, figure).1),
        }
    });
    points.collect()
}

fn chart<'a>(
    question: &Question<'_>,
    figure: Figure,
    panels: Vec<Panel<'a>>,
) -> Chart<'a> {
    let values: Vec<f64> =
        question.points.iter().map(|point| value_of(point)).collect();
    let names = question.points.iter().map(|p| question.value_text(p));
    let words = words(figure);
    let knob = question.knob_name();
    let is_load = matches!(question.varies(), Some((Parameter::Load, _)));
    Chart {
        id: format!("{}-{}", question.name, figure.name()),
        label: format!("{} against {knob} in {}", words.title, question.name),
        x_name: knob,
        x: spread(&values).into_iter().zip(names).collect(),
        figure,
        zero: match figure {
            Figure::Cost | Figure::Rss => Zero::Shown,
            // At best, the rate is proportional to the load: a straight line.
            Figure::Rate if is_load => Zero::Shown,
            _ => Zero::Free,
        },
        panels,
    }
}

fn sweep_table<'a>(
    sheet: &Sheet<'a>,
    question: &Question<'a>,
    page_contestants: &[PageContestant<'a>],
    figure: Figure,
) -> String {
    let columns = question
        .points
        .iter()
        .map(|&point| column(sheet, point, figure, question.point_name(point)));
    let columns: Vec<Column<'_>> = columns.collect();
    tables::folded(figure.name(), page_contestants, &columns)
}

/// Returns the column of one figure at one value.
fn column<'b, 'a: 'b>(
    sheet: &'b Sheet<'a>,
    point: &'a Scenario,
    figure: Figure,
    name: String,
) -> Column<'b> {
    let of = move |one: &PageContestant<'_>| {
        let name = one.contestant.name.as_str();
        let estimate = sheet.estimate(point, name, figure);
        estimate.ok_or_else(|| none_text(sheet, point, name, figure).1)
    };
    Column { name, figure, of: Box::new(of) }
}

/// The texts for a figure.
struct Words {
    /// The title of its charts.
    title: &'static str,
    /// The name of its axis.
    axis: &'static str,
}

fn words(figure: Figure) -> Words {
    let (title, axis) = match figure {
        Figure::Time => ("Time per request, median", "service time"),
        Figure::Rate => ("Replies per second", "replies per second"),
        Figure::P50 => ("Service time, p50", "service time"),
        Figure::P99 => ("Service time, p99", "service time"),
        Figure::Cost => {
            ("Cost: server CPU time per reply", "CPU time per reply")
        }
        Figure::Rss => ("Resident memory", "memory of the server"),
        Figure::Threads => ("Threads", "threads of the server"),
        Figure::Left => {
            ("Share left of the rate", "share of the undisturbed rate")
        }
        Figure::ResponseP50 => ("Response time, p50", "response time"),
        Figure::ResponseP99 => ("Response time, p99", "response time"),
    };
    Words { title, axis }
}

fn better(figure: Figure) -> &'static str {
    if figure.more_is_better() { "more is better" } else { "less is better" }
}

/// Returns a short form of a rate, such as `40 k`.
fn thousands(rate: f64) -> String {
    if rate < 10_000.0 {
        units::number(rate)
    } else {
        format!("{} k", units::number(rate / 1000.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::statistics::Estimate;

    #[test]
    fn the_knee_is_where_requests_wait_longer_than_they_are_served() {
        let times = |list: &[f64]| -> Vec<Result<Point, String>> {
            let points = list.iter().map(|&median| match median {
                0.0 => Err("void".to_owned()),
                _ => {
                    let (low, high) = (median, median);
                    let estimate = Estimate { median, low, high };
                    Ok(Point { estimate, doubts: None })
                }
            });
            points.collect()
        };
        let cases = [
            (times(&[1.0, 1.5, 9.0]), times(&[1.0, 1.0, 1.0]), Some(2)),
            (times(&[9.0, 1.5, 9.0]), times(&[1.0, 1.0, 1.0]), Some(2)),
            (times(&[1.0, 9.0, 0.0]), times(&[1.0, 1.0, 1.0]), Some(1)),
            (times(&[1.0, 0.0, 3.0]), times(&[1.0, 1.0, 1.0]), Some(2)),
            (times(&[1.0, 1.5, 2.0]), times(&[1.0, 1.0, 1.0]), None),
        ];
        for (response, service, expected) in cases {
            assert_eq!(knee(&response, &service), expected);
        }
    }
}
