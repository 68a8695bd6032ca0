//! The unit of a column of figures, and numbers in that unit.

use charts::Unit;

/// The smallest share that is shown as a number, in per cent.
const PERCENT_MIN: f64 = 0.1;

/// The smallest other number that is shown.
const NUMBER_MIN: f64 = 0.001;

/// A unit that all figures of a column share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ColumnUnit {
    /// The size of the unit.
    scale: f64,
    /// The symbol, for the heading.
    pub(crate) symbol: &'static str,
    /// The smallest number that is shown as such.
    least: f64,
}

impl ColumnUnit {
    /// Returns the unit in which these values are shortest.
    pub(crate) fn of(unit: Unit, values: &[f64]) -> ColumnUnit {
        let least = match unit {
            Unit::Share => PERCENT_MIN,
            _ => NUMBER_MIN,
        };
        let units = scales(unit).iter().map(|&(scale, symbol)| ColumnUnit {
            scale,
            symbol,
            least,
        });
        let badness = |unit: &ColumnUnit| {
            let width = |value: &f64| unit.text(*value).chars().count();
            let width = values.iter().map(width).max().unwrap_or(0);
            let oddness = |value: &f64| match value / unit.scale {
                1000.0.. => 2,
                number if number < 1.0 => 1,
                _ => 0,
            };
            (width, values.iter().map(oddness).sum::<usize>())
        };
        units.min_by_key(badness).unwrap_or(ColumnUnit {
            scale: 1.0,
            symbol: "",
            least,
        })
    }

    /// Returns `true` if a value is smaller than the smallest number that is
    /// shown.
    pub(crate) fn is_tiny(&self, value: f64) -> bool {
        value / self.scale < self.least
    }

    /// Formats a value with three digits.
    pub(crate) fn text(&self, value: f64) -> String {
        self.rounded(value, 3)
    }

    /// Formats a value with a number of digits, but without rounding an
    /// integer.
    pub(crate) fn rounded(&self, value: f64, digits: u8) -> String {
        let number = value / self.scale;
        if number == 0.0 {
            return "0".to_owned();
        }
        if !number.is_finite() {
            return "∞".to_owned();
        }
        if self.is_tiny(value) {
            return format!("<{}", self.least);
        }
        let decimals_max = if self.least == PERCENT_MIN { 1 } else { 3 };
        if self.symbol.is_empty() && number.fract() == 0.0 {
            return format!("{number}");
        }
        let exponent = number.abs().log10().floor();
        let decimals = f64::from(digits) - 1.0 - exponent;
        let decimals = decimals.clamp(0.0, f64::from(decimals_max));
        let decimals = decimals as usize;
        let text = format!("{number:.decimals$}");
        // Rounding may have added a digit: 9.999 is 10.0, not 10.00.
        let rounded = text.parse::<f64>().unwrap_or(number);
        if rounded.log10().floor() > exponent && decimals > 0 {
            let decimals = decimals - 1;
            return format!("{number:.decimals$}");
        }
        text
    }
}

/// Returns the units for figures, as size and symbol.
fn scales(unit: Unit) -> &'static [(f64, &'static str)] {
    const KIBIBYTE: f64 = 1024.0;
    match unit {
        Unit::Nanoseconds => {
            &[(1.0, "ns"), (1e3, "µs"), (1e6, "ms"), (1e9, "s")]
        }
        Unit::PerSecond => &[(1.0, "/s"), (1e3, "k/s"), (1e6, "M/s")],
        Unit::Bytes => &[
            (1.0, "B"),
            (KIBIBYTE, "KiB"),
            (KIBIBYTE * KIBIBYTE, "MiB"),
            (KIBIBYTE * KIBIBYTE * KIBIBYTE, "GiB"),
        ],
        Unit::Share => &[(0.01, "%")],
        Unit::Threads | Unit::PerReply => &[(1.0, "")],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_has_the_unit_in_which_its_values_are_shortest() {
        let cases: [(Unit, &[f64], &str, &[&str]); 7] = [
            (Unit::Nanoseconds, &[5_432.0, 12_100.0], "µs", &["5.43", "12.1"]),
            (Unit::Nanoseconds, &[106e3, 2.49e6], "µs", &["106", "2490"]),
            (Unit::Nanoseconds, &[53.6e6, 107e6], "ms", &["53.6", "107"]),
            (Unit::PerSecond, &[16_363.0, 178_966.0], "k/s", &["16.4", "179"]),
            (Unit::Bytes, &[532.0, 10_240.0], "KiB", &["0.520", "10.0"]),
            (Unit::Share, &[0.998, 0.0003, 0.0], "%", &["99.8", "<0.1", "0"]),
            (Unit::Threads, &[5.0], "", &["5"]),
        ];
        for (unit, values, symbol, texts) in cases {
            let unit = ColumnUnit::of(unit, values);
            assert_eq!(unit.symbol, symbol, "{values:?}");
            let found: Vec<String> =
                values.iter().map(|value| unit.text(*value)).collect();
            assert_eq!(found, texts);
        }
    }

    #[test]
    fn a_value_with_fewer_digits_keeps_those_of_its_integer() {
        let unit = ColumnUnit::of(Unit::Nanoseconds, &[5.0]);
        let cases = [
            (5.432, ["5", "5.4", "5.43"]),
            (0.7964, ["0.8", "0.80", "0.796"]),
            (176.4, ["176", "176", "176"]),
            (9.96, ["10", "10", "9.96"]),
        ];
        for (value, expected) in cases {
            let found = [1, 2, 3].map(|digits| unit.rounded(value, digits));
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn rounding_adds_no_digit() {
        let unit = ColumnUnit::of(Unit::Nanoseconds, &[5.0]);
        for (value, expected) in
            [(9.996, "10.0"), (99.96, "100"), (999.6, "1000"), (0.9996, "1.00")]
        {
            assert_eq!(unit.text(value), expected);
        }
    }
}
