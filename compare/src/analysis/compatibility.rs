//! Checks whether two records are comparable: same machine, scenarios,
//! contestants and calibration.

use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use crate::model::calibration::Calibrated;
use crate::model::machine::Machine;
use crate::model::reading::Reading;
use crate::model::record::{Entrant, Record};
use crate::model::scenarios::Scenario;

/// The keys of a scenario that describe it or select what is shown, and don't
/// affect what is measured.
const PROSE: [&str; 5] =
    ["question", "expectation", "analysis", "on_request", "figures"];

/// Lists the differences between two machines that affect figures.
pub(crate) fn machines(one: &Machine, other: &Machine) -> Vec<String> {
    let text = |known: &Reading<String>| {
        known.value.clone().unwrap_or_else(|| "unknown".to_owned())
    };
    let of = |machine: &Machine| {
        let Machine { processor, processors_allowed, toolchain, .. } = machine;
        [
            ("processor", text(processor)),
            ("processors allowed", format!("{processors_allowed:?}")),
            ("quota of a control group", quota(machine)),
            ("kernel", machine.kernel.clone()),
            ("toolchain", text(toolchain)),
        ]
    };
    let differ = of(one).into_iter().zip(of(other));
    differ
        .filter(|((_, one), (_, other))| one != other)
        .map(|((what, one), (_, other))| format!("{what}: {one} / {other}"))
        .collect()
}

/// Describes how much of the processors' time the run was allowed.
fn quota(machine: &Machine) -> String {
    match machine.processors_quota {
        Some(processors) => format!("{processors} processors"),
        None => "none".to_owned(),
    }
}

/// Returns the first difference between two scenarios with the same name that
/// affects what is measured.
pub(crate) fn scenarios(one: &Scenario, other: &Scenario) -> Option<String> {
    let measured = |scenario: &Scenario| {
        let mut value = to_value(scenario);
        if let Value::Object(keys) = &mut value {
            keys.retain(|key, _| !PROSE.contains(&key.as_str()));
        }
        value
    };
    difference("", &measured(one), &measured(other))
}

/// Returns the first difference between two entrants with the same name. The
/// folders of their programs may differ, and so may the reasons why a version
/// is missing, whose wording changes between versions of `compare`.
pub(crate) fn entrants(one: &Entrant, other: &Entrant) -> Option<String> {
    let comparable = |entrant: &Entrant| {
        let mut entrant = entrant.clone();
        if let Some(program) = entrant.contestant.command.first_mut() {
            let name = Path::new(program).file_name().unwrap_or_default();
            *program = name.to_string_lossy().into_owned();
        }
        entrant.version.reason = None;
        to_value(&entrant)
    };
    difference("", &comparable(one), &comparable(other))
}

/// Returns the first cost that was calibrated to a different n.
pub(crate) fn calibrations(
    one: &[Calibrated],
    other: &[Calibrated],
) -> Option<String> {
    one.iter().find_map(|one| {
        let same = |other: &&Calibrated| other.is_like(one);
        let other = other.iter().find(same).filter(|o| o.n != one.n)?;
        Some(format!(
            "a cost of {} ms is n = {} / n = {}",
            one.cost_ns as f64 / 1e6,
            one.n,
            other.n
        ))
    })
}

fn to_value(what: impl Serialize) -> Value {
    serde_json::to_value(what).expect("a part of a record is valid JSON")
}

/// Returns the path of the first difference between two values, and the value
/// of each at that path.
fn difference(place: &str, one: &Value, other: &Value) -> Option<String> {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let keys = one.keys().chain(other.keys());
            keys.into_iter().find_map(|key| {
                let get = |map: &serde_json::Map<String, Value>| {
                    map.get(key).cloned().unwrap_or_default()
                };
                let place = format!("{place}.{key}");
                difference(&place, &get(one), &get(other))
            })
        }
        (Value::Array(one), Value::Array(other))
            if one.len() == other.len() =>
        {
            let pairs = one.iter().zip(other).enumerate();
            pairs.into_iter().find_map(|(index, (one, other))| {
                difference(&format!("{place}[{index}]"), one, other)
            })
        }
        (one, other) => (one != other).then(|| {
            let place = place.trim_start_matches('.');
            format!("{place}: {one} / {other}")
        }),
    }
}

/// Checks that contestants with the same name are the same in both records.
///
/// # Errors
///
/// Returns the first difference.
pub(crate) fn agree_on_entrants(
    one: &Record,
    other: &Record,
) -> Result<(), String> {
    for entrant in &one.entrants {
        let name = &entrant.contestant.name;
        let mut others = other.entrants.iter();
        let same = others.find(|other| other.contestant.name == *name);
        let difference = same.and_then(|same| entrants(entrant, same));
        if let Some(difference) = difference {
            return Err(format!("contestant {name} differs: {difference}"));
        }
    }
    Ok(())
}

/// Checks that cost is measured and calibrated in the same way in both records.
///
/// # Errors
///
/// Returns the first difference.
pub(crate) fn agree_on_method(
    one: &Record,
    other: &Record,
) -> Result<(), String> {
    let [method, others] = [&one.cost_method, &other.cost_method];
    // If several machines load one server, only the machine that runs it can
    // measure its cost.
    if one.shard.is_none() && method != others {
        return Err(format!(
            "cost is measured differently: {method} / {others}"
        ));
    }
    match calibrations(&one.calibration, &other.calibration) {
        None => Ok(()),
        Some(difference) => Err(format!(
            "{difference}; to use the same n, replace the group's cost by an n \
             in a scenario file of your own"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::contestant::Contestant;

    #[test]
    fn the_first_difference_is_reported_with_its_path() {
        let value = |text: &str| serde_json::from_str(text).unwrap();
        let good = r#"{"a": [{"b": 1, "c": "x"}], "d": null}"#;
        let cases = [
            (good, None),
            (r#"{"a": [{"b": 1, "c": "x"}]}"#, None),
            (r#"{"a": [{"b": 2, "c": "x"}]}"#, Some("a[0].b: 1 / 2")),
            (r#"{"a": [{"b": 1}]}"#, Some("a[0].c: \"x\" / null")),
            (r#"{"a": [{"b": 1, "c": "x"}], "e": 1}"#, Some("e: null / 1")),
        ];
        for (other, expected) in cases {
            let found = difference("", &value(good), &value(other));
            assert_eq!(found.as_deref(), expected);
        }
    }

    #[test]
    fn entrants_whose_version_is_missing_for_other_words_do_not_differ() {
        let entrant = |reason: &str| Entrant {
            contestant: Contestant::peer("a".to_owned(), Vec::new()),
            alias_of: None,
            version: Reading::missing(reason),
        };
        assert_eq!(entrants(&entrant("old words"), &entrant("new")), None);
        let mut known = entrant("");
        known.version = Ok("1".to_owned()).into();
        let found = entrants(&entrant("old words"), &known).unwrap();
        assert!(found.contains("version"), "{found}");
    }
}
