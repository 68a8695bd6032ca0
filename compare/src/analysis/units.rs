//! Formatting of figures with their units.

use std::time::Duration;

use charts::Unit;
pub(crate) use charts::number;

use crate::analysis::statistics::Estimate;
use crate::model::figure::Figure;

/// Returns a time, given in nanoseconds, in a suitable unit.
pub(crate) fn time(ns: f64) -> String {
    Unit::Nanoseconds.text(ns)
}

/// Returns the interval in the unit of its median, without the unit's name.
pub(crate) fn interval(figure: Figure, estimate: &Estimate) -> String {
    figure.unit().interval(estimate.value, [estimate.low, estimate.high])
}

/// Returns the ends of an interval with their units, in the form
/// `1.20 and 5.10 ms`.
pub(crate) fn ends(figure: Figure, estimate: &Estimate) -> String {
    let [low, high] =
        [estimate.low, estimate.high].map(|end| figure.unit().text(end));
    match (low.split_once(' '), high.split_once(' ')) {
        (Some((number, unit)), Some((_, other))) if unit == other => {
            format!("{number} and {high}")
        }
        _ => format!("{low} and {high}"),
    }
}

/// Returns a limit in a suitable unit, without trailing zeros.
pub(crate) fn limit(limit: Duration) -> String {
    Unit::Nanoseconds.tick(limit.as_nanos() as f64)
}

/// Returns the value of a figure with its unit.
pub(crate) fn value(figure: Figure, estimate: &Estimate) -> String {
    figure.unit().text(estimate.value)
}

/// Returns a ratio with two or three digits.
pub(crate) fn ratio(ratio: f64) -> String {
    if ratio.is_finite() { charts::ratio(ratio) } else { "∞".to_owned() }
}

/// Returns a ratio with its interval, in the form `1.16x [1.11, 1.21]`.
pub(crate) fn times(times: &Estimate) -> String {
    let Estimate { value, low, high } = *times;
    format!("{}x [{}, {}]", ratio(value), ratio(low), ratio(high))
}

/// Returns a share in per cent, with one decimal below ten.
pub(crate) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent < 9.95 {
        format!("{percent:.1} %")
    } else {
        format!("{percent:.0} %")
    }
}

/// Returns a number of things, in the form `1 figure` or `2 figures`.
pub(crate) fn count(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// Returns half of an interval, in the form `±1.4 %`.
pub(crate) fn half(share: f64) -> String {
    if share > 1.0 {
        "over ±100 %".to_owned()
    } else {
        format!("±{}", percent(share))
    }
}

/// Returns what it would take to decide a comparison.
pub(crate) fn more_rounds(more: u64) -> String {
    let plural = if more == 1 { "" } else { "s" };
    format!("about {more} more round{plural}")
}
