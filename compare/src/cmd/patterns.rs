//! What the patterns on the command line match.

use regex_lite::Regex;

use crate::base::stderr::note;
use crate::model::scenarios::Scenario;

/// Returns the patterns of a flag, in which one of the names matches only this
/// name: `threads` is not also `c-threads`. Names may be separated by commas.
/// Reports each pattern that matches none of the names. If others match, a
/// mistyped one would go unnoticed.
pub(crate) fn resolve(
    flag: &str,
    patterns: &[Regex],
    names: &[&str],
) -> Vec<Regex> {
    let mut resolved = Vec::new();
    for pattern in patterns {
        let text = pattern.as_str();
        let parts = || text.split(',');
        if names.contains(&text) {
            resolved.push(exact(text));
        } else if parts().all(|part| names.contains(&part)) {
            resolved.extend(parts().map(exact));
        } else {
            if !names.iter().any(|name| pattern.is_match(name)) {
                note!("{}", unmatched(flag, text, names));
            }
            resolved.push(pattern.clone());
        }
    }
    resolved
}

/// Returns a pattern that matches only this name.
fn exact(name: &str) -> Regex {
    let text = format!("^{}$", regex_lite::escape(name));
    Regex::new(&text).expect("an escaped name is valid")
}

/// Does the same for `-s`. Its patterns match a scenario or a point of its
/// sweep.
pub(crate) fn resolve_scenarios(
    patterns: &[Regex],
    points: &[Scenario],
) -> Vec<Regex> {
    let names = points.iter().map(|scenario| scenario.name.as_str());
    let bases = points.iter().map(Scenario::base);
    let names: Vec<&str> = names.chain(bases).collect();
    resolve("-s", patterns, &names)
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
    use crate::model::selection::selects;

    #[test]
    fn a_pattern_that_is_a_name_matches_only_this_name() {
        let names = ["threads", "c-threads", "mio", "mio-pool"];
        let matched = |patterns: &[&str]| -> Vec<&str> {
            let patterns = patterns.iter().map(|text| Regex::new(text));
            let patterns: Vec<Regex> = patterns.map(Result::unwrap).collect();
            let resolved = resolve("-e", &patterns, &names);
            let is_matched = |name: &&str| selects(&resolved, name);
            names.into_iter().filter(is_matched).collect()
        };
        assert_eq!(matched(&["threads"]), ["threads"]);
        assert_eq!(matched(&["threads", "mio"]), ["threads", "mio"]);
        assert_eq!(matched(&["threads,mio"]), ["threads", "mio"]);
        assert_eq!(matched(&["^(mio|a, b)$"]), ["mio"]);
        assert_eq!(matched(&["threads$"]), ["threads", "c-threads"]);
        assert_eq!(matched(&["pool"]), ["mio-pool"]);
    }

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
