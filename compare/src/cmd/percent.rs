//! Shares on the command line.

/// Parses a percentage, such as `5%` or `5`, and returns it as a share.
pub(crate) fn percent(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('%').trim_end().parse::<f64>() {
        Ok(percent) if percent >= 0.0 && percent.is_finite() => {
            Ok(percent / 100.0)
        }
        _ => Err("expected a percentage of 0 or more, such as 5%".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_parsed_with_and_without_its_sign() {
        for (text, expected) in [("5%", 0.05), ("12.5", 0.125), ("0 %", 0.0)] {
            assert_eq!(percent(text), Ok(expected));
        }
        for bad in ["", "%", "five", "-1%", "NaN", "inf%"] {
            assert!(percent(bad).is_err(), "{bad}");
        }
    }
}
