//! Validation of scenarios, after their files were parsed.

use std::path::Path;
use std::time::Duration;

use toml::de::DeTable;

use crate::base::exit::Usage;
use crate::base::limits::{CONNECTIONS_MAX, TIME_MAX};
use crate::base::printable::one_line;
use crate::model::figure::Figure;
use crate::model::load_plan::{DEPTH_MAX, RATE_MAX, RATE_MIN};
use crate::model::scenarios::schema::{
    ClientGroup, Parameter, Scenario, Sweep,
};

/// The most turns in a round, as a sanity check of a scenario's file.
const TURNS_MAX: u64 = 1_000;

/// The most rounds that a scenario may set, as a sanity check of its file.
const ROUNDS_MAX: u64 = 10_000;

/// Checks what depends on several scenarios. An error comes with the name of
/// the scenario.
pub(crate) fn check_together(
    scenarios: &[Scenario],
) -> Result<(), (&str, Mistake)> {
    for scenario in scenarios {
        let Scenario { name, against, sweep, .. } = scenario;
        let Some(against) = against else { continue };
        let other = scenarios.iter().find(|other| other.name == *against);
        let Some(other) = other else {
            let names = scenarios.iter().map(|other| other.name.as_str());
            let what = format!(
                "`against`: no scenario `{against}`; use one of {}",
                list(names)
            );
            return Err((name, root("against", what)));
        };
        let values = |sweep: &Option<Sweep>| {
            sweep.as_ref().map(|s| (s.values.clone(), s.usual.clone()))
        };
        if other.sweep.is_some() && values(&other.sweep) != values(sweep) {
            let what = format!(
                "`against`: the sweeps of `{against}` and of this scenario \
                 must have the same values"
            );
            return Err((name, root("against", what)));
        }
    }
    for scenario in scenarios {
        let of = Some(&scenario.name);
        if scenario.figures.is_empty()
            && !scenarios.iter().any(|other| other.against.as_ref() == of)
        {
            let what = "`figures` is empty, and no other scenario is compared \
                        `against` this one: nothing would be shown";
            return Err((&scenario.name, root("figures", what)));
        }
    }
    Ok(())
}

/// A mistake in a scenario's file: where it is, and what is wrong.
#[derive(Debug)]
pub(crate) struct Mistake {
    table: Table,
    key: &'static str,
    pub(crate) what: String,
}

/// A table of a scenario's file.
#[derive(Clone, Copy, Debug)]
enum Table {
    Root,
    /// The group with this index.
    Group(usize),
    Sweep,
}

/// Returns a mistake in a top-level key.
pub(crate) fn root(key: &'static str, what: impl Into<String>) -> Mistake {
    Mistake { table: Table::Root, key, what: what.into() }
}

impl Mistake {
    /// Returns the mistake as an error that names the file and the line.
    pub(crate) fn in_file(&self, path: &Path, text: &str) -> Usage {
        let path = path.display();
        let what = one_line(&self.what);
        Usage(match self.line(text) {
            Some(line) => format!("{path}: line {line}: {what}"),
            None => format!("{path}: {what}"),
        })
    }

    /// Returns the line of the key or, if the key is missing, of its table.
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

/// Joins names with commas.
fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

pub(crate) fn check(scenario: &Scenario) -> Result<(), Mistake> {
    let Scenario { groups, figures, against, window, .. } = scenario;
    for (index, group) in groups.iter().enumerate() {
        check_group(group)
            .and_then(|()| check_name(group, &groups[..index]))
            .map_err(|wrong| in_group(groups, index, wrong))?;
    }
    if let Some(sweep) = &scenario.sweep {
        check_sweep(sweep, scenario).map_err(|(key, what)| {
            let what = format!("sweep: {what}");
            Mistake { table: Table::Sweep, key, what }
        })?;
    }
    if scenario.point.is_some() {
        let what = "`point` is for records only; remove it";
        return Err(root("point", what));
    }
    check_measured_group(scenario)?;
    if figures.contains(&Figure::Left) != against.is_some() {
        let key = if against.is_some() { "against" } else { "figures" };
        let what = "`against` and the figure `left` must be used together";
        return Err(root(key, what));
    }
    if window.is_zero() {
        let what = "`window` must be more than 0";
        return Err(root("window", what));
    }
    check_turns(scenario)?;
    check_time("window", *window)
        .and_then(|()| check_time("warm_up", scenario.warm_up))
        .map_err(|(key, what)| root(key, what))
}

/// Checks that there are turns and rounds, or a reason why there are no turns,
/// and that clients which can't pause between turns don't have to.
fn check_turns(scenario: &Scenario) -> Result<(), Mistake> {
    let Scenario { groups, turns, alone, rounds, .. } = scenario;
    if !(1..=TURNS_MAX).contains(turns) {
        let what = format!("`turns` must be from 1 to {TURNS_MAX}");
        return Err(root("turns", what));
    }
    if alone.as_ref().is_some_and(|reason| reason.trim().is_empty()) {
        let what = "give the reason in `alone`, or remove it";
        return Err(root("alone", what));
    }
    if rounds.is_some_and(|rounds| !(1..=ROUNDS_MAX).contains(&rounds)) {
        let what = format!("`rounds` must be from 1 to {ROUNDS_MAX}");
        return Err(root("rounds", what));
    }
    let cannot_pause =
        groups.iter().find(|group| group.churn || group.is_open_loop());
    match (cannot_pause, alone) {
        (Some(group), None) => Err(root(
            "alone",
            format!(
                "the clients of `{}` can't pause between turns; give the \
                 reason in `alone`, and each contestant is measured in one \
                 window per round",
                group.name
            ),
        )),
        _ => Ok(()),
    }
}

/// Checks that the measured group exists, that it can be measured, and that it
/// has the figures.
fn check_measured_group(scenario: &Scenario) -> Result<(), Mistake> {
    let Scenario { groups, measured_group, figures, .. } = scenario;
    let Some(index) =
        groups.iter().position(|group| group.name == *measured_group)
    else {
        let names = list(groups.iter().map(|group| group.name.as_str()));
        let what =
            format!("`of`: no group `{measured_group}`; use one of {names}");
        return Err(root("of", what));
    };
    let measured = &groups[index];
    if measured.silent {
        let what = "`of` names a silent group, which can't be measured";
        let what = what.to_owned();
        return Err(in_group(groups, index, ("silent", what)));
    }
    if measured.apart {
        let what = "`of` names a group `apart`, which can't be measured";
        let what = what.to_owned();
        return Err(in_group(groups, index, ("apart", what)));
    }
    let responds = [Figure::ResponseP50, Figure::ResponseP99];
    if figures.iter().any(|figure| responds.contains(figure))
        && !measured.is_open_loop()
    {
        let what = format!(
            "only an open loop has response times: give group \
             `{measured_group}` a `rate` or a `load`"
        );
        return Err(root("figures", what));
    }
    Ok(())
}

/// A key, and what is wrong with its value.
type Wrong = (&'static str, String);

fn in_group(
    groups: &[ClientGroup],
    index: usize,
    (key, what): Wrong,
) -> Mistake {
    let name = &groups[index].name;
    let what = format!("group `{name}`: {what}");
    Mistake { table: Table::Group(index), key, what }
}

fn check_time(key: &'static str, time: Duration) -> Result<(), Wrong> {
    if time > TIME_MAX {
        let max = humantime::format_duration(TIME_MAX);
        return Err((key, format!("`{key}` must be at most {max}")));
    }
    Ok(())
}

/// Checks that a group's name is unique, and fit for a command line.
fn check_name(
    group: &ClientGroup,
    before: &[ClientGroup],
) -> Result<(), Wrong> {
    let name = &group.name;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if name.is_empty() || !name.chars().all(is_plain) {
        let what = "`name` must consist of letters, digits, - and _";
        return Err(("name", what.to_owned()));
    }
    if before.iter().any(|other| other.name == *name) {
        return Err(("name", "two groups have this name".to_owned()));
    }
    Ok(())
}

fn check_group(group: &ClientGroup) -> Result<(), Wrong> {
    let ClientGroup { n, cost, silent, churn, depth, think, .. } = group;
    let asked = usize::from(n.is_some()) + usize::from(cost.is_some());
    if asked != usize::from(!silent) {
        let key = if *silent && n.is_none() { "cost" } else { "n" };
        let what = "give either `n` or `cost`, or `silent = true`";
        return Err((key, what.to_owned()));
    }
    if !(1..=CONNECTIONS_MAX).contains(&group.connections) {
        let what = format!(
            "`connections` must be from 1 to {CONNECTIONS_MAX}; only a sweep \
             may set it to 0"
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
        let what = "depth or think, rate, load, churn and silent are mutually \
                    exclusive";
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
        let what = "`arrivals` needs `rate` or `load`".to_owned();
        return Err(("arrivals", what));
    }
    Ok(())
}

fn check_sweep(sweep: &Sweep, scenario: &Scenario) -> Result<(), Wrong> {
    let Sweep { parameter, values, usual, .. } = sweep;
    let varied = varied_group(sweep, &scenario.groups)?;
    if values.is_empty() {
        return Err(("values", "`values` is empty".to_owned()));
    }
    for (index, &value) in values.iter().enumerate() {
        let checked = if values[..index].contains(&value) {
            Err("the value is given twice".to_owned())
        } else if let Some(group) = varied {
            check_value(group, *parameter, value, &scenario.measured_group)
        } else {
            scenario.clone().set_workers(value)
        };
        checked.map_err(|error| {
            let what = format!("{} = {value}: {error}", parameter.name());
            ("values", what)
        })?;
    }
    let usual = usual.iter().flatten();
    match usual.into_iter().find(|value| !values.contains(value)) {
        Some(value) => {
            let what = format!("`usual` has {value}, which is not in `values`");
            Err(("usual", what))
        }
        None => Ok(()),
    }
}

/// Returns the client group whose parameter varies, or `None` if the parameter
/// is one of the servers.
fn varied_group<'a>(
    sweep: &Sweep,
    groups: &'a [ClientGroup],
) -> Result<Option<&'a ClientGroup>, Wrong> {
    let parameter = sweep.parameter.name();
    let wrong = |what| Err(("group", what));
    match (sweep.parameter, &sweep.group) {
        (Parameter::Workers, None) => Ok(None),
        (Parameter::Workers, Some(_)) => wrong(format!(
            "`{parameter}` varies the servers, not a client group; remove \
             `group`"
        )),
        (_, None) => wrong(format!(
            "`{parameter}` varies a client group; name it with `group`"
        )),
        (_, Some(name)) => {
            let varied = groups.iter().find(|other| other.name == *name);
            let Some(varied) = varied else {
                let names = list(groups.iter().map(|group| &*group.name));
                return wrong(format!("no group `{name}`; use one of {names}"));
            };
            Ok(Some(varied))
        }
    }
}

/// Checks a client group's parameter at one value of a sweep.
fn check_value(
    group: &ClientGroup,
    parameter: Parameter,
    value: f64,
    measured: &str,
) -> Result<(), String> {
    let mut group = group.clone();
    group.set(parameter, value)?;
    // A sweep may go down to no clients, but not in the measured group.
    if parameter != Parameter::Connections || value != 0.0 {
        return check_group(&group).map_err(|(_, error)| error);
    }
    if group.name == measured {
        return Err(format!("the measured group `{measured}` needs a client"));
    }
    Ok(())
}

/// The lowest `load`: less than a thousandth of the capacity is no load.
const LOAD_MIN: f64 = 0.001;

/// The highest `load`: more than ten times the capacity shows nothing new.
const LOAD_MAX: f64 = 10.0;
