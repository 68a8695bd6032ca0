//! Selecting contestants and scenarios by regular expressions.

use std::collections::BTreeSet;

use regex_lite::Regex;

use crate::model::figure::Figure;
use crate::model::scenarios::{Scenario, expand};

/// Returns `true` if a pattern matches the name, or if there are no patterns.
pub(crate) fn selects(patterns: &[Regex], name: &str) -> bool {
    patterns.is_empty() || patterns.iter().any(|p| p.is_match(name))
}

/// Returns the selected scenarios, and those that they are compared with. A
/// pattern matches a scenario's name, or the name of one point of its sweep,
/// such as `ladder@64`. Without patterns, the selection is every scenario that
/// isn't `on_request`, at its usual values, or everything if `is_full`.
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

/// Adds the cell that a figure is measured in, and that of the baseline if the
/// figure is a share of it. Cells are named by scenario and contestant.
pub(crate) fn add_cells(
    cells: &mut BTreeSet<(String, String)>,
    scenarios: &[Scenario],
    scenario: &str,
    contestant: &str,
    figure: Figure,
) {
    cells.insert((scenario.to_owned(), contestant.to_owned()));
    let measured = scenarios.iter().find(|other| other.name == scenario);
    let against = measured.and_then(|scenario| scenario.against.clone());
    if let (Figure::Left, Some(against)) = (figure, against) {
        cells.insert((against, contestant.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_selected_if_a_pattern_matches_or_there_are_none() {
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
