//! The charts of a question, each with its title, note, table of figures and
//! command.

use charts::Zero;

use crate::analysis::questions::Question;
use crate::model::figure::Figure;
use crate::model::scenarios::Parameter;
use crate::output::html::chart_frame::{ChartFrame, better, words};
use crate::output::html::dot_plot::{self, Dot};
use crate::output::html::overview::precision_text;
use crate::output::html::panels::{self, Chart, Line, PlottedPoint};
use crate::output::html::shared::{PageContestant, none_text};
use crate::output::html::sweep_charts::{
    heat_figure, knee_figure, panel, per_client_figure, sweep_figure,
};
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
                Figure::Time
                | Figure::Rate
                | Figure::P50
                | Figure::P99
                | Figure::Cost
                | Figure::Rss
                | Figure::PerClient
                | Figure::Threads
                | Figure::ResponseP50
                | Figure::VoluntarySwitches
                | Figure::InvoluntarySwitches
                | Figure::Instructions
                | Figure::CacheMisses => {
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

fn dot_figure<'a>(
    sheet: &Sheet<'a>,
    question: &Question<'a>,
    page_contestants: &[PageContestant<'a>],
    figure: Figure,
) -> String {
    let scenario = question.first();
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
    let margin = sheet.findings.margin();
    let words = words(figure);
    let label =
        format!("{} in {}, one row per contestant", words.title, scenario.name);
    let chart = dot_plot::draw(&label, words.axis, figure, margin, &mut dots);
    let precision = precision_text(sheet, question, figure);
    let precision = precision.map(|text| format!("; A/A {text}"));
    let note = format!(
        "{}; band: within {} % of the first{}",
        better(figure),
        margin * 100.0,
        precision.unwrap_or_default()
    );
    let data = tables::of_figure(sheet, scenario, page_contestants, figure);
    let shown = ChartFrame {
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
            Ok(PlottedPoint { estimate, doubts: None })
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
    let shown = ChartFrame {
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
