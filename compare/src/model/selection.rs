//! Which contestants and scenarios the user wants.

use regex_lite::Regex;

use crate::model::scenarios::{Scenario, expand};

/// Whether one of the patterns matches; without patterns, everything does.
pub(crate) fn selects(patterns: &[Regex], name: &str) -> bool {
    patterns.is_empty() || patterns.iter().any(|p| p.is_match(name))
}

/// The scenarios that are wanted, and those that they build on. A pattern
/// matches a scenario's name, or that of one value that it varies over, as
/// `ladder@64`. Without patterns: those that take part without being asked
/// for, at their usual values; or everything, if that `is_full`.
pub(crate) fn select_scenarios(
    scenarios: &[Scenario],
    patterns: &[Regex],
    is_full: bool,
) -> Vec<Scenario> {
    let only_usual = patterns.is_empty() && !is_full;
    let points = expand(scenarios, only_usual);
    let is_chosen = |scenario: &Scenario| {
        let is_named = selects(patterns, &scenario.name)
            || selects(patterns, scenario.base());
        is_named && !(only_usual && scenario.on_request)
    };
    let built_on: Vec<String> = points
        .iter()
        .filter(|scenario| is_chosen(scenario))
        .filter_map(|scenario| scenario.against.clone())
        .collect();
    let wanted = |scenario: &Scenario| {
        is_chosen(scenario) || built_on.contains(&scenario.name)
    };
    points.into_iter().filter(wanted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_selected_by_any_pattern_or_by_none() {
        let patterns = |list: &[&str]| -> Vec<Regex> {
            list.iter().map(|text| Regex::new(text).unwrap()).collect()
        };
        let cases: [(&[&str], bool); 5] = [
            (&[], true),
            (&["tok"], true),
            (&["^tokio$"], false),
            (&["mio", "inline$"], true),
            (&["mio", "threads"], false),
        ];
        for (list, expected) in cases {
            let selected = selects(&patterns(list), "tokio-inline");
            assert_eq!(selected, expected, "{list:?}");
        }
    }
}
