//! Formats figures with units, in a form that is easy to read.

/// The unit of a figure, as it is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A time, in nanoseconds.
    Nanoseconds,
    /// A rate, per second.
    PerSecond,
    /// Memory, in bytes.
    Bytes,
    /// A share of a whole, which is 1.
    Share,
    /// A number of threads.
    Threads,
    /// A number for each reply, such as of context switches.
    PerReply,
}

impl Unit {
    const ALL: [Unit; 6] = [
        Unit::Nanoseconds,
        Unit::PerSecond,
        Unit::Bytes,
        Unit::Share,
        Unit::Threads,
        Unit::PerReply,
    ];

    /// Returns the unit's name in records.
    pub fn name(self) -> &'static str {
        match self {
            Unit::Nanoseconds => "ns",
            Unit::PerSecond => "1/s",
            Unit::Bytes => "B",
            Unit::Share => "share",
            Unit::Threads => "threads",
            Unit::PerReply => "1/reply",
        }
    }

    /// Returns the unit with this name.
    pub fn named(name: &str) -> Option<Unit> {
        Unit::ALL.into_iter().find(|unit| unit.name() == name)
    }

    /// Formats a value in the unit that fits, such as `50.1 ms`.
    pub fn text(self, value: f64) -> String {
        let (scale, name) = self.scale(value);
        format!("{} {name}", number(value / scale)).trim_end().to_owned()
    }

    /// Formats the ends of an interval in the unit that fits its median, but
    /// without that unit: `49.8–50.6`.
    pub fn interval(self, median: f64, ends: [f64; 2]) -> String {
        let (scale, _) = self.scale(median);
        let [low, high] = ends.map(|end| number(end / scale));
        format!("{low}–{high}")
    }

    /// Formats the value of a tick, such as `20 µs`, without trailing zeros.
    pub fn tick(self, value: f64) -> String {
        if value == 0.0 {
            return "0".to_owned();
        }
        let text = self.text(value);
        let (number, unit) = text.split_once(' ').unwrap_or((&text, ""));
        let number = if number.contains('.') {
            number.trim_end_matches('0').trim_end_matches('.')
        } else {
            number
        };
        // The label of the axis names the unit of a rate.
        let number = match number.strip_suffix(",000,000") {
            Some(millions) => format!("{millions} M"),
            None => match number.strip_suffix(",000") {
                Some(thousands) => format!("{thousands} k"),
                None => number.to_owned(),
            },
        };
        let unit = if self == Unit::PerSecond { "" } else { unit };
        format!("{number} {unit}").trim_end().to_owned()
    }

    /// Returns the unit in which the ticks are round, on an axis up to `most`.
    pub(crate) fn base(self, most: f64) -> f64 {
        match self {
            Unit::Bytes if most < MEBIBYTE => KIBIBYTE,
            Unit::Bytes => MEBIBYTE,
            Unit::Share => 0.01,
            Unit::Nanoseconds
            | Unit::PerSecond
            | Unit::Threads
            | Unit::PerReply => 1.0,
        }
    }

    /// Returns the unit to show a value in: its size and its symbol.
    fn scale(self, value: f64) -> (f64, &'static str) {
        match self {
            Unit::Nanoseconds => match value {
                ns if ns < 1e3 => (1.0, "ns"),
                ns if ns < 1e6 => (1e3, "µs"),
                ns if ns < 1e9 => (1e6, "ms"),
                _ => (1e9, "s"),
            },
            Unit::PerSecond => (1.0, "/s"),
            Unit::Bytes if value < MEBIBYTE => (KIBIBYTE, "KiB"),
            Unit::Bytes => (MEBIBYTE, "MiB"),
            Unit::Share => (0.01, "%"),
            // The text around the number names what is counted.
            Unit::Threads | Unit::PerReply => (1.0, ""),
        }
    }
}

const KIBIBYTE: f64 = 1024.0;
const MEBIBYTE: f64 = 1024.0 * KIBIBYTE;

/// Formats a number with three significant digits, or with all digits before
/// the point if there are more; with at most four decimals.
pub fn number(value: f64) -> String {
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

/// Formats a ratio with two or three significant digits, as far as four
/// decimals allow.
pub fn ratio(value: f64) -> String {
    let decimals = match value {
        0.0 => 0,
        value if value < 0.01 => 4,
        value if value < 0.1 => 3,
        value if value < 10.0 => 2,
        _ => 1,
    };
    format!("{value:.decimals$}")
}

/// Inserts a comma before each group of three digits.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_formatted_in_the_unit_that_fits() {
        let cases = [
            (Unit::Nanoseconds, 50_123_456.0, "50.1 ms"),
            (Unit::Nanoseconds, 999.0, "999 ns"),
            (Unit::Nanoseconds, 18_240.0, "18.2 µs"),
            (Unit::PerSecond, 25_123.4, "25,123 /s"),
            (Unit::PerSecond, 1_234_567.0, "1,234,567 /s"),
            (Unit::PerSecond, 0.0, "0 /s"),
            (Unit::Bytes, 2_202_009.6, "2.10 MiB"),
            (Unit::Bytes, 716.8, "0.70 KiB"),
            (Unit::Share, 0.9812, "98.1 %"),
            (Unit::Share, 0.0008, "0.08 %"),
            (Unit::Threads, 5.0, "5.00"),
            (Unit::PerReply, 1.98, "1.98"),
            (Unit::PerReply, 0.0, "0"),
            (Unit::PerReply, 23_456.7, "23,457"),
        ];
        for (unit, value, expected) in cases {
            assert_eq!(unit.text(value), expected);
        }
    }

    #[test]
    fn an_interval_is_formatted_in_the_unit_of_its_median() {
        let text = Unit::Nanoseconds.interval(1.2e6, [0.9e6, 1.3e6]);
        assert_eq!(text, "0.90–1.30");
    }

    #[test]
    fn a_unit_is_found_by_its_name() {
        for unit in Unit::ALL {
            assert_eq!(Unit::named(unit.name()), Some(unit));
        }
        assert_eq!(Unit::named("furlong"), None);
    }

    #[test]
    fn a_small_ratio_is_not_rounded_to_zero() {
        let cases = [
            (0.0, "0"),
            (0.000_24, "0.0002"),
            (0.0117, "0.012"),
            (0.264, "0.26"),
            (1.0, "1.00"),
            (33.46, "33.5"),
        ];
        for (value, expected) in cases {
            assert_eq!(ratio(value), expected);
        }
    }
}
