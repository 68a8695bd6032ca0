//! What the runner's page and the course draw their charts with: figures as
//! people read them, axes with round ticks, and pictures whose parts have
//! classes, so that they follow the page's theme.

mod markup;
mod scale;
mod svg;
mod unit;

pub use markup::{escaped, inline, prose};
pub use scale::{Scale, Zero};
pub use svg::{Anchor, Place, Svg, circle, path_through};
pub use unit::{Unit, number, ratio};
