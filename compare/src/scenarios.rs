//! What is asked of them: the scenarios of `bench/scenarios/*.toml`.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::cpus::Cpus;
use crate::exit::Usage;

/// A question, and the clients that put it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    /// The name of its file, without the ending.
    #[serde(skip_deserializing)]
    pub(crate) name: String,
    /// What it asks.
    pub(crate) question: String,
    /// What one would expect, before measuring.
    pub(crate) expectation: String,
    /// What the figures mean, and what they don't.
    pub(crate) analysis: String,
    /// It takes part only when it is asked for by name.
    #[serde(default)]
    pub(crate) on_request: bool,
    /// Which processors the server and its clients run on.
    #[serde(default)]
    pub(crate) cpus: Cpus,
    /// How long the clients talk before anything is counted.
    #[serde(with = "duration")]
    pub(crate) warm_up: Duration,
    /// How long they are measured.
    #[serde(with = "duration")]
    pub(crate) window: Duration,
    /// The clients, in the order in which they connect.
    #[serde(rename = "group")]
    pub(crate) groups: Vec<Group>,
    /// The group whose figures answer the question.
    pub(crate) of: String,
    /// The scenario that `left` is the share of.
    #[serde(default)]
    pub(crate) against: Option<String>,
    /// The figures that it shows; the first is the answer. None, if it is
    /// only there for another scenario to be held against.
    pub(crate) figures: Vec<Figure>,
}

/// Clients that all do the same.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Group {
    /// Its name.
    pub(crate) name: String,
    /// How many clients.
    pub(crate) connections: usize,
    /// They go to a server of their own: the same contestant once more.
    #[serde(default)]
    pub(crate) apart: bool,
    /// What each request asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) n: Option<u8>,
    /// How long each request should take: n is calibrated to it.
    #[serde(
        default,
        with = "optional_duration",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) cost: Option<Duration>,
}

/// A figure that can be shown of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Figure {
    /// The median service time.
    Time,
    /// Replies a second.
    Rate,
    /// The service time that half of the replies stay under.
    P50,
    /// The service time that 99 of 100 replies stay under.
    P99,
    /// The server's CPU time per reply.
    Cost,
    /// The server's resident memory.
    Rss,
    /// The rate, as a share of that in the scenario `against`.
    Left,
}

impl Figure {
    /// Its name, as in the file.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Figure::Time => "time",
            Figure::Rate => "rate",
            Figure::P50 => "p50",
            Figure::P99 => "p99",
            Figure::Cost => "cost",
            Figure::Rss => "rss",
            Figure::Left => "left",
        }
    }
}

/// Reads the scenarios of a folder, in the order of their names.
///
/// # Errors
///
/// A [`Usage`] error names the file, the line and what is wrong with it.
pub(crate) fn read(folder: &Path) -> anyhow::Result<Vec<Scenario>> {
    let unreadable =
        || format!("cannot read the scenarios in {}", folder.display());
    let mut scenarios = Vec::new();
    for entry in fs::read_dir(folder).with_context(unreadable)? {
        let path = entry.with_context(unreadable)?.path();
        if path.extension().is_some_and(|ending| ending == "toml") {
            scenarios.push(read_one(&path)?);
        }
    }
    // `perf1` before what builds on it, and the folder's order nowhere.
    scenarios.sort_by_key(|scenario| {
        (scenario.against.is_some(), scenario.name.clone())
    });
    for scenario in &scenarios {
        let Some(against) = &scenario.against else { continue };
        ensure!(
            scenarios.iter().any(|other| other.name == *against),
            Usage(format!(
                "{}: `against = \"{against}\"` is no scenario",
                scenario.name
            ))
        );
    }
    for scenario in &scenarios {
        let of = Some(&scenario.name);
        ensure!(
            !scenario.figures.is_empty()
                || scenarios.iter().any(|other| other.against.as_ref() == of),
            Usage(format!(
                "{}: `figures` is empty, and no scenario is held `against` \
                 it: nothing would be shown",
                scenario.name
            ))
        );
    }
    Ok(scenarios)
}

fn read_one(path: &Path) -> anyhow::Result<Scenario> {
    let text = fs::read_to_string(path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    parse(&name, &text)
        .map_err(|error| Usage(format!("{}: {error}", path.display())).into())
}

fn parse(name: &str, text: &str) -> Result<Scenario, String> {
    let mut scenario: Scenario =
        toml::from_str(text).map_err(|error| error.to_string())?;
    scenario.name = name.to_owned();
    check(&scenario)?;
    Ok(scenario)
}

fn check(scenario: &Scenario) -> Result<(), String> {
    let Scenario { groups, of, figures, against, window, .. } = scenario;
    for group in groups {
        let name = &group.name;
        if group.n.is_some() == group.cost.is_some() {
            return Err(format!("group `{name}`: give either n or cost"));
        }
        if group.connections == 0 {
            return Err(format!("group `{name}` has no connections"));
        }
    }
    if !groups.iter().any(|group| group.name == *of) {
        return Err(format!("`of = \"{of}\"` is no group of it"));
    }
    if groups.iter().any(|group| group.name == *of && group.apart) {
        return Err(format!("group `{of}` is `apart`: measured elsewhere"));
    }
    if figures.contains(&Figure::Left) != against.is_some() {
        return Err("`against` and the figure `left` need each other".into());
    }
    if window.is_zero() {
        return Err("`window` is zero: nothing would be measured".to_owned());
    }
    Ok(())
}

/// Durations as people write them: `400ms`.
mod duration {
    use super::*;

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_duration(&text).map_err(D::Error::custom)
    }

    pub(super) fn serialize<S: Serializer>(
        duration: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let text = humantime::format_duration(*duration).to_string();
        serializer.serialize_str(&text)
    }
}

mod optional_duration {
    use super::*;

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        duration::deserialize(deserializer).map(Some)
    }

    pub(super) fn serialize<S: Serializer>(
        duration: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => duration::serialize(duration, serializer),
            None => serializer.serialize_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        question = "What is left?"
        expectation = "All."
        analysis = "None yet."
        cpus = "shared"
        warm_up = "100ms"
        window = "1s"
        of = "short"
        against = "perf2"
        figures = ["left", "rate"]

        [[group]]
        name = "long"
        connections = 1
        cost = "50ms"

        [[group]]
        name = "short"
        connections = 2
        n = 1
    "#;

    #[test]
    fn a_scenario_is_read() {
        let scenario = parse("beside", GOOD).unwrap();
        assert_eq!(scenario.name, "beside");
        assert_eq!(scenario.window, Duration::from_secs(1));
        assert_eq!(scenario.groups[0].cost, Some(Duration::from_millis(50)));
        assert_eq!(scenario.groups[1].n, Some(1));
        assert_eq!(scenario.figures, [Figure::Left, Figure::Rate]);
    }

    #[test]
    fn a_mistake_in_the_file_is_named() {
        let cases = [
            ("window", "windwo", "unknown field `windwo`"),
            ("window = \"1s\"", "window = \"long\"", "line 7"),
            ("window = \"1s\"", "window = \"0s\"", "`window` is zero"),
            ("question = \"What is left?\"", "", "missing field `question`"),
            ("cost = \"50ms\"", "", "either n or cost"),
            ("cost = \"50ms\"", "cost = \"1s\"\nn = 1", "either n or cost"),
            ("connections = 2", "connections = 0", "no connections"),
            ("of = \"short\"", "of = \"medium\"", "no group"),
            ("\"left\", ", "", "need each other"),
            ("n = 1", "n = 1\napart = true", "measured elsewhere"),
            ("\"rate\"", "\"speed\"", "unknown variant `speed`"),
            ("\"shared\"", "\"all\"", "unknown variant `all`"),
        ];
        for (good, bad, expected) in cases {
            let text = GOOD.replacen(good, bad, 1);
            let error = parse("beside", &text).unwrap_err();
            assert!(error.contains(expected), "{bad}: {error}");
        }
    }

    #[test]
    fn the_scenarios_that_are_shipped_can_be_read() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../bench/scenarios");
        assert!(!read(Path::new(folder)).unwrap().is_empty());
    }
}
