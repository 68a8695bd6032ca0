//! Which contestants and scenarios the user wants.

use regex_lite::Regex;

use crate::scenarios::Scenario;

/// Whether one of the patterns matches; without patterns, everything does.
pub(crate) fn selects(patterns: &[Regex], name: &str) -> bool {
    patterns.is_empty() || patterns.iter().any(|p| p.is_match(name))
}

/// The scenarios that are wanted, with those that they build on. Without
/// patterns, those that take part without being asked for.
pub(crate) fn select_scenarios(
    scenarios: Vec<Scenario>,
    patterns: &[Regex],
) -> Vec<Scenario> {
    let is_chosen = |scenario: &Scenario| {
        selects(patterns, &scenario.name)
            && !(patterns.is_empty() && scenario.on_request)
    };
    let built_on: Vec<String> = scenarios
        .iter()
        .filter(|scenario| is_chosen(scenario))
        .filter_map(|scenario| scenario.against.clone())
        .collect();
    let wanted = |scenario: &Scenario| {
        is_chosen(scenario) || built_on.contains(&scenario.name)
    };
    scenarios.into_iter().filter(wanted).collect()
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
