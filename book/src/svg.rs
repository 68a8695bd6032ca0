//! A picture, written by hand, so that its parts have classes and follow the
//! page's theme.

/// A picture under way.
pub(crate) struct Svg {
    text: String,
}

/// Where a text stands to its place.
#[derive(Clone, Copy)]
pub(crate) enum Anchor {
    /// It begins there.
    Start,
    /// It is centred.
    Middle,
    /// It ends there.
    End,
}

impl Svg {
    /// An empty one, of a size in pixels.
    pub(crate) fn new([width, height]: [f64; 2], label: &str) -> Svg {
        let label = escaped(label);
        Svg {
            // On one line each: an empty one would end the HTML in Markdown.
            text: format!(
                "<svg class=\"chart\" role=\"img\" \
                 viewBox=\"0 0 {width} {height}\" \
                 style=\"max-width:{width}px\" aria-label=\"{label}\">\n\
                 <title>{label}</title>\n"
            ),
        }
    }

    /// A straight line.
    pub(crate) fn line(
        &mut self,
        class: &str,
        [x1, y1]: [f64; 2],
        [x2, y2]: [f64; 2],
    ) {
        self.text += &format!(
            "<path class=\"{class}\" d=\"M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}\"/>\n"
        );
    }

    /// A rectangle, with what a pointer learns there.
    pub(crate) fn rect(
        &mut self,
        class: &str,
        [x, y]: [f64; 2],
        [width, height]: [f64; 2],
        title: &str,
    ) {
        let title = escaped(title);
        self.text += &format!(
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" \
             width=\"{width:.1}\" height=\"{height:.1}\">\
             <title>{title}</title></rect>\n"
        );
    }

    /// A dot.
    pub(crate) fn dot(&mut self, class: &str, [x, y]: [f64; 2], title: &str) {
        let title = escaped(title);
        self.text += &format!(
            "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\">\
             <title>{title}</title></circle>\n"
        );
    }

    /// A text.
    pub(crate) fn text(
        &mut self,
        class: &str,
        [x, y]: [f64; 2],
        anchor: Anchor,
        text: &str,
    ) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = escaped(text);
        self.text += &format!(
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" \
             text-anchor=\"{anchor}\">{text}</text>\n"
        );
    }

    /// The picture.
    pub(crate) fn finish(self) -> String {
        self.text + "</svg>\n"
    }
}

/// A text that is no markup.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
