//! Figures as people read them.

use charts::Unit;
pub(crate) use charts::number;

use crate::analysis::statistics::Estimate;
use crate::model::figure::Figure;

/// A noise floor above this share hides every difference anyway.
const FLOOR_MAX: f64 = 10.0;

/// The median, with its unit.
pub(crate) fn median(figure: Figure, estimate: &Estimate) -> String {
    figure.unit().text(estimate.median)
}

/// A time, in nanoseconds, with the unit that fits.
pub(crate) fn time(ns: f64) -> String {
    Unit::Nanoseconds.text(ns)
}

/// The interval, in the unit of its median, without naming it.
pub(crate) fn interval(figure: Figure, estimate: &Estimate) -> String {
    figure.unit().interval(estimate.median, [estimate.low, estimate.high])
}

/// A noise floor, in per cent. Rounds without replies make it endless.
pub(crate) fn floor(share: f64) -> String {
    if share > FLOOR_MAX {
        return format!("over {} %", number(FLOOR_MAX * 100.0));
    }
    format!("{:.0} %", share * 100.0)
}
