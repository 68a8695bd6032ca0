//! Writes SVG pictures, without a charting library.
//!
//! A chart should follow the page's theme, print in the light theme, highlight
//! one contestant, and be readable by a screen reader. That takes classes,
//! titles and groups. `plotters`, the library that was tried, writes colours,
//! fonts and sizes as attributes of each element instead. Without these, what
//! remains of a library is the arithmetic of an axis, which is
//! [`Scale`](crate::Scale). ARCHITECTURE.md has the results of that trial.

use std::fmt::{Display, Write};

use crate::markup::escaped;

/// An SVG picture that is being written.
pub struct Svg {
    text: String,
}

/// How a text is aligned at its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// The text starts at the position.
    Start,
    /// The text is centred at the position.
    Middle,
    /// The text ends at the position.
    End,
}

impl Svg {
    /// Returns an empty picture. Its size is in units that equal pixels if the
    /// page is as wide as the picture was designed for, so that text has its
    /// usual size.
    pub fn new([width, height]: [f64; 2], class: &str, label: &str) -> Svg {
        let label = escaped(label);
        Svg {
            text: format!(
                "<svg class=\"{class}\" role=\"img\" \
                 viewBox=\"0 0 {width} {height}\" aria-label=\"{label}\">\
                 <title>{label}</title>\n"
            ),
        }
    }

    /// Draws a straight line.
    pub fn line(
        &mut self,
        class: &str,
        [x1, y1]: [f64; 2],
        [x2, y2]: [f64; 2],
    ) {
        self.raw(&format!(
            "<path class=\"{class}\" d=\"M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}\"/>"
        ));
    }

    /// Draws a line through positions. It has a gap at each `None`.
    pub fn polyline(&mut self, class: &str, positions: &[Option<Position>]) {
        let data = path_through(positions);
        if !data.is_empty() {
            self.raw(&format!("<path class=\"{class}\" d=\"{data}\"/>"));
        }
    }

    /// Draws a rectangle.
    pub fn rect(
        &mut self,
        class: &str,
        [x, y]: [f64; 2],
        [width, height]: [f64; 2],
    ) {
        self.raw(&format!(
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" \
             width=\"{width:.1}\" height=\"{height:.1}\"/>"
        ));
    }

    /// Writes a text.
    pub fn text(
        &mut self,
        class: &str,
        [x, y]: [f64; 2],
        anchor: Anchor,
        text: &str,
    ) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let text = escaped(text);
        self.raw(&format!(
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\"{anchor}>\
             {text}</text>"
        ));
    }

    /// Draws one or more markers, given as path data. `title` appears when the
    /// pointer is over them.
    pub fn mark(&mut self, class: &str, data: &str, title: &str) {
        let title = escaped(title);
        self.raw(&format!(
            "<path class=\"{class}\" d=\"{data}\"><title>{title}</title></path>"
        ));
    }

    /// Opens a group for the elements of one contestant.
    pub fn open(&mut self, class: &str, contestant: impl Display, title: &str) {
        let contestant = escaped(&contestant.to_string());
        let title = escaped(title);
        self.raw(&format!(
            "<g class=\"{class}\" data-c=\"{contestant}\">\
             <title>{title}</title>"
        ));
    }

    /// Closes the group that was opened last.
    pub fn close(&mut self) {
        self.raw("</g>");
    }

    /// Appends SVG markup.
    pub fn raw(&mut self, markup: &str) {
        self.text += markup;
        self.text.push('\n');
    }

    /// Returns the picture's markup.
    pub fn finish(mut self) -> String {
        self.text += "</svg>\n";
        self.text
    }
}

/// A position in a picture: x and y.
pub type Position = [f64; 2];

/// Returns the path data of a circle around a position.
pub fn circle([x, y]: Position, radius: f64) -> String {
    let (left, across) = (x - radius, 2.0 * radius);
    let arc =
        |width: f64| format!("a{radius:.1} {radius:.1} 0 1 0 {width:.1} 0");
    format!("M{left:.1} {y:.1}{}{}z", arc(across), arc(-across))
}

/// Returns the data of a path through positions. It has a gap at each `None`.
pub fn path_through(positions: &[Option<Position>]) -> String {
    let mut data = String::new();
    let mut is_drawing = false;
    for position in positions {
        if let Some([x, y]) = position {
            let command = if is_drawing { 'L' } else { 'M' };
            // Writing to a string can't fail.
            let _ = write!(data, "{command}{x:.1} {y:.1}");
        }
        is_drawing = position.is_some();
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_a_gap_where_there_is_no_position() {
        let positions = [Some([0.0, 1.0]), Some([1.0, 2.0]), None];
        let positions = [&positions[..], &[Some([3.0, 4.0])]].concat();
        assert_eq!(path_through(&positions), "M0.0 1.0L1.0 2.0M3.0 4.0");
    }
}
