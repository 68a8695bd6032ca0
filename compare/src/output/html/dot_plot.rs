//! Dot plots (after W. S. Cleveland) of a figure in one scenario: one row per
//! contestant, the best first, with a marker at the value and a line for the
//! interval.

use charts::{Anchor, Scale, Svg, Zero};

use crate::analysis::statistics::Estimate;
use crate::analysis::units;
use crate::model::figure::Figure;
use crate::output::html::family::Family;

const WIDTH: f64 = 380.0;
const ROW_HEIGHT: f64 = 21.0;
const AXIS_HEIGHT: f64 = 36.0;
const VALUE_WIDTH: f64 = 88.0;
const MARKER_WIDTH: f64 = 16.0;
const TOP: f64 = 4.0;

/// The largest width of the names.
const NAME_WIDTH_MAX: f64 = 146.0;

/// The approximate width of a letter in a name.
const LETTER_WIDTH: f64 = 6.7;

/// One contestant's row.
pub(super) struct Dot<'a> {
    /// The contestant's index on the page.
    pub(super) index: usize,
    /// The contestant's name.
    pub(super) name: &'a str,
    /// The contestant's family, for the colour and the marker.
    pub(super) family: Family,
    /// The figure, or the text in its place and the reason.
    pub(super) value: Result<Estimate, (&'static str, String)>,
    /// Whether the figure is a lower bound.
    pub(super) is_lower_bound: bool,
    /// The reasons why the figure is suspect, if there are any.
    pub(super) doubts: Option<String>,
}

/// Draws a dot plot.
pub(super) fn draw(
    label: &str,
    axis: &str,
    figure: Figure,
    margin: f64,
    dots: &mut [Dot<'_>],
) -> String {
    sort(dots, figure);
    let letters = dots.iter().map(|dot| dot.name.chars().count()).max();
    let names = letters.unwrap_or(0) as f64 * LETTER_WIDTH + MARKER_WIDTH;
    let left = names.min(NAME_WIDTH_MAX) + 8.0;
    let right = WIDTH - VALUE_WIDTH;
    let bottom = TOP + dots.len() as f64 * ROW_HEIGHT;
    let estimates = || dots.iter().filter_map(|dot| dot.value.as_ref().ok());
    let values = estimates().flat_map(|e| [e.low, e.value, e.high]);
    let scale = Scale::fit(values, figure.unit(), Zero::Free, [left, right]);

    let size = [WIDTH, bottom + AXIS_HEIGHT];
    let mut svg = Svg::new(size, "dots", label);
    if let Some(first) = estimates().next() {
        band(&mut svg, &scale, first.value, margin, bottom);
    }
    let ticks = scale.ticks(figure.unit(), 4);
    for &tick in &ticks {
        let x = scale.at(tick);
        svg.line("grid", [x, TOP], [x, bottom]);
    }
    let mut ends_at = f64::NEG_INFINITY;
    for &tick in &ticks {
        let text = figure.unit().tick(tick);
        let (x, half) = (scale.at(tick), text.chars().count() as f64 * 3.2);
        // Leave out labels that would touch the one before.
        if x - half > ends_at + 4.0 {
            svg.text("tick", [x, bottom + 14.0], Anchor::Middle, &text);
            ends_at = x + half;
        }
    }
    svg.line("axis", [left, bottom], [right, bottom]);
    let middle = f64::midpoint(left, right);
    let log = if scale.is_log() { ", log scale" } else { "" };
    let axis = format!("{axis}{log}");
    svg.text("axis-name", [middle, bottom + 30.0], Anchor::Middle, &axis);
    for (index, dot) in dots.iter().enumerate() {
        let y = TOP + (index as f64 + 0.5) * ROW_HEIGHT;
        row(&mut svg, &scale, figure, dot, y, left);
    }
    svg.finish()
}

/// Sorts the best first, and contestants without a figure last.
fn sort(dots: &mut [Dot<'_>], figure: Figure) {
    let sign = if figure.more_is_better() { -1.0 } else { 1.0 };
    dots.sort_by(|one, other| match (&one.value, &other.value) {
        (Ok(one), Ok(other)) => {
            (sign * one.value).total_cmp(&(sign * other.value))
        }
        (one, other) => one.is_err().cmp(&other.is_err()),
    });
}

/// Draws the band of values that are equal to the first within the margin.
fn band(svg: &mut Svg, scale: &Scale, first: f64, margin: f64, bottom: f64) {
    let [start, end] = scale.ends();
    let at = |value| scale.at(value).clamp(start, end);
    let low = at(first / (1.0 + margin));
    let high = at(first * (1.0 + margin));
    svg.rect("margin", [low, TOP], [high - low, bottom - TOP]);
}

fn row(
    svg: &mut Svg,
    scale: &Scale,
    figure: Figure,
    dot: &Dot<'_>,
    y: f64,
    left: f64,
) {
    let Dot { index, name, family, value, is_lower_bound, doubts } = dot;
    let bound = if *is_lower_bound { "≥ " } else { "" };
    let (text, title) = match value {
        Ok(estimate) => {
            let value = units::value(figure, estimate);
            let interval = units::interval(figure, estimate);
            let title = format!("{name}: {bound}{value} [{interval}]");
            match doubts {
                Some(why) => {
                    let title = format!("{title}; suspect: {why}");
                    (format!("{bound}{value} ?"), title)
                }
                None => (format!("{bound}{value}"), title),
            }
        }
        Err((text, why)) => ((*text).to_owned(), format!("{name}: {why}")),
    };
    svg.open(&format!("row {}", family.class), index, &title);
    let corner = [0.0, y - ROW_HEIGHT / 2.0];
    svg.rect("hit", corner, [WIDTH, ROW_HEIGHT]);
    let room = ((left - 8.0 - MARKER_WIDTH) / LETTER_WIDTH) as usize + 1;
    let name = shortened(name, room);
    svg.text("name", [left - 8.0, y + 4.0], Anchor::End, &name);
    svg.line("leader", [left, y], [WIDTH - VALUE_WIDTH, y]);
    if let Ok(estimate) = value {
        let x = scale.at(estimate.value);
        let [low, high] = [estimate.low, estimate.high].map(|e| scale.at(e));
        svg.line("interval", [low, y], [high, y]);
        let marker = family.marker(x, y);
        let class = if doubts.is_some() { "mark open" } else { "mark" };
        svg.raw(&format!("<path class=\"{class}\" d=\"{marker}\"/>"));
    }
    let class = if value.is_ok() { "value" } else { "value none" };
    svg.text(class, [WIDTH - 2.0, y + 4.0], Anchor::End, &text);
    svg.close();
}

/// Returns a name of at most `room` letters. The row's title has the full name.
pub(super) fn shortened(name: &str, room: usize) -> String {
    if name.chars().count() <= room {
        return name.to_owned();
    }
    let start: String = name.chars().take(room.saturating_sub(1)).collect();
    format!("{start}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_shortened_only_if_necessary() {
        assert_eq!(shortened("tokio", 5), "tokio");
        assert_eq!(shortened("tokio-inline", 6), "tokio…");
    }
}
