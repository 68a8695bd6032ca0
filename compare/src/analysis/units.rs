//! Formatting of figures with their units.

use charts::Unit;
pub(crate) use charts::number;

use crate::analysis::statistics::Estimate;
use crate::model::figure::Figure;

/// The noise floor, as a share, above which its exact value doesn't matter.
const FLOOR_MAX: f64 = 10.0;

/// Returns the median with its unit.
pub(crate) fn median(figure: Figure, estimate: &Estimate) -> String {
    figure.unit().text(estimate.value)
}

/// Returns a time, given in nanoseconds, in a suitable unit.
pub(crate) fn time(ns: f64) -> String {
    Unit::Nanoseconds.text(ns)
}

/// Returns the interval in the unit of its median, without the unit's name.
pub(crate) fn interval(figure: Figure, estimate: &Estimate) -> String {
    figure.unit().interval(estimate.value, [estimate.low, estimate.high])
}

/// Returns a noise floor in per cent. It may be infinite if rounds have no
/// replies.
pub(crate) fn floor(share: f64) -> String {
    if share > FLOOR_MAX {
        return format!("over {} %", number(FLOOR_MAX * 100.0));
    }
    format!("{:.0} %", share * 100.0)
}
