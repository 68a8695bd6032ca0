//! Charts of measured figures, each with its data and the command that
//! measures it again.

use anyhow::bail;

use crate::directive;
use crate::figures::{Figures, Row};
use crate::svg::{Anchor, Svg, escaped};

const WIDTH: f64 = 560.0;
const NAMES: f64 = 124.0;
const VALUES: f64 = 86.0;
const ROW: f64 = 22.0;
const AXIS: f64 = 20.0;

/// Values further apart than that need a logarithm to be seen together.
const RATIO_OF_LOG: f64 = 12.0;

/// The room below a logarithmic axis for those who are at 0.
const ROOM_FOR_ZERO: f64 = 14.0;

/// A chart of `FIGURE in SCENARIO`, or `FIGURE in SCENARIO: NAME NAME` with
/// some contestants set off.
pub(crate) fn of(figures: &Figures, arguments: &str) -> anyhow::Result<String> {
    let (what, marked) = arguments.split_once(':').unwrap_or((arguments, ""));
    let words: Vec<&str> = what.split_whitespace().collect();
    let [figure, "in", scenario] = words[..] else {
        bail!("expected FIGURE in SCENARIO, or FIGURE in SCENARIO: NAMES");
    };
    let rows = figures.of(figure, scenario)?;
    let marked: Vec<&str> = marked.split_whitespace().collect();
    for name in &marked {
        if !rows.iter().any(|row| row.contestant == *name) {
            bail!("{name} is not in {scenario}");
        }
    }
    let title = format!("{} in {scenario}", title(figure));
    let pattern = format!("^{}$", scenario.replace('.', r"\."));
    Ok(format!(
        "<figure class=\"measured\">\n<figcaption><b>{}</b> {}</figcaption>\n\
         {}{}\
         <details><summary>Where this is from</summary><p>{}</p>\
         <pre><code>cargo run --release -p compare -- -s '{}'</code></pre>\
         </details>\n</figure>\n",
        escaped(&title),
        better(figure),
        picture(&rows, &marked, &title),
        table(&rows),
        escaped(&figures.machine()),
        escaped(&pattern)
    ))
}

/// One figure in the text, with its interval where a pointer rests.
pub(crate) fn value(
    figures: &Figures,
    arguments: &str,
) -> anyhow::Result<String> {
    let cell = directive::cell(arguments)?;
    let row = figures.one(&cell)?;
    if row.estimate.is_none() {
        let why = row.reason.as_deref().unwrap_or("it was not measured");
        bail!("there is none: {why}");
    }
    let title = format!("{arguments}: {}", row.interval());
    let (text, title) = (escaped(&row.text()), escaped(&title));
    Ok(format!("<span class=\"value\" title=\"{title}\">{text}</span>"))
}

fn picture(rows: &[&Row], marked: &[&str], label: &str) -> String {
    let height = ROW * rows.len() as f64 + AXIS;
    let bottom = height - AXIS;
    let mut svg = Svg::new([WIDTH, height], label);
    let scale = Scale::of(rows);
    for (value, text) in scale.ticks(rows) {
        let x = scale.at(value);
        svg.line("grid", [x, 0.0], [x, bottom]);
        svg.text("tick", [x, height - 5.0], Anchor::Middle, &text);
    }
    for (index, row) in rows.iter().enumerate() {
        let y = ROW * (index as f64 + 0.5);
        let is_marked = marked.contains(&row.contestant.as_str());
        let set_off = if is_marked { " marked" } else { "" };
        let name = format!("name{set_off}");
        svg.text(&name, [NAMES - 8.0, y + 4.0], Anchor::End, &row.contestant);
        let text = match &row.estimate {
            Some(estimate) => {
                let [low, high] =
                    [estimate.low, estimate.high].map(|end| scale.at(end));
                let interval = format!("interval{set_off}");
                svg.line(&interval, [low, y], [high, y]);
                let doubt = if row.validity == "valid" { "" } else { " open" };
                let dot = format!("dot{set_off}{doubt}");
                let title = format!("{} ({})", row.text(), row.interval());
                svg.dot(&dot, [scale.at(estimate.median), y], &title);
                row.text()
            }
            None => "–".to_owned(),
        };
        let place = [WIDTH - 2.0, y + 4.0];
        svg.text(&format!("reading{set_off}"), place, Anchor::End, &text);
    }
    svg.finish()
}

fn table(rows: &[&Row]) -> String {
    let mut html = String::from(
        "<details><summary>The figures</summary><table><thead><tr>\
         <th>contestant</th><th>median</th><th>95 % interval</th><th></th>\
         </tr></thead><tbody>\n",
    );
    for row in rows {
        let remark = match row.validity.as_str() {
            "valid" => "",
            other => row.reason.as_deref().unwrap_or(other),
        };
        html += &format!(
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
            escaped(&row.contestant),
            escaped(&row.text()),
            escaped(&row.interval()),
            escaped(remark)
        );
    }
    html + "</tbody></table></details>\n"
}

/// An axis.
struct Scale {
    low: f64,
    high: f64,
    is_log: bool,
    has_zero: bool,
}

impl Scale {
    fn of(rows: &[&Row]) -> Scale {
        let estimates = rows.iter().filter_map(|row| row.estimate.as_ref());
        let ends: Vec<f64> =
            estimates.flat_map(|e| [e.low, e.median, e.high]).collect();
        let positive = ends.iter().copied().filter(|end| *end > 0.0);
        let least = positive.clone().fold(f64::INFINITY, f64::min);
        let most = positive.fold(0.0, f64::max);
        if most > least * RATIO_OF_LOG {
            let has_zero = ends.iter().any(|end| *end <= 0.0);
            let (low, high) = (least / 1.2, most * 1.2);
            return Scale { low, high, is_log: true, has_zero };
        }
        let high = if most > 0.0 { most * 1.05 } else { 1.0 };
        Scale { low: 0.0, high, is_log: false, has_zero: false }
    }

    fn at(&self, value: f64) -> f64 {
        let (start, end) = (NAMES, WIDTH - VALUES);
        if !self.is_log {
            return start + value / self.high * (end - start);
        }
        let from = start + if self.has_zero { ROOM_FOR_ZERO } else { 0.0 };
        if value <= 0.0 {
            return start;
        }
        let share = (value / self.low).ln() / (self.high / self.low).ln();
        from + share.clamp(0.0, 1.0) * (end - from)
    }

    /// Round values on it, in the unit of the figure.
    fn ticks(&self, rows: &[&Row]) -> Vec<(f64, String)> {
        let Some(row) = rows.first() else { return Vec::new() };
        let values: Vec<f64> = if self.is_log {
            let first = self.low.log10().ceil() as i32;
            let last = self.high.log10().floor() as i32;
            let step = ((last - first) / 4).max(1) as usize;
            let powers = (first..=last).step_by(step);
            let powers = powers.map(|power| 10_f64.powi(power));
            let zero = self.has_zero.then_some(0.0);
            zero.into_iter().chain(powers).collect()
        } else {
            let rough = self.high / 4.0;
            let power = 10_f64.powf(rough.log10().floor());
            let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
            let step = steps.into_iter().find(|step| *step >= rough);
            let step = step.unwrap_or(self.high);
            let count = (self.high / step).floor() as i32;
            (0..=count).map(|i| f64::from(i) * step).collect()
        };
        let text = |value: f64| match value {
            0.0 => "0".to_owned(),
            value => row.tick(value),
        };
        values.into_iter().map(|value| (value, text(value))).collect()
    }
}

fn title(figure: &str) -> &str {
    match figure {
        "time" => "Time of a request, median",
        "rate" => "Replies a second",
        "p50" => "Service time, half of the replies within",
        "p99" => "Service time, 99 of 100 replies within",
        "cost" => "Server CPU time per reply",
        "rss" => "Resident memory of the server",
        "left" => "What is left of the short client's rate",
        "response-p50" => "Response time, half of the requests within",
        "response-p99" => "Response time, 99 of 100 requests within",
        other => other,
    }
}

fn better(figure: &str) -> &'static str {
    match figure {
        "rate" | "left" => "more is better",
        _ => "less is better",
    }
}
