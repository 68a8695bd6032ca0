//! Whether what two records say is about the same thing.

use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use crate::model::calibration::Calibrated;
use crate::model::machine::Machine;
use crate::model::reading::Reading;
use crate::model::record::{Entrant, Record};
use crate::model::scenarios::Scenario;

/// What a scenario says to people, and what it shows: not what it does.
const PROSE: [&str; 5] =
    ["question", "expectation", "analysis", "on_request", "figures"];

/// In what two machines differ that changes figures.
pub(crate) fn machines(one: &Machine, other: &Machine) -> Vec<String> {
    let text = |known: &Reading<String>| {
        known.value.clone().unwrap_or_else(|| "unknown".to_owned())
    };
    let of = |machine: &Machine| {
        let Machine { processor, processors_allowed, toolchain, .. } = machine;
        [
            ("processor", text(processor)),
            ("processors allowed", format!("{processors_allowed:?}")),
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

/// The first thing that two scenarios of one name do differently.
pub(crate) fn scenarios(one: &Scenario, other: &Scenario) -> Option<String> {
    let played = |scenario: &Scenario| {
        let mut value = to_value(scenario);
        if let Value::Object(keys) = &mut value {
            keys.retain(|key, _| !PROSE.contains(&key.as_str()));
        }
        value
    };
    difference("", &played(one), &played(other))
}

/// The first difference between two entrants of one name. Where their program
/// lies is none.
pub(crate) fn entrants(one: &Entrant, other: &Entrant) -> Option<String> {
    let told = |entrant: &Entrant| {
        let mut entrant = entrant.clone();
        if let Some(program) = entrant.contestant.command.first_mut() {
            let name = Path::new(program).file_name().unwrap_or_default();
            *program = name.to_string_lossy().into_owned();
        }
        to_value(&entrant)
    };
    difference("", &told(one), &told(other))
}

/// The first cost that stands for another n.
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
    serde_json::to_value(what).expect("what records hold can be written")
}

/// The first place where two values differ, and what stands there.
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

pub(crate) fn agree_on_method(
    one: &Record,
    other: &Record,
) -> Result<(), String> {
    let [method, others] = [&one.cost_method, &other.cost_method];
    // A load machine that the server is on knows its cost, the others don't.
    if one.shard.is_none() && method != others {
        return Err(format!(
            "cost is measured differently: {method} / {others}"
        ));
    }
    match calibrations(&one.calibration, &other.calibration) {
        None => Ok(()),
        Some(difference) => Err(format!(
            "{difference}; in a file of your own, give the group an n in \
             place of the cost"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_named_with_its_place() {
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
}
