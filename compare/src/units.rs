//! Figures as people read them.

use crate::scenarios::Figure;
use crate::statistics::Estimate;

/// What a figure's numbers count, and how they are written.
struct Unit {
    name: &'static str,
    scale: f64,
}

/// A noise floor above this share hides every difference anyway.
const FLOOR_MAX: f64 = 10.0;

/// The median, with its unit.
pub(crate) fn median(figure: Figure, estimate: &Estimate) -> String {
    let unit = unit(figure, estimate.median);
    let number = number(estimate.median / unit.scale);
    format!("{number} {}", unit.name).trim_end().to_owned()
}

/// A time, in nanoseconds, with the unit that fits.
pub(crate) fn time(ns: f64) -> String {
    median(Figure::Time, &Estimate { median: ns, low: ns, high: ns })
}

/// The interval, in the unit of its median, without naming it.
pub(crate) fn interval(figure: Figure, estimate: &Estimate) -> String {
    let Unit { scale, .. } = unit(figure, estimate.median);
    let [low, high] =
        [estimate.low, estimate.high].map(|end| number(end / scale));
    format!("{low}–{high}")
}

/// Three significant digits, or all those before the point.
pub(crate) fn number(value: f64) -> String {
    let decimals = match value.abs() {
        0.0 => 0,
        size if size < 0.01 => 4,
        size if size < 10.0 => 2,
        size if size < 100.0 => 1,
        _ => 0,
    };
    let text = format!("{value:.decimals$}");
    if decimals == 0 { thousands(&text) } else { text }
}

/// A noise floor, in per cent. Rounds without replies make it endless.
pub(crate) fn floor(share: f64) -> String {
    if share > FLOOR_MAX {
        return format!("over {} %", number(FLOOR_MAX * 100.0));
    }
    format!("{:.0} %", share * 100.0)
}

fn thousands(digits: &str) -> String {
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn unit(figure: Figure, value: f64) -> Unit {
    let unit = |name, scale| Unit { name, scale };
    match figure {
        Figure::Time
        | Figure::P50
        | Figure::P99
        | Figure::ResponseP50
        | Figure::ResponseP99
        | Figure::Cost => match value {
            ns if ns < 1e3 => unit("ns", 1.0),
            ns if ns < 1e6 => unit("µs", 1e3),
            ns if ns < 1e9 => unit("ms", 1e6),
            _ => unit("s", 1e9),
        },
        Figure::Rate => unit("/s", 1.0),
        Figure::Rss => match value {
            bytes if bytes < f64::from(1 << 20) => unit("KiB", 1024.0),
            _ => unit("MiB", f64::from(1 << 20)),
        },
        Figure::Threads => unit("", 1.0),
        Figure::Left => unit("%", 0.01),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_with_their_unit() {
        let cases = [
            (Figure::Time, 50_123_456.0, "50.1 ms"),
            (Figure::P99, 999.0, "999 ns"),
            (Figure::Cost, 18_240.0, "18.2 µs"),
            (Figure::Rate, 25_123.4, "25,123 /s"),
            (Figure::Rate, 1_234_567.0, "1,234,567 /s"),
            (Figure::Rate, 0.0, "0 /s"),
            (Figure::Rss, 2_202_009.6, "2.10 MiB"),
            (Figure::Rss, 716.8, "0.70 KiB"),
            (Figure::Left, 0.9812, "98.1 %"),
            (Figure::Left, 0.0008, "0.08 %"),
        ];
        for (figure, value, expected) in cases {
            let point = Estimate { median: value, low: value, high: value };
            assert_eq!(median(figure, &point), expected);
        }
    }

    #[test]
    fn an_interval_is_in_the_unit_of_its_median() {
        let estimate = Estimate { median: 1.2e6, low: 0.9e6, high: 1.3e6 };
        assert_eq!(interval(Figure::Time, &estimate), "0.90–1.30");
    }
}
