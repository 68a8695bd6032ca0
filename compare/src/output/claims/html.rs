//! The verdicts as one page: no network, no fonts, nothing outside the file.

use std::fmt::Write;

use charts::{Anchor, Svg, escaped, inline};

use crate::analysis::claims::Verdicts;
use crate::analysis::claims::{JudgedClaim, JudgedTrial};
use crate::analysis::statistics::Estimate;
use crate::analysis::units;
use crate::model::claims::Side;
use crate::model::contestant::Contestant;
use crate::model::record::Record;
use crate::output::claims::notes::notes;
use crate::output::claims::outcomes;
use crate::output::claims::text::ratio;
use crate::output::html::document::document;
use crate::output::html::family::Family;

/// The chart's size, but for its height, in pixels of a narrow page.
const WIDTH: f64 = 360.0;
const NAMES_WIDTH: f64 = 104.0;
const VALUES_WIDTH: f64 = 90.0;
const ROW_HEIGHT: f64 = 24.0;
const AXIS_HEIGHT: f64 = 36.0;

/// The ratios that the axis shows; what is less, such as 0, stands at its
/// start.
const LEAST: f64 = 0.000_01;
const MOST: f64 = 100.0;

/// Its ticks, and what stands there.
const TICKS: [(f64, &str); 8] = [
    (LEAST, "0"),
    (0.000_1, ""),
    (0.001, ""),
    (0.01, "0.01"),
    (0.1, ""),
    (1.0, "1"),
    (10.0, ""),
    (MOST, "100"),
];

/// Draws it.
///
/// # Errors
///
/// Never: it shares its form with exporters that may fail.
pub(crate) fn page(verdicts: &Verdicts<'_>) -> anyhow::Result<String> {
    let record = verdicts.record;
    let mut html = top(verdicts);
    html += "<main>\n<nav aria-label=\"Verdicts\">\n<h2>The verdicts</h2>\n\
             <ul>\n";
    for (kind, names) in outcomes::groups(&verdicts.judged) {
        let names: Vec<String> = { names.iter().map(|name| escaped(name)) }
            .map(|name| format!("<a href=\"#{name}\">{name}</a>"))
            .collect();
        let count = names.len();
        writeln!(
            html,
            "<li><b>{}</b> ({count}): {}</li>",
            escaped(&kind),
            names.join(", ")
        )?;
    }
    html += "</ul>\n</nav>\n";
    for judged in &verdicts.judged {
        section(&mut html, record, judged)?;
    }
    html += "<section class=\"doubts\"><h2>How far to believe it</h2>\n<ul>\n";
    for note in notes(verdicts) {
        writeln!(html, "<li>{}</li>", escaped(&note))?;
    }
    html += "</ul>\n</section>\n</main>\n";
    writeln!(
        html,
        "<footer><p>A claim holds if the whole interval of the ratio lies \
         within the band, and is refuted if all of it lies outside; else it \
         is open. Medians of the rounds' ratios, with 95 % bootstrap \
         intervals. Made by <code>compare claims {} --html</code>.</p>\
         </footer>",
        escaped(&record.id())
    )?;
    Ok(document("The talk on trial", &html))
}

fn top(verdicts: &Verdicts<'_>) -> String {
    let record = verdicts.record;
    let unknown = "an unknown processor";
    let processor = record.machine.processor.value.as_deref();
    let incomplete = if record.complete {
        ""
    } else {
        "<p class=\"warning\"><b>Incomplete.</b> The run was interrupted; \
             all of this stands on the rounds that were done.</p>\n"
    };
    format!(
        "<header>\n<p class=\"kicker\">Run {}</p>\n\
         <h1>The talk on trial</h1>\n\
         <p class=\"lead\">{} claims of \u{201c}Python Concurrency From the \
         Ground Up\u{201d}, each as a relation between two measured figures, \
         tried on {}, {} processors to use, {}.</p>\n{incomplete}</header>\n",
        escaped(&record.id()),
        verdicts.judged.len(),
        escaped(processor.unwrap_or(unknown)),
        record.machine.processors_allowed.len(),
        escaped(&record.started.replace('T', " ").replace('Z', " UTC")),
    )
}

fn section(
    html: &mut String,
    record: &Record,
    judged: &JudgedClaim<'_>,
) -> std::fmt::Result {
    let JudgedClaim { claim, trials } = judged;
    let name = escaped(claim.name());
    let version = escaped(&claim.version_in_words());
    let verdicts = trials.iter().filter(|trial| trial.is_tried()).map(|t| {
        format!("<b>{}</b> in {}", t.verdict, escaped(&t.trial.tried_on))
    });
    let verdicts = verdicts.collect::<Vec<_>>().join(", ");
    write!(
        html,
        "<section class=\"question claims\" id=\"{name}\">\n\
         <p class=\"kicker\"><a href=\"#{name}\">{name}</a>, {version}</p>\n\
         <h2>{}</h2>\n<p class=\"answer\">{verdicts}.</p>\n",
        inline(&claim.says)
    )?;
    writeln!(
        html,
        "<figure id=\"{name}-chart\"><figcaption><b>The ratio of the two \
         figures</b>claimed (shaded): {}</figcaption>",
        escaped(&claim.band().to_string())
    )?;
    if trials.iter().any(JudgedTrial::is_tried) {
        *html += &chart(record, judged);
    }
    *html += &figures(judged);
    writeln!(
        html,
        "<details class=\"repeat\"><summary>The command that measures it \
         again</summary><pre><code>cargo run --release -p compare -- claims \
         -c '^{name}$'</code></pre></details></figure>"
    )?;
    write!(
        html,
        "<dl><dt>What decides it</dt><dd>{}</dd>\
         <dt>Why this band</dt><dd>{}</dd></dl>\n</section>\n",
        inline(&claim.mechanism),
        inline(&claim.why)
    )
}

/// The ratios on one axis, which all claims share, and the band.
fn chart(
    record: &Record,
    JudgedClaim { claim, trials }: &JudgedClaim<'_>,
) -> String {
    let tried: Vec<&JudgedTrial<'_>> =
        trials.iter().filter(|trial| trial.is_tried()).collect();
    let height = ROW_HEIGHT * tried.len() as f64 + AXIS_HEIGHT;
    let bottom = height - AXIS_HEIGHT;
    let label = format!("{}: the ratio and the claimed band", claim.name());
    let mut svg = Svg::new([WIDTH, height], "dots", &label);
    let band = claim.band();
    let low = x(band.at_least.unwrap_or(0.0));
    let high = x(band.at_most.unwrap_or(f64::INFINITY));
    svg.rect("claimed", [low, 0.0], [high - low, bottom]);
    for (tick, text) in TICKS {
        svg.line("grid", [x(tick), 0.0], [x(tick), bottom]);
        if !text.is_empty() {
            let place = [x(tick), bottom + 14.0];
            svg.text("tick", place, Anchor::Middle, text);
        }
    }
    for (index, outcome) in tried.iter().enumerate() {
        let y = ROW_HEIGHT * (index as f64 + 0.5);
        row(&mut svg, record, outcome, y);
    }
    let middle = f64::midpoint(x(LEAST), x(MOST));
    let place = [middle, height - 5.0];
    svg.text("axis-name", place, Anchor::Middle, "ratio");
    svg.finish()
}

fn row(svg: &mut Svg, record: &Record, outcome: &JudgedTrial<'_>, y: f64) {
    let JudgedTrial { trial, ratio: found, verdict, doubts, .. } = outcome;
    let contestant = |side: &Side| -> Option<&Contestant> {
        record.contestants().find(|one| one.name == side.contestant)
    };
    let family = contestant(&trial.left).map(Family::of);
    let class = family.map_or("f-other", |family| family.class);
    let text = ratio(found.as_ref());
    let title = format!("{}: {verdict}, {text}", trial.tried_on);
    svg.raw(&format!(
        "<g class=\"row {class}\"><title>{}</title>",
        escaped(&title)
    ));
    let room = [NAMES_WIDTH - 8.0, y + 4.0];
    svg.text("name", room, Anchor::End, &trial.tried_on);
    if let (Some(Estimate { median, low, high }), Some(family)) =
        (found, family)
    {
        svg.line("interval", [x(*low), y], [x(*high), y]);
        let mark = if doubts.is_empty() { "mark" } else { "mark open" };
        let marker = family.marker(x(*median), y);
        svg.raw(&format!("<path class=\"{mark}\" d=\"{marker}\"/>"));
    }
    let end = [WIDTH - 2.0, y + 4.0];
    let text = match found {
        Some(found) => format!("{} {verdict}", charts::ratio(found.median)),
        None => verdict.to_string(),
    };
    svg.text("value", end, Anchor::End, &text);
    svg.close();
}

/// Where a ratio stands.
fn x(ratio: f64) -> f64 {
    let (start, end) = (NAMES_WIDTH, WIDTH - VALUES_WIDTH);
    let share = (ratio.max(LEAST) / LEAST).ln() / (MOST / LEAST).ln();
    start + share.min(1.0) * (end - start)
}

/// What was measured, to the digit.
fn figures(JudgedClaim { trials, .. }: &JudgedClaim<'_>) -> String {
    let mut html = String::from(
        "<details class=\"data\"><summary>The figures</summary>\
         <div class=\"scroll\"><table>\n<thead><tr>\
         <th scope=\"col\">tried on</th><th scope=\"col\">left</th>\
         <th scope=\"col\">right</th><th scope=\"col\">ratio</th>\
         <th scope=\"col\">rounds</th><th scope=\"col\">verdict</th>\
         </tr></thead>\n<tbody>\n",
    );
    for outcome in trials {
        let JudgedTrial { trial, figures, rounds, verdict, doubts, .. } =
            outcome;
        let [left, right] = [(&trial.left, 0), (&trial.right, 1)]
            .map(|(side, index)| figure(side, figures[index].as_ref()));
        let reasons = verdict.reason().into_iter().map(str::to_owned);
        let doubts = doubts.iter().map(|(side, why)| format!("{side}: {why}"));
        let why: Vec<String> = reasons.chain(doubts).collect();
        // Writing to a string does not fail.
        let _ = writeln!(
            html,
            "<tr><th scope=\"row\">{}</th><td>{left}</td><td>{right}</td>\
             <td>{}</td><td>{rounds}</td>\
             <td><b>{verdict}</b><small>{}</small></td></tr>",
            escaped(&trial.tried_on),
            escaped(&ratio(outcome.ratio.as_ref())),
            escaped(&why.join("; "))
        );
    }
    html + "</tbody></table></div></details>\n"
}

fn figure(side: &Side, estimate: Option<&Estimate>) -> String {
    let text = match estimate {
        Some(estimate) => format!(
            "<b>{}</b> <small>{}</small>",
            escaped(&units::median(side.figure, estimate)),
            escaped(&units::interval(side.figure, estimate))
        ),
        None => "–".to_owned(),
    };
    format!("{text}<small>{}</small>", escaped(&side.to_string()))
}
