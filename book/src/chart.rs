//! Renders measured figures as charts and as values in the text. A chart comes
//! with its data and with the command that repeats the measurement.

use anyhow::{Context, bail};
use charts::{Anchor, Scale, Svg, Unit, Zero, circle, escaped};

use crate::directive::{self, FigureName};
use crate::figures::{Row, Runs};

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
        floor_text(figures.noise_floor(figure, scenario)),
        picture(&rows, &marked, &title),
        table(&rows),
        escaped(&figures.origin()),
        escaped(&pattern)
    ))
}

/// Renders the noise floor of `FIGURE in SCENARIO`, for use in a sentence.
pub(crate) fn floor(runs: &Runs, arguments: &str) -> anyhow::Result<String> {
    let words: Vec<&str> = arguments.split_whitespace().collect();
    let [figure, "in", scenario] = words[..] else {
        bail!("expected FIGURE in SCENARIO");
    };
    let figures = runs.with(figure, scenario, &[])?;
    let Some(share) = figures.noise_floor(figure, scenario) else {
        bail!("no noise floor of {figure} in {scenario}");
    };
    Ok(format!(
        "<span class=\"value\" title=\"noise floor of {arguments}\">{}</span>",
        Unit::Share.text(share)
    ))
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

fn floor_text(share: Option<f64>) -> String {
    let Some(share) = share else { return String::new() };
    format!("; noise floor {}", Unit::Share.text(share))
}

fn picture(rows: &[&Row], marked: &[&str], label: &str) -> String {
    let height = ROW * rows.len() as f64 + AXIS;
    let bottom = height - AXIS;
    let mut svg = Svg::new([WIDTH, height], "chart", label);
    // All rows of a figure have the same unit.
    let unit = rows[0].unit;
    let estimates = rows.iter().filter_map(|row| row.estimate.as_ref());
    let values = estimates.flat_map(|e| [e.low, e.median, e.high]);
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
            let dot = circle([scale.at(estimate.median), y], 4.0);
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
         <th>contestant</th><th>median</th><th>interval</th><th></th>\
         </tr></thead><tbody>\n",
    );
    for row in rows {
        let remark = match row.validity.as_str() {
            "valid" => "",
            other => row.reason.as_deref().unwrap_or(other),
        };
        let name = escaped(&row.contestant);
        html += &format!(
            "<tr data-c=\"{name}\"><td>{name}</td><td>{}</td><td>{}</td>\
             <td>{}</td></tr>\n",
            escaped(&row.text()),
            escaped(&row.interval()),
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
