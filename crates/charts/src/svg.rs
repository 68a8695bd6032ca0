//! A picture, written by hand.
//!
//! `plotters`, the library that was tried, draws with the colours, fonts and
//! sizes that it is given, each as an attribute of each element. A chart that
//! follows the page's theme, prints in its light one, lets one contestant be
//! highlighted and is read out by a screen reader needs classes, titles and
//! groups instead; what is left of a library then is the arithmetic of an
//! axis, which is [`Scale`](crate::Scale). ARCHITECTURE.md has what came of it.

use std::fmt::{Display, Write};

use crate::markup::escaped;

/// A picture under way.
pub struct Svg {
    text: String,
}

/// Where a text stands to its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// It begins there.
    Start,
    /// It is centred.
    Middle,
    /// It ends there.
    End,
}

impl Svg {
    /// An empty one. Its size is in units that are pixels where the page is
    /// as wide as the picture was made for, so that text keeps its size.
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

    /// A straight line.
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

    /// A line through places; where there is none, it breaks.
    pub fn polyline(&mut self, class: &str, places: &[Option<Place>]) {
        let data = path_through(places);
        if !data.is_empty() {
            self.raw(&format!("<path class=\"{class}\" d=\"{data}\"/>"));
        }
    }

    /// A rectangle.
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

    /// A text.
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

    /// A marker, or several, as path data, with what a pointer learns there.
    pub fn mark(&mut self, class: &str, data: &str, title: &str) {
        let title = escaped(title);
        self.raw(&format!(
            "<path class=\"{class}\" d=\"{data}\"><title>{title}</title></path>"
        ));
    }

    /// Opens a group of what belongs to one contestant.
    pub fn open(&mut self, class: &str, who: impl Display, title: &str) {
        let (who, title) = (escaped(&who.to_string()), escaped(title));
        self.raw(&format!(
            "<g class=\"{class}\" data-c=\"{who}\"><title>{title}</title>"
        ));
    }

    /// Closes it.
    pub fn close(&mut self) {
        self.raw("</g>");
    }

    /// Markup that is SVG already.
    pub fn raw(&mut self, markup: &str) {
        self.text += markup;
        self.text.push('\n');
    }

    /// The picture.
    pub fn finish(mut self) -> String {
        self.text += "</svg>\n";
        self.text
    }
}

/// A place in a picture.
pub type Place = [f64; 2];

/// The data of a circle around a place.
pub fn circle([x, y]: Place, radius: f64) -> String {
    let (left, across) = (x - radius, 2.0 * radius);
    let arc =
        |width: f64| format!("a{radius:.1} {radius:.1} 0 1 0 {width:.1} 0");
    format!("M{left:.1} {y:.1}{}{}z", arc(across), arc(-across))
}

/// The data of a path through places; where there is none, it breaks.
pub fn path_through(places: &[Option<Place>]) -> String {
    let mut data = String::new();
    let mut is_drawing = false;
    for place in places {
        if let Some([x, y]) = place {
            let command = if is_drawing { 'L' } else { 'M' };
            // Writing to a string does not fail.
            let _ = write!(data, "{command}{x:.1} {y:.1}");
        }
        is_drawing = place.is_some();
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_breaks_where_there_is_no_figure() {
        let places = [Some([0.0, 1.0]), Some([1.0, 2.0]), None];
        let places = [&places[..], &[Some([3.0, 4.0])]].concat();
        assert_eq!(path_through(&places), "M0.0 1.0L1.0 2.0M3.0 4.0");
    }
}
