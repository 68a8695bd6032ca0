//! What is asked of them: the scenarios of `bench/scenarios/*.toml`.

use std::cmp::Ordering;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use protocol::N_MAX;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::cpus::Cpus;
use crate::exit::Usage;
use crate::limits::{CONNECTIONS_MAX, TIME_MAX};
use crate::load::plan::{Arrivals, DEPTH_MAX, Pace, RATE_MAX, RATE_MIN};

/// A question, and the clients that put it.
#[derive(
    schemars::JsonSchema, Clone, Debug, PartialEq, Deserialize, Serialize,
)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    /// The name of its file, without the ending. A record has it; a file must
    /// not.
    #[serde(default)]
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
    #[serde(with = "duration", default = "usual_warm_up")]
    #[schemars(with = "String")]
    pub(crate) warm_up: Duration,
    /// How long they are measured.
    #[serde(with = "duration")]
    #[schemars(with = "String")]
    pub(crate) window: Duration,
    /// The clients, in the order in which they connect.
    #[serde(rename = "group")]
    pub(crate) groups: Vec<Group>,
    /// What varies, if anything does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sweep: Option<Sweep>,
    /// Which value of the sweep this is; none in a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) point: Option<Point>,
    /// The group whose figures answer the question.
    pub(crate) of: String,
    /// The scenario that `left` is the share of.
    #[serde(default)]
    pub(crate) against: Option<String>,
    /// The figures that it shows; the first is the answer. None, if it is
    /// only there for another scenario to be held against.
    pub(crate) figures: Vec<Figure>,
}

fn usual_warm_up() -> Duration {
    WARM_UP
}

/// Clients that all do the same.
#[derive(
    schemars::JsonSchema, Clone, Debug, PartialEq, Deserialize, Serialize,
)]
#[serde(deny_unknown_fields)]
pub(crate) struct Group {
    /// Its name.
    pub(crate) name: String,
    /// How many clients.
    pub(crate) connections: usize,
    /// They connect, and never ask.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) silent: bool,
    /// They connect anew for each request.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) churn: bool,
    /// How many requests each client keeps in flight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) depth: Option<usize>,
    /// How long each pauses between a reply and the next request.
    #[serde(
        default,
        with = "optional_duration",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<String>")]
    pub(crate) think: Option<Duration>,
    /// An open loop: requests a second, of the whole group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rate: Option<f64>,
    /// The same, as a share of what the contestant can do at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) load: Option<f64>,
    /// How the requests of an open loop are spread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) arrivals: Option<Arrivals>,
    /// They go to a server of their own: the same contestant once more.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) apart: bool,
    /// What each request asks for.
    #[serde(
        default,
        deserialize_with = "n",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) n: Option<u8>,
    /// How long each request should take: n is calibrated to it.
    #[serde(
        default,
        with = "optional_duration",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<String>")]
    pub(crate) cost: Option<Duration>,
}

/// What varies in a scenario: one thing, of one group.
#[derive(
    schemars::JsonSchema, Clone, Debug, PartialEq, Deserialize, Serialize,
)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sweep {
    /// The group.
    pub(crate) group: String,
    /// What of it.
    pub(crate) of: Knob,
    /// The values that it takes.
    pub(crate) values: Vec<f64>,
    /// Those that take part in a run that did not ask for the scenario; all,
    /// if it isn't said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) usual: Option<Vec<f64>>,
}

/// What can vary.
#[derive(
    schemars::JsonSchema,
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Deserialize,
    Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Knob {
    /// How many clients.
    Connections,
    /// How many requests each has in flight.
    Depth,
    /// The number that is asked for.
    N,
    /// Requests a second.
    Rate,
    /// The same, as a share of what the contestant can do at most.
    Load,
}

/// One value of a sweep.
#[derive(
    schemars::JsonSchema, Clone, Debug, PartialEq, Deserialize, Serialize,
)]
pub(crate) struct Point {
    /// The scenario that varies.
    pub(crate) of: String,
    /// The value.
    pub(crate) value: f64,
}

/// A figure that can be shown of a cell.
#[derive(
    schemars::JsonSchema,
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    Deserialize,
    Serialize,
)]
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
    /// The response time that half of an open loop's requests stay under.
    ResponseP50,
    /// The response time that 99 of 100 stay under.
    ResponseP99,
}

impl Figure {
    /// Whether a contestant with more of it did better.
    pub(crate) fn more_is_better(self) -> bool {
        matches!(self, Figure::Rate | Figure::Left)
    }

    /// Orders two of it, the better one first.
    pub(crate) fn better_first(self, one: f64, other: f64) -> Ordering {
        let order = one.total_cmp(&other);
        if self.more_is_better() { order.reverse() } else { order }
    }

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
            Figure::ResponseP50 => "response-p50",
            Figure::ResponseP99 => "response-p99",
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
    check_together(&scenarios)?;
    Ok(scenarios)
}

/// What one file can't show to be wrong.
fn check_together(scenarios: &[Scenario]) -> Result<(), Usage> {
    for scenario in scenarios {
        let Scenario { name, against, sweep, .. } = scenario;
        let Some(against) = against else { continue };
        let other = scenarios.iter().find(|other| other.name == *against);
        let Some(other) = other else {
            return Err(Usage(format!(
                "{name}: `against = \"{against}\"` is no scenario"
            )));
        };
        let values = |sweep: &Option<Sweep>| {
            sweep.as_ref().map(|s| (s.values.clone(), s.usual.clone()))
        };
        if other.sweep.is_some() && values(&other.sweep) != values(sweep) {
            return Err(Usage(format!(
                "{name}: `{against}`, which it is held against, varies, but \
                 over other values"
            )));
        }
    }
    for scenario in scenarios {
        let of = Some(&scenario.name);
        if scenario.figures.is_empty()
            && !scenarios.iter().any(|other| other.against.as_ref() == of)
        {
            return Err(Usage(format!(
                "{}: `figures` is empty, and no scenario is held `against` \
                 it: nothing would be shown",
                scenario.name
            )));
        }
    }
    Ok(())
}

/// Reads one more scenario, in place of one that has its name: then that is
/// what comes back.
///
/// # Errors
///
/// A [`Usage`] error names the file, the line and what is wrong with it.
pub(crate) fn add(
    scenarios: &mut Vec<Scenario>,
    path: &Path,
) -> anyhow::Result<Option<String>> {
    let scenario = read_one(path)?;
    let name = scenario.name.clone();
    let before = scenarios.len();
    scenarios.retain(|other| other.name != name);
    let is_in_place = scenarios.len() < before;
    scenarios.push(scenario);
    check_together(scenarios)?;
    Ok(is_in_place.then_some(name))
}

/// Reads the scenario of one file, whatever else there is.
///
/// # Errors
///
/// A [`Usage`] error names the file, the line and what is wrong with it.
pub(crate) fn read_one(path: &Path) -> anyhow::Result<Scenario> {
    let text = fs::read_to_string(path)
        .with_context(|| Usage(format!("cannot read {}", path.display())))?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    parse(&name, &text)
        .map_err(|error| Usage(format!("{}: {error}", path.display())).into())
}

fn parse(name: &str, text: &str) -> Result<Scenario, String> {
    let mut scenario: Scenario =
        toml::from_str(text).map_err(|error| error.to_string())?;
    if !scenario.name.is_empty() {
        return Err("`name` is for records: a file has its own".to_owned());
    }
    scenario.name = name.to_owned();
    check(&scenario)?;
    Ok(scenario)
}

fn check(scenario: &Scenario) -> Result<(), String> {
    let Scenario { groups, of, figures, against, window, .. } = scenario;
    for group in groups {
        check_group(group)
            .map_err(|error| format!("group `{}`: {error}", group.name))?;
    }
    if let Some(sweep) = &scenario.sweep {
        check_sweep(sweep, groups)
            .map_err(|error| format!("sweep: {error}"))?;
        if sweep.group == *of && sweep.values.contains(&0.0) {
            return Err(format!("sweep: at 0, `of = \"{of}\"` is nobody"));
        }
    }
    if scenario.point.is_some() {
        return Err("`point` is for records, not for files".to_owned());
    }
    let measured = groups.iter().find(|group| group.name == *of);
    if measured.is_some_and(|group| group.silent) {
        return Err(format!("group `{of}` is silent: nothing to measure"));
    }
    let responds = [Figure::ResponseP50, Figure::ResponseP99];
    if figures.iter().any(|figure| responds.contains(figure))
        && measured.is_some_and(|group| !group.is_open_loop())
    {
        return Err(format!(
            "response times are those of an open loop: group `{of}` has \
             neither rate nor load"
        ));
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
    check_time("window", *window)?;
    check_time("warm_up", scenario.warm_up)
}

fn check_time(key: &str, time: Duration) -> Result<(), String> {
    if time > TIME_MAX {
        let max = humantime::format_duration(TIME_MAX);
        return Err(format!("`{key}` must be at most {max}"));
    }
    Ok(())
}

fn check_group(group: &Group) -> Result<(), String> {
    let Group { n, cost, silent, churn, depth, think, .. } = group;
    let asked = usize::from(n.is_some()) + usize::from(cost.is_some());
    if asked != usize::from(!silent) {
        return Err("give either n or cost, or else silent".to_owned());
    }
    if group.connections == 0 {
        return Err("`connections` is 0: only a sweep may come to that".into());
    }
    if group.connections > CONNECTIONS_MAX {
        return Err(format!("`connections` must be at most {CONNECTIONS_MAX}"));
    }
    let paces = [
        depth.is_some() || think.is_some(),
        group.rate.is_some(),
        group.load.is_some(),
        *churn,
        *silent,
    ];
    if paces.iter().filter(|is_given| **is_given).count() > 1 {
        return Err("depth or think, rate, load, churn and silent exclude \
                    each other"
            .to_owned());
    }
    if depth.is_some_and(|depth| !(1..=DEPTH_MAX).contains(&depth)) {
        return Err(format!("`depth` must be from 1 to {DEPTH_MAX}"));
    }
    let limits = [
        ("rate", group.rate, RATE_MIN, RATE_MAX),
        ("load", group.load, LOAD_MIN, LOAD_MAX),
    ];
    for (key, value, min, max) in limits {
        if value.is_some_and(|value| !(min..=max).contains(&value)) {
            return Err(format!("`{key}` must be from {min} to {max}"));
        }
    }
    check_time("think", think.unwrap_or_default())?;
    check_time("cost", cost.unwrap_or_default())?;
    if group.arrivals.is_some() && !group.is_open_loop() {
        return Err("`arrivals` needs a rate or a load".to_owned());
    }
    Ok(())
}

fn check_sweep(sweep: &Sweep, groups: &[Group]) -> Result<(), String> {
    let Sweep { group, of, values, usual } = sweep;
    let Some(group) = groups.iter().find(|other| other.name == *group) else {
        return Err(format!("`group = \"{group}\"` is no group of it"));
    };
    if values.is_empty() {
        return Err("`values` is empty".to_owned());
    }
    for &value in values {
        let mut group = group.clone();
        group.turn(*of, value)?;
        // No clients at all is a value like others, if others vary.
        if !(*of == Knob::Connections && value == 0.0) {
            check_group(&group)
                .map_err(|error| format!("{} = {value}: {error}", of.name()))?;
        }
    }
    let usual = usual.iter().flatten();
    match usual.into_iter().find(|value| !values.contains(value)) {
        Some(value) => Err(format!("{value} is usual, but not in `values`")),
        None => Ok(()),
    }
}

/// Less than a thousandth of what a server can do is no load.
const LOAD_MIN: f64 = 0.001;

/// More than ten times what a server can do teaches nothing more.
const LOAD_MAX: f64 = 10.0;

/// How long clients talk before anything is counted, if nobody says otherwise.
pub(crate) const WARM_UP: Duration = Duration::from_millis(200);

/// What is measured: each scenario, or in place of one that varies, one for
/// each value, which is named after both.
pub(crate) fn expand(
    scenarios: &[Scenario],
    only_usual: bool,
) -> Vec<Scenario> {
    let varies = |name: &String| {
        scenarios.iter().any(|s| s.name == *name && s.sweep.is_some())
    };
    let expanded = scenarios.iter().flat_map(|scenario| {
        let Some(sweep) = &scenario.sweep else {
            return vec![scenario.clone()];
        };
        let usual = sweep.usual.as_ref().filter(|_| only_usual);
        let values = usual.unwrap_or(&sweep.values).iter();
        let points = values.map(|&value| {
            let mut point = scenario.at(sweep, value);
            if let Some(against) = &mut point.against
                && varies(against)
            {
                *against = point_name(against, value);
            }
            point
        });
        points.collect()
    });
    expanded.collect()
}

fn point_name(scenario: &str, value: f64) -> String {
    format!("{scenario}@{value}")
}

impl Scenario {
    /// The name of its file, whatever value of its sweep it is.
    pub(crate) fn base(&self) -> &str {
        self.point.as_ref().map_or(&self.name, |point| &point.of)
    }

    /// Whether the clients that it shows ask at a rate that is given.
    pub(crate) fn is_offered(&self) -> bool {
        let of = self.groups.iter().find(|group| group.name == self.of);
        of.is_some_and(Group::is_open_loop)
    }

    /// One value of what varies, be it among those of the file or not.
    ///
    /// # Errors
    ///
    /// When nothing varies, or can't take this value.
    pub(crate) fn point_at(&self, value: f64) -> Result<Scenario, String> {
        let Some(sweep) = &self.sweep else {
            return Err("nothing varies in it".to_owned());
        };
        let values = vec![value];
        let sweep = Sweep { values, usual: None, ..sweep.clone() };
        let alone = Scenario { sweep: Some(sweep.clone()), ..self.clone() };
        check(&alone)?;
        Ok(alone.at(&sweep, value))
    }

    fn at(&self, sweep: &Sweep, value: f64) -> Scenario {
        let of = self.name.clone();
        let mut scenario = self.clone();
        scenario.name = point_name(&of, value);
        for group in &mut scenario.groups {
            if group.name == sweep.group {
                group
                    .turn(sweep.of, value)
                    .expect("each value was tried when the file was read");
            }
        }
        scenario.groups.retain(|group| group.connections > 0);
        scenario.sweep = None;
        scenario.point = Some(Point { of, value });
        scenario
    }
}

impl Group {
    /// Sets what varies.
    fn turn(&mut self, knob: Knob, value: f64) -> Result<(), String> {
        let whole = |max: usize| match value {
            value
                if value.fract() == 0.0
                    && (0.0..=max as f64).contains(&value) =>
            {
                Ok(value as usize)
            }
            _ => Err(format!("{value} is no whole number up to {max}")),
        };
        match knob {
            Knob::Connections => self.connections = whole(CONNECTIONS_MAX)?,
            Knob::Depth => self.depth = Some(whole(DEPTH_MAX)?),
            Knob::N => self.n = Some(whole(protocol::N_MAX.into())? as u8),
            Knob::Rate => self.rate = Some(value),
            Knob::Load => self.load = Some(value),
        }
        Ok(())
    }

    /// When its clients ask. Those whose rate is a share of a capacity ask as
    /// fast as they can: that is how the capacity is measured.
    pub(crate) fn pace(&self) -> Pace {
        match *self {
            Group { silent: true, .. } => Pace::Silent,
            Group { churn: true, .. } => Pace::Churn,
            Group { rate: Some(rate), .. } => self.open_loop(rate),
            Group { depth, think, .. } => Pace::Closed {
                depth: depth.unwrap_or(1),
                think: think.unwrap_or_default(),
            },
        }
    }

    /// An open loop at so many requests a second.
    pub(crate) fn open_loop(&self, rate: f64) -> Pace {
        let arrivals = self.arrivals.unwrap_or_default();
        Pace::Open { rate, arrivals }
    }

    fn is_open_loop(&self) -> bool {
        self.rate.is_some() || self.load.is_some()
    }
}

impl Knob {
    /// Its name, as in the file.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Knob::Connections => "connections",
            Knob::Depth => "depth",
            Knob::N => "n",
            Knob::Rate => "rate",
            Knob::Load => "load",
        }
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

/// Durations as people write them: `400ms`.
fn n<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<u8>, D::Error> {
    let number = i64::deserialize(deserializer)?;
    let n = u8::try_from(number).ok().filter(|n| *n <= N_MAX);
    let why = || format!("must be a whole number from 0 to {N_MAX}");
    n.map(Some).ok_or_else(|| D::Error::custom(why()))
}

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
    fn a_scenario_comes_back_from_a_record() {
        let points = expand(&[swept()], false);
        let text = serde_json::to_string(&points).unwrap();
        let read: Vec<Scenario> = serde_json::from_str(&text).unwrap();
        assert_eq!(read, points);
    }

    #[test]
    fn a_mistake_in_the_file_is_named() {
        let cases = [
            ("window", "windwo", "unknown field `windwo`"),
            ("question", "name = \"b\"\nquestion", "`name` is for records"),
            ("window = \"1s\"", "window = \"long\"", "line 7"),
            ("window = \"1s\"", "window = \"0s\"", "`window` is zero"),
            ("\"1s\"", "\"400000000000y\"", "`window` must be at most 1day"),
            ("\"100ms\"", "\"2days\"", "`warm_up` must be at most 1day"),
            ("\"50ms\"", "\"2days\"", "`cost` must be at most 1day"),
            ("n = 1", "n = 1\nrate = 1e-30", "must be from 0.000001 to"),
            ("question = \"What is left?\"", "", "missing field `question`"),
            ("cost = \"50ms\"", "", "either n or cost"),
            ("cost = \"50ms\"", "cost = \"1s\"\nn = 1", "either n or cost"),
            ("connections = 2", "connections = 0", "`connections` is 0"),
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

    /// `GOOD`, with long clients that vary in number.
    fn swept() -> Scenario {
        let sweep = r#"
            [sweep]
            group = "long"
            of = "connections"
            values = [0, 1, 4]
            usual = [1]
        "#;
        parse("beside", &format!("{GOOD}{sweep}")).unwrap()
    }

    #[test]
    fn a_sweep_becomes_a_scenario_for_each_value() {
        let points = expand(&[swept()], false);
        let names: Vec<&str> = points.iter().map(|p| &*p.name).collect();
        assert_eq!(names, ["beside@0", "beside@1", "beside@4"]);
        // Without clients, there is no group.
        assert_eq!(points[0].groups.len(), 1);
        assert_eq!(points[2].groups[0].connections, 4);
        assert_eq!(points[2].base(), "beside");
        // `perf2` does not vary.
        assert_eq!(points[2].against.as_deref(), Some("perf2"));
        assert_eq!(expand(&[swept()], true).len(), 1);
    }

    #[test]
    fn what_is_held_against_another_sweep_meets_the_same_value() {
        let mut control = swept();
        control.name = "perf2".to_owned();
        control.against = None;
        let points = expand(&[control, swept()], false);
        assert_eq!(points[5].against.as_deref(), Some("perf2@4"));
    }

    #[test]
    fn a_mistake_in_a_sweep_is_named() {
        let cases = [
            ("\"long\"", "\"short\"", "is nobody"),
            ("\"long\"", "\"middle\"", "no group"),
            ("\"connections\"", "\"clients\"", "unknown variant"),
            ("\"connections\"", "\"depth\"", "depth = 0"),
            ("\"connections\"", "\"n\"", "either n or cost"),
            ("[0, 1, 4]", "[0.5]", "no whole number"),
            ("[0, 1, 4]", "[]", "is empty"),
            ("[1]", "[2]", "not in `values`"),
        ];
        let (head, tail) = (GOOD, "of = \"connections\"");
        for (good, bad, expected) in cases {
            let sweep = format!(
                "[sweep]\ngroup = \"long\"\n{tail}\nvalues = [0, 1, 4]\n\
                 usual = [1]\n"
            );
            let text = format!("{head}{}", sweep.replacen(good, bad, 1));
            let error = parse("beside", &text).unwrap_err();
            assert!(error.contains(expected), "{bad}: {error}");
        }
    }

    #[test]
    fn a_pace_follows_from_the_keys_of_its_group() {
        let think = Duration::from_millis(1);
        let cases = [
            ("", Pace::EAGER),
            ("depth = 16", Pace::Closed { depth: 16, think: Duration::ZERO }),
            ("think = \"1ms\"", Pace::Closed { depth: 1, think }),
            ("churn = true", Pace::Churn),
            (
                "rate = 5.5",
                Pace::Open { rate: 5.5, arrivals: Arrivals::Poisson },
            ),
            (
                "rate = 5.5\narrivals = \"constant\"",
                Pace::Open { rate: 5.5, arrivals: Arrivals::Constant },
            ),
        ];
        for (keys, pace) in cases {
            let text = GOOD.replace("n = 1", &format!("n = 1\n{keys}"));
            let scenario = parse("beside", &text).unwrap();
            assert_eq!(scenario.groups[1].pace(), pace, "{keys}");
        }
        let bad = ["depth = 0", "rate = 0", "load = -1", "depth = 2\nrate = 1"];
        for keys in bad {
            let text = GOOD.replace("n = 1", &format!("n = 1\n{keys}"));
            assert!(parse("beside", &text).is_err(), "{keys}");
        }
    }

    #[test]
    fn the_scenarios_that_are_shipped_can_be_read() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../bench/scenarios");
        let scenarios = read(Path::new(folder)).unwrap();
        assert!(expand(&scenarios, false).len() > scenarios.len());
    }
}
