//! The charts of a sweep: lines against the value that varies, the heat map,
//! the load curve, and the memory per client.

use charts::Zero;

use crate::analysis::questions::{Question, value_of};
use crate::analysis::units;
use crate::model::figure::Figure;
use crate::model::scenarios::{Parameter, Scenario};
use crate::output::html::chart_frame::{ChartFrame, better, words};
use crate::output::html::dot_plot::{self, Dot};
use crate::output::html::heat_map;
use crate::output::html::overview::precision_text;
use crate::output::html::panels::{
    self, Chart, Line, Panel, PlottedPoint, spread,
};
use crate::output::html::shared::{PageContestant, none_text};
use crate::output::html::tables::{self, Column};
use crate::output::sheet::Sheet;

/// The ratio of response time to service time above which a load is past the
/// knee: a request then waits longer than it is served.
const KNEE_RATIO: f64 = 2.0;

/// Returns the heat map of the share that is left of a rate.
pub(super) fn heat_figure<'a>(
    sheet: &Sheet<'a>,
    question: &Question<'a>,
    page_contestants: &[PageContestant<'a>],
) -> String {
    let figure = Figure::Left;
    let against = question.first().against.as_deref().unwrap_or("alone");
    let against = against.split('@').next().unwrap_or(against);
    let precision = precision_text(sheet, question, figure);
    let precision = precision.map(|text| format!("; A/A {text}"));
    let note = format!(
        "share of the same contestant's rate in {against}, within the same \
         round; more is better{}",
        precision.unwrap_or_default()
    );
    let title = format!(
        "Share left of the rate of {} requests",
        question.first().measured_group
    );
    let chart = heat_map::draw(sheet, question, page_contestants, figure);
    let shown = ChartFrame {
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

/// Returns the chart of a figure against the value that varies.
pub(super) fn sweep_figure<'a>(
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
    let title =
        format!("{} against {}", words.title, question.parameter_name());
    let precision = precision_text(sheet, question, figure);
    let precision = precision.map(|text| format!("A/A {text}; "));
    let note = format!(
        "{}; {}grey: the other contestants",
        better(figure),
        precision.unwrap_or_default()
    );
    let data = sweep_table(sheet, question, page_contestants, figure);
    let shown = ChartFrame {
        what: figure.name(),
        title: &title,
        note: &note,
        chart: &panels::draw(&chart),
        data: &data,
    };
    shown.html(sheet, question)
}

/// Returns the chart of response and service times against the load, with the
/// knee, where they diverge.
pub(super) fn knee_figure<'a>(
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
    let shown = ChartFrame {
        what: "knee",
        title: "Response time (solid) and service time (dashed), p99, \
                against offered load",
        note: "less is better; at the knee and above it, a request waits \
               longer than it is served; grey: the response times of the \
               other contestants",
        chart: &chart,
        data: &data,
    };
    shown.html(sheet, question)
}

/// Returns the index of the knee: the lowest load at which, as at all higher
/// ones, requests wait longer than they are served. If they do so at one load
/// but not at the next, that was a stall.
fn knee(
    response: &[Result<PlottedPoint, String>],
    service: &[Result<PlottedPoint, String>],
) -> Option<usize> {
    let pairs = response.iter().zip(service).enumerate().rev();
    let mut knee = None;
    for (index, pair) in pairs {
        // A missing value is neither before nor after the knee.
        let (Ok(response), Ok(service)) = pair else { continue };
        let [response, service] = [response, service].map(|p| p.estimate);
        if response.value <= KNEE_RATIO * service.value {
            break;
        }
        knee = Some(index);
    }
    knee
}

/// Returns the chart of the memory that each additional client takes: the slope
/// between the ends of the sweep.
pub(super) fn per_client_figure<'a>(
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
    let label = format!("{title} in {}, one row per contestant", question.name);
    let margin = sheet.findings.margin();
    let axis = "memory per client";
    let chart = dot_plot::draw(&label, axis, figure, margin, &mut dots);
    let column =
        Column { name: "per client".to_owned(), figure, of: Box::new(slope) };
    let note = format!(
        "from {} to {}; less is better",
        question.point_name(few),
        question.point_name(many)
    );
    let data = tables::folded("", page_contestants, &[column]);
    let shown = ChartFrame {
        what: "per-client",
        title,
        note: &note,
        chart: &chart,
        data: &data,
    };
    let figure = shown.html(sheet, question);
    format!("<div class=\"dot-plots\">\n{figure}</div>\n")
}

pub(super) fn panel<'a>(
    one: &PageContestant<'a>,
    lines: Vec<Line>,
) -> Panel<'a> {
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
) -> Vec<Result<PlottedPoint, String>> {
    let name = one.contestant.name.as_str();
    let points = question.points.iter().map(|point| {
        let estimate = sheet.estimate(point, name, figure);
        let doubts = sheet.doubts(point, name, figure);
        match estimate {
            Some(estimate) => Ok(PlottedPoint { estimate, doubts }),
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
    let parameter = question.parameter_name();
    let is_load = matches!(question.varies(), Some((Parameter::Load, _)));
    Chart {
        id: format!("{}-{}", question.name, figure.name()),
        label: format!(
            "{} against {parameter} in {}",
            words.title, question.name
        ),
        x_name: parameter,
        x: spread(&values).into_iter().zip(names).collect(),
        figure,
        // At best, the rate is proportional to the load: a straight line.
        zero: if matches!(figure, Figure::Cost | Figure::Rss)
            || figure.is_count()
            || (figure == Figure::Rate && is_load)
        {
            Zero::Shown
        } else {
            Zero::Free
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
pub(super) fn column<'b, 'a: 'b>(
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
        let times = |list: &[f64]| -> Vec<Result<PlottedPoint, String>> {
            let points = list.iter().map(|&median| match median {
                0.0 => Err("void".to_owned()),
                _ => {
                    let (value, low, high) = (median, median, median);
                    let estimate = Estimate { value, low, high };
                    Ok(PlottedPoint { estimate, doubts: None })
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
