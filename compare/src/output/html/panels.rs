//! Figures that depend on something: a panel a contestant, all on the same
//! axes, with everybody else in grey behind. Ten lines in one chart cannot
//! be followed; one among nine grey ones can.

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

/// What a letter at an axis takes.
const LETTER_WIDTH: f64 = 6.0;

/// What the name of a knee takes.
const KNEE_WIDTH: f64 = 62.0;

/// The most letters of a name above a panel.
const NAME_LETTERS: usize = 22;

/// The panels of one chart.
pub(super) struct Chart<'a> {
    /// What its parts are called in the page, apart from those of others.
    pub(super) id: String,
    /// What it shows, for those who can't see it.
    pub(super) label: String,
    /// What stands along the x axis.
    pub(super) x_name: String,
    /// Its values: where they are, from 0 to 1, and what they are called.
    pub(super) x: Vec<(f64, String)>,
    /// What stands along the y axis.
    pub(super) figure: Figure,
    /// Whether the y axis begins at 0.
    pub(super) zero: Zero,
    /// Who is in it.
    pub(super) panels: Vec<Panel<'a>>,
}

/// One contestant's panel.
pub(super) struct Panel<'a> {
    /// Its number on the page.
    pub(super) page_contestants: usize,
    /// Its name.
    pub(super) name: &'a str,
    /// How it looks.
    pub(super) family: Family,
    /// What stands along its x axis, if that differs from panel to panel.
    pub(super) x_name: String,
    /// The line that is followed through all panels first.
    pub(super) lines: Vec<Line>,
    /// Which x has a mark across the panel, and what it says.
    pub(super) knee: Option<(usize, String)>,
}

/// A line in a panel.
pub(super) struct Line {
    /// What it is called, if there are several.
    pub(super) name: &'static str,
    /// A value for each x, or why there is none.
    pub(super) points: Vec<Result<PlottedPoint, String>>,
}

/// A value on a line.
#[derive(Clone, Debug)]
pub(super) struct PlottedPoint {
    /// The figure.
    pub(super) estimate: Estimate,
    /// Why it should not be leaned on, if there is a reason.
    pub(super) doubts: Option<String>,
}

/// Where a share of an axis is on it, for values that may be wide apart.
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

/// Draws them all.
pub(super) fn draw(chart: &Chart<'_>) -> String {
    let points = chart.panels.iter().flat_map(|panel| &panel.lines);
    let values = points
        .flat_map(|line| &line.points)
        .filter_map(|point| point.as_ref().ok())
        .flat_map(|p| [p.estimate.low, p.estimate.median, p.estimate.high]);
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
        html += "<p class=\"scale\">The upright axis is a log scale.</p>\n";
    }
    html
}

fn at(share: f64) -> f64 {
    LEFT + 6.0 + share * (RIGHT - LEFT - 14.0)
}

/// What all panels of a chart share.
struct Axes<'a> {
    chart: &'a Chart<'a>,
    x: Vec<f64>,
    y: Scale,
}

impl Axes<'_> {
    /// Everybody's line, once, for all panels to use.
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
                // Writing to a string does not fail.
                let _ = writeln!(
                    html,
                    "<path class=\"ghost {}\" data-c=\"{}\" d=\"{data}\"/>",
                    panel.family.class, panel.page_contestants
                );
            }
        }
        html += "</g></svg>\n";
        html
    }

    fn panel(&self, panel: &Panel<'_>) -> String {
        let Panel { page_contestants, name, family, x_name, lines, knee } =
            panel;
        let label = format!("{}: {}", name, self.chart.label);
        let class = format!("panel {}", family.class);
        let mut svg = Svg::new([WIDTH, HEIGHT], &class, &label);
        self.draw_axes(&mut svg, x_name);
        let id = escaped(&self.chart.id);
        svg.raw(&format!("<use href=\"#{id}\"/>"));
        svg.open("who", page_contestants, name);
        let marker = family.marker(8.0, 12.0);
        svg.raw(&format!("<path class=\"mark\" d=\"{marker}\"/>"));
        let short = shortened(name, NAME_LETTERS);
        svg.text("title", [18.0, 16.0], Anchor::Start, &short);
        svg.close();
        if let Some((index, text)) = knee {
            let x = self.x[*index];
            svg.line("knee", [x, TOP], [x, BOTTOM]);
            // Above the lines, which are steep here.
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

    /// The values along the x axis that have room for their number, the ends
    /// before what is between.
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
                    let median = units::median(figure, estimate);
                    let interval = units::interval(figure, estimate);
                    let mut title = format!("{about}: {median} [{interval}]");
                    if let Some(why) = doubts {
                        title += &format!("; suspect: {why}");
                    }
                    let class = match doubts {
                        Some(_) if index == 0 => "mark open",
                        _ => "mark",
                    };
                    let marker = match index {
                        0 => panel.family.marker(x, y),
                        // The family's is the first line's.
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
            // The name of a knee is above the lines.
            let top = if panel.knee.is_some() { TOP + 12.0 } else { TOP - 8.0 };
            self.last_value(svg, line, &places, top);
        }
    }

    /// The value that the line ends with, beside its end.
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
        let text = units::median(self.chart.figure, &point.estimate);
        // Where the line does not come from, if there is room.
        let before = drawn.len().checked_sub(2).map(|index| drawn[index].1[1]);
        let falls = before.is_some_and(|before| before < y - 3.0);
        let (above, below) = (y - 9.0, y + 18.0);
        // The contestant's name is at the other end of the top.
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
            Some([*x, self.y.at(point.estimate.median)])
        });
        places.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_are_wide_apart_are_spread_by_their_ratio() {
        assert_eq!(spread(&[1.0, 10.0, 100.0]), [0.0, 0.5, 1.0]);
        assert_eq!(spread(&[0.0, 1.0, 4.0]), [0.0, 0.25, 1.0]);
        assert_eq!(spread(&[3.0]), [0.5]);
    }
}
