//! Messages about patterns that match nothing.

use regex_lite::Regex;

use crate::base::stderr::note;
use crate::model::scenarios::Scenario;

/// Reports each pattern of a flag that matches none of the names. If other
/// patterns match, a mistyped one would go unnoticed.
pub(crate) fn report_unmatched(flag: &str, patterns: &[Regex], names: &[&str]) {
    for pattern in patterns {
        if !names.iter().any(|name| pattern.is_match(name)) {
            note!("{}", unmatched(flag, pattern.as_str(), names));
        }
    }
}

/// Reports each pattern of `-s` that matches neither a scenario nor a point of
/// its sweep.
pub(crate) fn report_unmatched_scenarios(
    patterns: &[Regex],
    points: &[Scenario],
) {
    let names = points.iter().map(|scenario| scenario.name.as_str());
    let bases = points.iter().map(Scenario::base);
    let names: Vec<&str> = names.chain(bases).collect();
    report_unmatched("-s", patterns, &names);
}

/// Returns the message about a pattern that matches none of the names.
fn unmatched(flag: &str, pattern: &str, names: &[&str]) -> String {
    let kind = match flag {
        "-b" => "budget",
        "-c" => "claim",
        "-e" => "contestant",
        _ => "scenario",
    };
    let text = format!("{flag} '{pattern}' matches no {kind}");
    // A value that the sweep doesn't have.
    let base = pattern.trim_start_matches('^').split_once('@');
    let values: Vec<&str> = base
        .map(|(base, _)| format!("{base}@"))
        .into_iter()
        .flat_map(|start| names.iter().filter(move |n| n.starts_with(&start)))
        .copied()
        .collect();
    if values.is_empty() {
        format!("{text}; `compare list` prints the names")
    } else {
        format!("{text}; use one of {}", values.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_a_sweep_lacks_is_reported_with_those_it_has() {
        let names = ["perf2", "apart@0", "apart@1", "apart"];
        let cases = [
            ("perf9", "-s 'perf9' matches no scenario; `compare list`"),
            (
                "^apart@9$",
                "'^apart@9$' matches no scenario; use one of \
                           apart@0, apart@1",
            ),
        ];
        for (pattern, expected) in cases {
            let text = unmatched("-s", pattern, &names);
            assert!(text.contains(expected), "{text}");
        }
    }
}
