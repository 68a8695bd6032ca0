//! Renders measured figures as charts and as values in the text. A chart comes
//! with its data and with the command that repeats the measurement.

use anyhow::{Context, bail};
use charts::{Anchor, Scale, Svg, Unit, Zero, circle, escaped};

use crate::directive::{self, FigureName};
use crate::figures::{Compared, Estimate, Row, Runs};

const WIDTH: f64 = 560.0;
const NAMES: f64 = 128.0;
const VALUES: f64 = 92.0;
const ROW: f64 = 22.0;
const AXIS: f64 = 20.0;

/// Renders the chart of `FIGURE in SCENARIO`, or of `FIGURE in SCENARIO: NAME
/// NAME`, which sets the named contestants in bold.
pub(crate) fn render(runs: &Runs, arguments: &str) -> anyhow::Result<String> {
    let (what, marked) = arguments.split_once(':').unwrap_or((arguments, ""));
    let words: Vec<&str> = what.split_whitespace().collect();
    let [figure, "in", scenario] = words[..] else {
        bail!("expected FIGURE in SCENARIO, or FIGURE in SCENARIO: NAMES");
    };
    let marked: Vec<&str> = marked.split_whitespace().collect();
    let figures = runs.with(figure, scenario, &marked)?;
    let rows = figures.rows(figure, scenario, &marked)?;
    let title = format!("{} in {scenario}", title(figure));
    let pattern = format!("^{}$", scenario.replace('.', r"\."));
    Ok(format!(
        "<figure class=\"measured\">\n<figcaption><b>{}</b> {}{}</figcaption>\n\
         {}{}\
         <details><summary>Source</summary><p>{}</p>\
         <pre><code>cargo run --release -p compare -- -s '{}'</code></pre>\
         </details>\n</figure>\n",
        escaped(&title),
        better(figure),
        precision(figures.self_ratio(figure, scenario)),
        picture(&rows, &marked, &title),
        table(&rows),
        escaped(&figures.origin()),
        escaped(&pattern)
    ))
}

/// Renders how precisely a contestant was compared with itself by `FIGURE in
/// SCENARIO`, for use in a sentence.
pub(crate) fn precision_of(
    runs: &Runs,
    arguments: &str,
) -> anyhow::Result<String> {
    let words: Vec<&str> = arguments.split_whitespace().collect();
    let [figure, "in", scenario] = words[..] else {
        bail!("expected FIGURE in SCENARIO");
    };
    let figures = runs.with(figure, scenario, &[])?;
    let Some(ratio) = figures.self_ratio(figure, scenario) else {
        bail!("no A/A ratio of {figure} in {scenario}");
    };
    let [value, low, high] =
        [ratio.value, ratio.low, ratio.high].map(charts::ratio);
    Ok(format!(
        "<span class=\"value\" title=\"A/A, {arguments}: {value} \
         [{low}, {high}]\">±{}</span>",
        Unit::Share.text(ratio.half_width())
    ))
}

/// Renders the share by which equal figures may differ.
pub(crate) fn margin(runs: &Runs) -> String {
    format!("{} %", (runs.first().margin() * 1000.0).round() / 10.0)
}

/// Renders `FIGURE of CONTESTANT in SCENARIO`, for use in a sentence. The
/// interval is shown when the pointer rests on it.
pub(crate) fn value(runs: &Runs, arguments: &str) -> anyhow::Result<String> {
    let FigureName { figure, contestant, scenario } =
        directive::figure_name(arguments)?;
    let wanted = [contestant.as_str()];
    let figures = runs.with(&figure, &scenario, &wanted)?;
    let rows = figures.rows(&figure, &scenario, &wanted)?;
    let row = rows.into_iter().find(|row| row.contestant == contestant);
    let row = row.context("`rows` returns every wanted contestant")?;
    if row.estimate.is_none() {
        let why = row.reason.as_deref().unwrap_or("not measured");
        bail!("no value: {why}");
    }
    let (interval, run) = (row.interval(), &figures.run);
    let title = format!("{arguments}: {interval} (run {run})");
    Ok(format!(
        "<span class=\"value\" data-c=\"{}\" title=\"{}\">{}</span>",
        escaped(&row.contestant),
        escaped(&title),
        escaped(&row.text())
    ))
}

fn precision(ratio: Option<Estimate>) -> String {
    let Some(ratio) = ratio else { return String::new() };
    format!("; A/A ±{}", Unit::Share.text(ratio.half_width()))
}

fn picture(rows: &[&Row], marked: &[&str], label: &str) -> String {
    let height = ROW * rows.len() as f64 + AXIS;
    let bottom = height - AXIS;
    let mut svg = Svg::new([WIDTH, height], "chart", label);
    // All rows of a figure have the same unit.
    let unit = rows[0].unit;
    let estimates = rows.iter().filter_map(|row| row.estimate.as_ref());
    let values = estimates.flat_map(|e| [e.low, e.value, e.high]);
    let scale = Scale::fit(values, unit, Zero::Free, [NAMES, WIDTH - VALUES]);
    for value in scale.ticks(unit, 4) {
        let x = scale.at(value);
        svg.line("grid", [x, 0.0], [x, bottom]);
        let place = [x, height - 5.0];
        svg.text("tick", place, Anchor::Middle, &unit.tick(value));
    }
    for (index, row) in rows.iter().enumerate() {
        let y = ROW * (index as f64 + 0.5);
        let name = &row.contestant;
        let is_marked = marked.contains(&name.as_str());
        let class = if is_marked { "row marked" } else { "row" };
        let title = format!("{name}: {} ({})", row.text(), row.interval());
        svg.open(class, name, &title);
        svg.rect("hit", [0.0, y - ROW / 2.0], [WIDTH, ROW]);
        svg.text("name", [NAMES - 8.0, y + 4.0], Anchor::End, name);
        if let Some(estimate) = &row.estimate {
            let [low, high] =
                [estimate.low, estimate.high].map(|end| scale.at(end));
            svg.line("interval", [low, y], [high, y]);
            let class = match row.validity.as_str() {
                "valid" => "dot",
                _ => "dot doubtful",
            };
            let dot = circle([scale.at(estimate.value), y], 4.0);
            svg.raw(&format!("<path class=\"{class}\" d=\"{dot}\"/>"));
        }
        let place = [WIDTH - 2.0, y + 4.0];
        svg.text("reading", place, Anchor::End, &row.text());
        svg.close();
    }
    svg.finish()
}

fn table(rows: &[&Row]) -> String {
    let mut html = String::from(
        "<details><summary>The figures</summary><table><thead><tr>\
         <th>contestant</th><th>value</th><th>interval</th>\
         <th>compared with the best</th><th></th></tr></thead><tbody>\n",
    );
    for row in rows {
        let remark = match row.validity.as_str() {
            "valid" => "",
            other => row.reason.as_deref().unwrap_or(other),
        };
        let name = escaped(&row.contestant);
        let compared = row.compared.as_ref().map(Compared::text);
        html += &format!(
            "<tr data-c=\"{name}\"><td>{name}</td><td>{}</td><td>{}</td>\
             <td>{}</td><td>{}</td></tr>\n",
            escaped(&row.text()),
            escaped(&row.interval()),
            escaped(&compared.unwrap_or_default()),
            escaped(remark)
        );
    }
    html + "</tbody></table></details>\n"
}

fn title(figure: &str) -> &str {
    match figure {
        "time" => "Median time of a request",
        "rate" => "Replies per second",
        "p50" => "Service time, median",
        "p99" => "Service time, 99th percentile",
        "cost" => "Server CPU time per reply",
        "rss" => "Resident memory of the server",
        "left" => "Share of its rate that the short client keeps",
        "response-p50" => "Response time, median",
        "response-p99" => "Response time, 99th percentile",
        other => other,
    }
}

fn better(figure: &str) -> &'static str {
    match figure {
        "rate" | "left" => "more is better",
        _ => "less is better",
    }
}
