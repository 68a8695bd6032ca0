//! Draws the SVG charts of `compare`'s report page and of the course: formats
//! figures with units, computes axes with round ticks, and writes SVG elements
//! with classes, so that the charts follow the page's theme.

mod markup;
mod scale;
mod svg;
mod unit;

pub use markup::{escaped, inline, prose};
pub use scale::{Scale, Zero};
pub use svg::{Anchor, Position, Svg, circle, path_through};
pub use unit::{Unit, number, ratio};
