//! What is asked of them: the scenarios of `bench/scenarios/*.toml`.

use std::cmp::Ordering;
use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use charts::Unit;
use protocol::N_MAX_DEFAULT;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use toml::de::DeTable;

use crate::base::exit::Usage;
use crate::base::limits::{CONNECTIONS_MAX, TIME_MAX};
use crate::model::load_plan::{Arrivals, DEPTH_MAX, Pace, RATE_MAX, RATE_MIN};
use crate::model::placement::Cpus;

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
    #[serde(deserialize_with = "connections")]
    pub(crate) connections: usize,
    /// They connect, and never ask.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) silent: bool,
    /// They connect anew for each request.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) churn: bool,
    /// How many requests each client keeps in flight.
    #[serde(
        default,
        deserialize_with = "depth",
        skip_serializing_if = "Option::is_none"
    )]
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
    /// How long a request should take, in milliseconds.
    Cost,
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
    /// The server's threads, at the end of the window.
    Threads,
    /// The rate, as a share of that in the scenario `against`.
    Left,
    /// The response time that half of an open loop's requests stay under.
    ResponseP50,
    /// The response time that 99 of 100 stay under.
    ResponseP99,
}

impl Figure {
    /// All of them, in the order in which they are shown.
    pub(crate) fn all() -> [Figure; 10] {
        [
            Figure::Time,
            Figure::Rate,
            Figure::P50,
            Figure::P99,
            Figure::Cost,
            Figure::Rss,
            Figure::Threads,
            Figure::Left,
            Figure::ResponseP50,
            Figure::ResponseP99,
        ]
    }

    /// Whether a contestant with more of it did better.
    pub(crate) fn more_is_better(self) -> bool {
        matches!(self, Figure::Rate | Figure::Left)
    }

    /// Orders two of it, the better one first.
    pub(crate) fn better_first(self, one: f64, other: f64) -> Ordering {
        let order = one.total_cmp(&other);
        if self.more_is_better() { order.reverse() } else { order }
    }

    /// What it counts, before it is scaled for people.
    pub(crate) fn unit(self) -> Unit {
        match self {
            Figure::Time
            | Figure::P50
            | Figure::P99
            | Figure::ResponseP50
            | Figure::ResponseP99
            | Figure::Cost => Unit::Nanoseconds,
            Figure::Rate => Unit::PerSecond,
            Figure::Rss => Unit::Bytes,
            Figure::Threads => Unit::Threads,
            Figure::Left => Unit::Share,
        }
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
            Figure::Threads => "threads",
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
    if let Err((name, mistake)) = check_together(&scenarios) {
        let path = folder.join(name).with_extension("toml");
        let text = fs::read_to_string(&path).with_context(unreadable)?;
        return Err(mistake.in_file(&path, &text).into());
    }
    Ok(scenarios)
}

/// What one file can't show to be wrong, with the name of the scenario.
fn check_together(scenarios: &[Scenario]) -> Result<(), (&str, Mistake)> {
    for scenario in scenarios {
        let Scenario { name, against, sweep, .. } = scenario;
        let Some(against) = against else { continue };
        let other = scenarios.iter().find(|other| other.name == *against);
        let Some(other) = other else {
            let names = scenarios.iter().map(|other| other.name.as_str());
            let what = format!(
                "`{against}` is no scenario; there are {}",
                list(names)
            );
            return Err((name, root("against", what)));
        };
        let values = |sweep: &Option<Sweep>| {
            sweep.as_ref().map(|s| (s.values.clone(), s.usual.clone()))
        };
        if other.sweep.is_some() && values(&other.sweep) != values(sweep) {
            let what = format!(
                "`{against}`, which it is held against, varies, but over \
                 other values"
            );
            return Err((name, root("against", what)));
        }
    }
    for scenario in scenarios {
        let of = Some(&scenario.name);
        if scenario.figures.is_empty()
            && !scenarios.iter().any(|other| other.against.as_ref() == of)
        {
            let what = "`figures` is empty, and no scenario is held `against` \
                        it: nothing would be shown";
            return Err((&scenario.name, root("figures", what)));
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
    if let Err((other, mistake)) = check_together(scenarios) {
        return Err(if other == name {
            let text = fs::read_to_string(path)?;
            mistake.in_file(path, &text).into()
        } else {
            // One of ours, which needs what the new one has taken the place
            // of.
            Usage(format!("{}: {other}: {}", path.display(), mistake.what))
                .into()
        });
    }
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
    Ok(parse(path, &text)?)
}

fn parse(path: &Path, text: &str) -> Result<Scenario, Usage> {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let mut scenario: Scenario = toml::from_str(text)
        .map_err(|error| Usage(format!("{}: {error}", path.display())))?;
    if !scenario.name.is_empty() {
        let what = "`name` is for records: a file has its own";
        return Err(root("name", what).in_file(path, text));
    }
    scenario.name = name.into_owned();
    check(&scenario).map_err(|mistake| mistake.in_file(path, text))?;
    Ok(scenario)
}

/// What is wrong with a value that has the right form, and where it stands.
#[derive(Debug)]
struct Mistake {
    table: Table,
    key: &'static str,
    what: String,
}

/// A table of a scenario's file.
#[derive(Clone, Copy, Debug)]
enum Table {
    Root,
    /// The group of this index.
    Group(usize),
    Sweep,
}

/// A mistake in the file's own keys.
fn root(key: &'static str, what: impl Into<String>) -> Mistake {
    Mistake { table: Table::Root, key, what: what.into() }
}

impl Mistake {
    fn in_file(&self, path: &Path, text: &str) -> Usage {
        let path = path.display();
        let what = &self.what;
        Usage(match self.line(text) {
            Some(line) => format!("{path}: line {line}: {what}"),
            None => format!("{path}: {what}"),
        })
    }

    /// The line of its key or, where that is missing, of its table.
    fn line(&self, text: &str) -> Option<usize> {
        let root = DeTable::parse(text).ok()?;
        let start_of = |table: &DeTable<'_>, key: &str| {
            let (key, _) = table.get_key_value(key)?;
            Some(key.span().start)
        };
        let root = root.get_ref();
        let start = match self.table {
            Table::Root => start_of(root, self.key),
            Table::Group(index) => {
                let group = root.get("group")?.get_ref().get(index)?;
                let table = group.get_ref().as_table()?;
                start_of(table, self.key).or(Some(group.span().start))
            }
            Table::Sweep => {
                let sweep = root.get("sweep")?;
                let table = sweep.get_ref().as_table()?;
                start_of(table, self.key).or(Some(sweep.span().start))
            }
        };
        Some(text[..start?].matches('\n').count() + 1)
    }
}

/// Names, for a choice among them.
fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

fn check(scenario: &Scenario) -> Result<(), Mistake> {
    let Scenario { groups, of, figures, against, window, .. } = scenario;
    let in_group = |index: usize, (key, what): Wrong| {
        let name = &groups[index].name;
        let what = format!("group `{name}`: {what}");
        Mistake { table: Table::Group(index), key, what }
    };
    for (index, group) in groups.iter().enumerate() {
        check_group(group)
            .and_then(|()| check_name(group, &groups[..index]))
            .map_err(|wrong| in_group(index, wrong))?;
    }
    if let Some(sweep) = &scenario.sweep {
        check_sweep(sweep, groups, of).map_err(|(key, what)| {
            let what = format!("sweep: {what}");
            Mistake { table: Table::Sweep, key, what }
        })?;
    }
    if scenario.point.is_some() {
        let what = "`point` is for records, not for files";
        return Err(root("point", what));
    }
    let Some(index) = groups.iter().position(|group| group.name == *of) else {
        let names = list(groups.iter().map(|group| group.name.as_str()));
        let what = format!("`of`: there is no group `{of}`, but {names}");
        return Err(root("of", what));
    };
    let measured = &groups[index];
    if measured.silent {
        let what = "it is the one to be measured, and silent".to_owned();
        return Err(in_group(index, ("silent", what)));
    }
    if measured.apart {
        let what = "it is to be measured here, and `apart`".to_owned();
        return Err(in_group(index, ("apart", what)));
    }
    let responds = [Figure::ResponseP50, Figure::ResponseP99];
    if figures.iter().any(|figure| responds.contains(figure))
        && !measured.is_open_loop()
    {
        let what = format!(
            "response times are those of an open loop: group `{of}` has \
             neither rate nor load"
        );
        return Err(root("figures", what));
    }
    if figures.contains(&Figure::Left) != against.is_some() {
        let key = if against.is_some() { "against" } else { "figures" };
        let what = "`against` and the figure `left` need each other";
        return Err(root(key, what));
    }
    if window.is_zero() {
        let what = "`window` is zero: nothing would be measured";
        return Err(root("window", what));
    }
    check_time("window", *window)
        .and_then(|()| check_time("warm_up", scenario.warm_up))
        .map_err(|(key, what)| root(key, what))
}

/// A key, and what is wrong with its value.
type Wrong = (&'static str, String);

fn check_time(key: &'static str, time: Duration) -> Result<(), Wrong> {
    if time > TIME_MAX {
        let max = humantime::format_duration(TIME_MAX);
        return Err((key, format!("`{key}` must be at most {max}")));
    }
    Ok(())
}

/// Groups are told apart by their names, also on a command line.
fn check_name(group: &Group, before: &[Group]) -> Result<(), Wrong> {
    let name = &group.name;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if name.is_empty() || !name.chars().all(is_plain) {
        let what = "`name` must be of letters, digits, - and _";
        return Err(("name", what.to_owned()));
    }
    if before.iter().any(|other| other.name == *name) {
        return Err(("name", "two groups have this name".to_owned()));
    }
    Ok(())
}

fn check_group(group: &Group) -> Result<(), Wrong> {
    let Group { n, cost, silent, churn, depth, think, .. } = group;
    let asked = usize::from(n.is_some()) + usize::from(cost.is_some());
    if asked != usize::from(!silent) {
        let key = if *silent && n.is_none() { "cost" } else { "n" };
        let what = "give either n or cost, or else silent";
        return Err((key, what.to_owned()));
    }
    if !(1..=CONNECTIONS_MAX).contains(&group.connections) {
        let what = format!(
            "`connections` must be from 1 to {CONNECTIONS_MAX}; only a sweep \
             may come to 0"
        );
        return Err(("connections", what));
    }
    let paces = [
        ("depth", depth.is_some() || think.is_some()),
        ("rate", group.rate.is_some()),
        ("load", group.load.is_some()),
        ("churn", *churn),
        ("silent", *silent),
    ];
    let mut given = paces.iter().filter(|(_, is_given)| *is_given);
    if let (Some(_), Some((key, _))) = (given.next(), given.next()) {
        let what = "depth or think, rate, load, churn and silent exclude each \
                    other";
        return Err((key, what.to_owned()));
    }
    if depth.is_some_and(|depth| !(1..=DEPTH_MAX).contains(&depth)) {
        let what = format!("`depth` must be from 1 to {DEPTH_MAX}");
        return Err(("depth", what));
    }
    let limits = [
        ("rate", group.rate, RATE_MIN, RATE_MAX),
        ("load", group.load, LOAD_MIN, LOAD_MAX),
    ];
    for (key, value, min, max) in limits {
        if value.is_some_and(|value| !(min..=max).contains(&value)) {
            return Err((key, format!("`{key}` must be from {min} to {max}")));
        }
    }
    check_time("think", think.unwrap_or_default())?;
    check_time("cost", cost.unwrap_or_default())?;
    if group.arrivals.is_some() && !group.is_open_loop() {
        let what = "`arrivals` needs a rate or a load".to_owned();
        return Err(("arrivals", what));
    }
    Ok(())
}

fn check_sweep(
    sweep: &Sweep,
    groups: &[Group],
    measured: &str,
) -> Result<(), Wrong> {
    let Sweep { group, of, values, usual } = sweep;
    let Some(varied) = groups.iter().find(|other| other.name == *group) else {
        let names = list(groups.iter().map(|group| group.name.as_str()));
        let what = format!("there is no group `{group}`, but {names}");
        return Err(("group", what));
    };
    if values.is_empty() {
        return Err(("values", "`values` is empty".to_owned()));
    }
    for (index, &value) in values.iter().enumerate() {
        let what = |error| format!("{} = {value}: {error}", of.name());
        let wrong = |error| ("values", what(error));
        if values[..index].contains(&value) {
            return Err(wrong("it stands there twice".to_owned()));
        }
        let mut group = varied.clone();
        group.turn(*of, value).map_err(wrong)?;
        // No clients at all is a value like others, if others vary.
        if *of == Knob::Connections && value == 0.0 {
            if group.name == measured {
                let error = format!("`of = \"{measured}\"` is nobody then");
                return Err(wrong(error));
            }
        } else {
            check_group(&group).map_err(|(_, error)| wrong(error))?;
        }
    }
    let usual = usual.iter().flatten();
    match usual.into_iter().find(|value| !values.contains(value)) {
        Some(value) => {
            let what = format!("{value} is usual, but not in `values`");
            Err(("usual", what))
        }
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
        check(&alone).map_err(|mistake| mistake.what)?;
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
            Knob::N => self.n = Some(whole(N_MAX_DEFAULT.into())? as u8),
            Knob::Cost => self.cost = Some(milliseconds(value)?),
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
            Knob::Cost => "cost",
            Knob::Rate => "rate",
            Knob::Load => "load",
        }
    }
}

/// A cost; less than a microsecond of it can't be calibrated.
fn milliseconds(value: f64) -> Result<Duration, String> {
    let is_credible = (1e-3..=TIME_MAX.as_secs_f64() * 1e3).contains(&value);
    match is_credible {
        true => Ok(Duration::from_secs_f64(value / 1e3)),
        false => Err("no time, in milliseconds, that can be asked for".into()),
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

fn n<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<u8>, D::Error> {
    // More than that, the servers refuse, unless told otherwise.
    let n = whole(deserializer, 0..=N_MAX_DEFAULT.into())?;
    Ok(Some(n as u8))
}

fn connections<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<usize, D::Error> {
    whole(deserializer, 1..=CONNECTIONS_MAX)
}

fn depth<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<usize>, D::Error> {
    whole(deserializer, 1..=DEPTH_MAX).map(Some)
}

fn whole<'de, D: Deserializer<'de>>(
    deserializer: D,
    range: RangeInclusive<usize>,
) -> Result<usize, D::Error> {
    let number = i64::deserialize(deserializer)?;
    let number = usize::try_from(number).ok().filter(|n| range.contains(n));
    number.ok_or_else(|| {
        let (min, max) = (range.start(), range.end());
        D::Error::custom(format!("must be a whole number from {min} to {max}"))
    })
}

/// Durations as people write them: `400ms`.
mod duration {
    use super::*;

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_duration(&text).map_err(|error| {
            D::Error::custom(format!(
                "{error}: write a time as \"400ms\", \"2s\" or \"1min\""
            ))
        })
    }

    pub(crate) fn serialize<S: Serializer>(
        duration: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let text = humantime::format_duration(*duration).to_string();
        serializer.serialize_str(&text)
    }
}

mod optional_duration {
    use super::*;

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        duration::deserialize(deserializer).map(Some)
    }

    pub(crate) fn serialize<S: Serializer>(
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

    fn parse_beside(text: &str) -> Result<Scenario, String> {
        parse(Path::new("beside.toml"), text).map_err(|error| error.0)
    }

    #[test]
    fn a_scenario_is_read() {
        let scenario = parse_beside(GOOD).unwrap();
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
            ("window", "windwo", 7, "unknown field `windwo`"),
            ("question", "name = \"b\"\nquestion", 2, "is for records"),
            ("\"1s\"", "\"long\"", 7, "write a time as \"400ms\""),
            ("\"1s\"", "\"0s\"", 7, "`window` is zero"),
            ("\"1s\"", "\"400000000000y\"", 7, "must be at most 1day"),
            ("\"100ms\"", "\"2days\"", 6, "`warm_up` must be at most 1day"),
            ("\"50ms\"", "\"2days\"", 15, "`cost` must be at most 1day"),
            ("n = 1", "n = 1\nrate = 1e-30", 21, "from 0.000001 to"),
            ("n = 1", "n = 46", 20, "from 0 to 45"),
            ("n = 1", "n = 1\ndepth = 0", 21, "from 1 to"),
            ("question = \"What is left?\"", "", 1, "missing field `question`"),
            ("cost = \"50ms\"", "", 12, "either n or cost"),
            ("cost = \"50ms\"", "cost = \"1s\"\nn = 1", 16, "either n or"),
            ("connections = 2", "connections = 0", 19, "from 1 to 1000000"),
            ("connections = 2", "connections = -1", 19, "from 1 to 1000000"),
            ("of = \"short\"", "of = \"other\"", 8, "`other`, but long, short"),
            ("\"left\", ", "", 9, "need each other"),
            ("n = 1", "n = 1\napart = true", 21, "to be measured here"),
            ("\"short\"\n        conn", "\"long\"\n conn", 18, "two groups"),
            ("\"long\"", "\"lo:ng\"", 13, "letters, digits, - and _"),
            ("\"rate\"", "\"speed\"", 10, "unknown variant `speed`"),
            ("\"shared\"", "\"all\"", 5, "unknown variant `all`"),
        ];
        for (good, bad, line, expected) in cases {
            let text = GOOD.replacen(good, bad, 1);
            let error = parse_beside(&text).unwrap_err();
            assert!(error.starts_with("beside.toml: "), "{error}");
            assert!(error.contains(expected), "{bad}: {error}");
            let line = format!("line {line}");
            assert!(error.contains(&line), "{bad}: {line}: {error}");
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
        parse_beside(&format!("{GOOD}{sweep}")).unwrap()
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
            ("[0, 1, 4]", "[1, 4, 1]", "it stands there twice"),
            ("[1]", "[2]", "not in `values`"),
        ];
        let (head, tail) = (GOOD, "of = \"connections\"");
        for (good, bad, expected) in cases {
            let sweep = format!(
                "[sweep]\ngroup = \"long\"\n{tail}\nvalues = [0, 1, 4]\n\
                 usual = [1]\n"
            );
            let text = format!("{head}{}", sweep.replacen(good, bad, 1));
            let error = parse_beside(&text).unwrap_err();
            assert!(error.contains(expected), "{bad}: {error}");
            assert!(error.contains("line 2"), "{bad}: {error}");
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
            let scenario = parse_beside(&text).unwrap();
            assert_eq!(scenario.groups[1].pace(), pace, "{keys}");
        }
        let bad = ["depth = 0", "rate = 0", "load = -1", "depth = 2\nrate = 1"];
        for keys in bad {
            let text = GOOD.replace("n = 1", &format!("n = 1\n{keys}"));
            assert!(parse_beside(&text).is_err(), "{keys}");
        }
    }

    #[test]
    fn the_scenarios_that_are_shipped_can_be_read() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../bench/scenarios");
        let scenarios = read(Path::new(folder)).unwrap();
        assert!(expand(&scenarios, false).len() > scenarios.len());
    }
}
