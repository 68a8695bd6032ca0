//! Charts of figures against a parameter, as small multiples: one panel per
//! contestant, all on the same axes, with the other contestants in grey. Ten
//! lines in one chart are hard to follow; one line in front of nine grey ones
//! is not.

use std::fmt::Write;

use charts::{
    Anchor, Position, Scale, Svg, Zero, circle, escaped, path_through,
};

use crate::analysis::statistics::Estimate;
use crate::analysis::units;
use crate::model::figure::Figure;
use crate::output::html::dot_plot::shortened;
use crate::output::html::family::Family;

const WIDTH: f64 = 216.0;
const HEIGHT: f64 = 168.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = 204.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 130.0;

/// The approximate width of a letter at an axis.
const LETTER_WIDTH: f64 = 6.0;

/// The approximate width of the label of a knee.
const KNEE_WIDTH: f64 = 62.0;

/// The largest number of letters of a name above a panel.
const NAME_LETTERS: usize = 22;

/// The panels of one chart.
pub(super) struct Chart<'a> {
    /// The id of the lines that all panels share, unique on the page.
    pub(super) id: String,
    /// The description for screen readers.
    pub(super) label: String,
    /// The name of the x axis.
    pub(super) x_name: String,
    /// The values on the x axis: position from 0 to 1, and label.
    pub(super) x: Vec<(f64, String)>,
    /// The figure on the y axis.
    pub(super) figure: Figure,
    /// Whether the y axis begins at 0.
    pub(super) zero: Zero,
    /// The panels, one per contestant.
    pub(super) panels: Vec<Panel<'a>>,
}

/// One contestant's panel.
pub(super) struct Panel<'a> {
    /// The contestant's index on the page.
    pub(super) index: usize,
    /// The contestant's name.
    pub(super) name: &'a str,
    /// The contestant's family, for the colour and the marker.
    pub(super) family: Family,
    /// The name of the x axis, if it differs from panel to panel.
    pub(super) x_name: String,
    /// The lines. The first one is also drawn, in grey, in all other panels.
    pub(super) lines: Vec<Line>,
    /// The index of the x value that is marked as the knee, and its label.
    pub(super) knee: Option<(usize, String)>,
}

/// A line in a panel.
pub(super) struct Line {
    /// The name of the line, if there are several.
    pub(super) name: &'static str,
    /// The value at each x, or the reason why there is none.
    pub(super) points: Vec<Result<PlottedPoint, String>>,
}

/// A value on a line.
#[derive(Clone, Debug)]
pub(super) struct PlottedPoint {
    /// The value of the figure.
    pub(super) estimate: Estimate,
    /// The reasons why the figure is suspect, if there are any.
    pub(super) doubts: Option<String>,
}

/// Returns the positions of values on an axis, from 0 to 1. Values that differ
/// by a factor of 16 or more are placed on a log scale.
pub(super) fn spread(values: &[f64]) -> Vec<f64> {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if least > 0.0 && most / least >= 16.0 {
        let whole = (most / least).ln();
        values.iter().map(|value| (value / least).ln() / whole).collect()
    } else if most > least {
        let share = |value: &f64| (value - least) / (most - least);
        values.iter().map(share).collect()
    } else {
        values.iter().map(|_| 0.5).collect()
    }
}

/// Draws the panels of a chart.
pub(super) fn draw(chart: &Chart<'_>) -> String {
    let points = chart.panels.iter().flat_map(|panel| &panel.lines);
    let values = points
        .flat_map(|line| &line.points)
        .filter_map(|point| point.as_ref().ok())
        .flat_map(|p| [p.estimate.low, p.estimate.value, p.estimate.high]);
    let y = Scale::fit(values, chart.figure.unit(), chart.zero, [BOTTOM, TOP]);
    let x: Vec<f64> = chart.x.iter().map(|(share, _)| at(*share)).collect();
    let axes = Axes { chart, x, y };
    let mut html = axes.draw_others();
    html += "<div class=\"panels\">\n";
    for panel in &chart.panels {
        html += &axes.panel(panel);
    }
    html += "</div>\n";
    if axes.y.is_log() {
        html += "<p class=\"scale\">The y axis is logarithmic.</p>\n";
    }
    html
}

fn at(share: f64) -> f64 {
    LEFT + 6.0 + share * (RIGHT - LEFT - 14.0)
}

/// The axes, which all panels of a chart share.
struct Axes<'a> {
    chart: &'a Chart<'a>,
    x: Vec<f64>,
    y: Scale,
}

impl Axes<'_> {
    /// Returns the grey lines of all contestants, which every panel references.
    fn draw_others(&self) -> String {
        let id = escaped(&self.chart.id);
        let mut html = format!(
            "<svg class=\"store\" width=\"0\" height=\"0\" \
             aria-hidden=\"true\"><g id=\"{id}\">\n"
        );
        for panel in &self.chart.panels {
            let Some(line) = panel.lines.first() else { continue };
            let data = path_through(&self.places(line));
            if !data.is_empty() {
                // Writing to a string never fails.
                let _ = writeln!(
                    html,
                    "<path class=\"ghost {}\" data-c=\"{}\" d=\"{data}\"/>",
                    panel.family.class, panel.index
                );
            }
        }
        html += "</g></svg>\n";
        html
    }

    fn panel(&self, panel: &Panel<'_>) -> String {
        let Panel { index, name, family, x_name, lines, knee } = panel;
        let label = format!("{}: {}", name, self.chart.label);
        let class = format!("panel {}", family.class);
        let mut svg = Svg::new([WIDTH, HEIGHT], &class, &label);
        self.draw_axes(&mut svg, x_name);
        let id = escaped(&self.chart.id);
        svg.raw(&format!("<use href=\"#{id}\"/>"));
        svg.open("contestant", index, name);
        let marker = family.marker(8.0, 12.0);
        svg.raw(&format!("<path class=\"mark\" d=\"{marker}\"/>"));
        let short = shortened(name, NAME_LETTERS);
        svg.text("title", [18.0, 16.0], Anchor::Start, &short);
        svg.close();
        if let Some((index, text)) = knee {
            let x = self.x[*index];
            svg.line("knee", [x, TOP], [x, BOTTOM]);
            // The label is above the lines, which are steep here.
            let x = x.clamp(LEFT + KNEE_WIDTH / 2.0, RIGHT - KNEE_WIDTH / 2.0);
            svg.text("knee-name", [x, TOP - 2.0], Anchor::Middle, text);
        }
        for (index, line) in lines.iter().enumerate().rev() {
            self.draw_line(&mut svg, panel, line, index);
        }
        if lines.iter().all(|l| l.points.iter().all(Result::is_err)) {
            let middle = [f64::midpoint(LEFT, RIGHT), (TOP + BOTTOM) / 2.0];
            svg.text("void", middle, Anchor::Middle, "no figures");
        }
        svg.finish()
    }

    fn draw_axes(&self, svg: &mut Svg, x_name: &str) {
        let figure = self.chart.figure;
        for tick in self.y.ticks(figure.unit(), 5) {
            let y = self.y.at(tick);
            svg.line("grid", [LEFT, y], [RIGHT, y]);
            let text = figure.unit().tick(tick);
            svg.text("tick", [LEFT - 5.0, y + 3.5], Anchor::End, &text);
        }
        svg.line("axis", [LEFT, BOTTOM], [RIGHT, BOTTOM]);
        for index in self.labelled() {
            let x = self.x[index];
            let text = &self.chart.x[index].1;
            svg.line("axis", [x, BOTTOM], [x, BOTTOM + 3.0]);
            let place = [x.min(RIGHT - 6.0), BOTTOM + 15.0];
            svg.text("tick", place, Anchor::Middle, text);
        }
        let middle = [f64::midpoint(LEFT, RIGHT), HEIGHT - 6.0];
        let shared = self.chart.x_name.as_str();
        let x_name = if x_name.is_empty() { shared } else { x_name };
        svg.text("axis-name", middle, Anchor::Middle, x_name);
    }

    /// Returns the indices of the x values that have room for a label. The last
    /// value takes precedence, then the first ones.
    fn labelled(&self) -> Vec<usize> {
        let width = |index: usize| {
            self.chart.x[index].1.chars().count() as f64 * LETTER_WIDTH
        };
        let last = self.x.len().saturating_sub(1);
        let mut labelled: Vec<usize> = vec![last];
        for index in 0..last {
            let has_room = labelled.iter().all(|&other| {
                let apart = (self.x[index] - self.x[other]).abs();
                apart > (width(index) + width(other)) / 2.0 + 5.0
            });
            if has_room {
                labelled.push(index);
            }
        }
        labelled.sort_unstable();
        labelled
    }

    fn draw_line(
        &self,
        svg: &mut Svg,
        panel: &Panel<'_>,
        line: &Line,
        index: usize,
    ) {
        let figure = self.chart.figure;
        let places = self.places(line);
        let style = if index == 0 { "line" } else { "line second" };
        for (point, place) in line.points.iter().zip(&places) {
            if let (Ok(PlottedPoint { estimate, .. }), Some([x, _])) =
                (point, place)
            {
                let ends = [estimate.low, estimate.high];
                let [low, high] = ends.map(|end| [*x, self.y.at(end)]);
                svg.line("interval", low, high);
            }
        }
        svg.polyline(style, &places);
        for (i, point) in line.points.iter().enumerate() {
            let x_text = &self.chart.x[i].1;
            let about = format!("{} {} at {x_text}", panel.name, line.name);
            match (point, places[i]) {
                (Ok(PlottedPoint { estimate, doubts }), Some([x, y])) => {
                    let value = units::value(figure, estimate);
                    let interval = units::interval(figure, estimate);
                    let mut title = format!("{about}: {value} [{interval}]");
                    if let Some(why) = doubts {
                        title += &format!("; suspect: {why}");
                    }
                    let class = match doubts {
                        Some(_) if index == 0 => "mark open",
                        _ => "mark",
                    };
                    let marker = match index {
                        0 => panel.family.marker(x, y),
                        // The family's marker is for the first line.
                        _ => circle([x, y], 2.2),
                    };
                    svg.mark(class, &marker, &title);
                }
                (Err(why), _) => {
                    let (x, y) = (self.x[i], BOTTOM - 7.0);
                    let cross =
                        format!("M{:.1} {:.1}l7 7m0 -7l-7 7", x - 3.5, y - 3.5);
                    svg.mark("missing", &cross, &format!("{about}: {why}"));
                }
                (Ok(_), None) => {}
            }
        }
        if index == 0 {
            // Leave room for the label of the knee.
            let top = if panel.knee.is_some() { TOP + 12.0 } else { TOP - 8.0 };
            self.last_value(svg, line, &places, top);
        }
    }

    /// Writes the last value of a line beside its end.
    fn last_value(
        &self,
        svg: &mut Svg,
        line: &Line,
        places: &[Option<Position>],
        top: f64,
    ) {
        let drawn: Vec<(&PlottedPoint, Position)> = line
            .points
            .iter()
            .zip(places)
            .filter_map(|(point, place)| {
                Some((point.as_ref().ok()?, (*place)?))
            })
            .collect();
        let Some(&(point, [x, y])) = drawn.last() else { return };
        let text = units::value(self.chart.figure, &point.estimate);
        // Place it on the side that the line doesn't come from, if there is
        // room.
        let before = drawn.len().checked_sub(2).map(|index| drawn[index].1[1]);
        let falls = before.is_some_and(|before| before < y - 3.0);
        let (above, below) = (y - 9.0, y + 18.0);
        // The contestant's name doesn't collide: it is at the left of the top.
        let fits_above = above > top;
        let fits_below = below < BOTTOM - 2.0;
        let y =
            if (falls && fits_below) || !fits_above { below } else { above };
        if x < f64::midpoint(LEFT, RIGHT) {
            svg.text("end", [x - 4.0, y], Anchor::Start, &text);
        } else {
            svg.text("end", [x + 6.0, y], Anchor::End, &text);
        }
    }

    fn places(&self, line: &Line) -> Vec<Option<Position>> {
        let places = line.points.iter().zip(&self.x).map(|(point, x)| {
            let point = point.as_ref().ok()?;
            Some([*x, self.y.at(point.estimate.value)])
        });
        places.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_differ_widely_are_placed_on_a_log_scale() {
        assert_eq!(spread(&[1.0, 10.0, 100.0]), [0.0, 0.5, 1.0]);
        assert_eq!(spread(&[0.0, 1.0, 4.0]), [0.0, 0.25, 1.0]);
        assert_eq!(spread(&[3.0]), [0.5]);
    }
}
