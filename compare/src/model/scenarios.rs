//! Scenarios, read from `bench/scenarios/*.toml`: which load is applied to the
//! contestants.

mod schema;
mod sweeps;
mod validation;

use std::fs;
use std::path::Path;

use anyhow::Context;

use crate::base::exit::Usage;
pub(crate) use crate::model::scenarios::schema::{
    ClientGroup, Parameter, ROUNDS, Scenario, WARM_UP,
};
pub(crate) use crate::model::scenarios::sweeps::expand;
use crate::model::scenarios::validation::{check, check_together, root};

/// Reads the scenarios of a folder. Scenarios that are compared `against`
/// another one come last; otherwise, they are sorted by name.
///
/// # Errors
///
/// Returns a [`Usage`] error that names the file, the line and the mistake.
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
    // `perf1` before the scenarios that are compared with it. The order of the
    // folder's entries doesn't matter.
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

/// Reads another scenario from a file and adds it. It replaces a scenario of
/// the same name; in that case, the name is returned.
///
/// # Errors
///
/// Returns a [`Usage`] error that names the file, the line and the mistake.
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
            // Another scenario depends on the one that was replaced.
            Usage(format!("{}: {other}: {}", path.display(), mistake.what))
                .into()
        });
    }
    Ok(is_in_place.then_some(name))
}

/// Reads the scenario of one file, without checking it against others.
///
/// # Errors
///
/// Returns a [`Usage`] error that names the file, the line and the mistake.
pub(crate) fn read_one(path: &Path) -> anyhow::Result<Scenario> {
    let text = fs::read_to_string(path)
        .with_context(|| Usage(format!("cannot read {}", path.display())))?;
    Ok(parse(path, &text)?)
}

pub(crate) fn parse(path: &Path, text: &str) -> Result<Scenario, Usage> {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let mut scenario: Scenario = toml::from_str(text)
        .map_err(|error| Usage(format!("{}: {error}", path.display())))?;
    if !scenario.name.is_empty() {
        let what =
            "`name` is for records only: a scenario is named after its file";
        return Err(root("name", what).in_file(path, text));
    }
    scenario.name = name.into_owned();
    if scenario.alone.is_some() && has_key(text, "turns") {
        let what = "`alone` and `turns` are mutually exclusive: a contestant \
                    that is measured alone has no turns";
        return Err(root("turns", what).in_file(path, text));
    }
    check(&scenario).map_err(|mistake| mistake.in_file(path, text))?;
    Ok(scenario)
}

fn has_key(text: &str, key: &str) -> bool {
    toml::from_str::<toml::Table>(text)
        .is_ok_and(|table| table.contains_key(key))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::figure::Figure;
    use crate::model::load_plan::Arrivals;
    use crate::model::load_plan::Pace;

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
    fn a_scenario_is_read_back_from_a_record() {
        let points = expand(&[swept()], false);
        let text = serde_json::to_string(&points).unwrap();
        let read: Vec<Scenario> = serde_json::from_str(&text).unwrap();
        assert_eq!(read, points);
    }

    #[test]
    fn a_mistake_in_the_file_is_reported_with_its_line() {
        let cases = [
            ("window", "windwo", 7, "unknown field `windwo`"),
            ("question", "name = \"b\"\nquestion", 2, "is for records"),
            ("\"1s\"", "\"long\"", 7, "write a time as \"400ms\""),
            ("\"1s\"", "\"0s\"", 7, "`window` must be more than 0"),
            ("\"1s\"", "\"400000000000y\"", 7, "must be at most 1day"),
            ("\"100ms\"", "\"2days\"", 6, "`warm_up` must be at most 1day"),
            ("\"50ms\"", "\"2days\"", 15, "`cost` must be at most 1day"),
            ("n = 1", "n = 1\nrate = 1e-30", 21, "from 0.000001 to"),
            ("n = 1", "n = 46", 20, "from 0 to 45"),
            ("n = 1", "n = 1\ndepth = 0", 21, "from 1 to"),
            ("question = \"What is left?\"", "", 1, "missing field `question`"),
            ("cost = \"50ms\"", "", 12, "either `n` or `cost`"),
            ("cost = \"50ms\"", "cost = \"1s\"\nn = 1", 16, "either `n` or"),
            ("connections = 2", "connections = 0", 19, "from 1 to 1000000"),
            ("connections = 2", "connections = -1", 19, "from 1 to 1000000"),
            ("of = \"short\"", "of = \"other\"", 8, "use one of long, short"),
            ("\"left\", ", "", 9, "must be used together"),
            ("n = 1", "n = 1\napart = true", 21, "can't be measured"),
            ("\"short\"\n        conn", "\"long\"\n conn", 18, "two groups"),
            ("\"long\"", "\"lo:ng\"", 13, "letters, digits, - and _"),
            ("\"long\"", "\"lo\\nng\"", 13, "group `lo\\nng`: `name` must"),
            ("cpus", "workers = 0\n        cpus", 5, "from 1 to 1000"),
            (
                "cpus",
                "rounds = 9223372036854775807\n cpus",
                5,
                "from 1 to 10000",
            ),
            ("\"rate\"", "\"speed\"", 10, "unknown variant `speed`"),
            ("\"shared\"", "\"all\"", 5, "unknown variant `all`"),
            ("cpus", "alone = \" \"\n cpus", 5, "the reason in `alone`"),
            (
                "cpus",
                "alone = \"why\"\nturns = 5\ncpus",
                6,
                "`alone` and `turns` are mutually exclusive",
            ),
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

    /// Returns `GOOD` with a sweep over the number of long clients.
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
    fn a_sweep_expands_to_one_scenario_per_value() {
        let points = expand(&[swept()], false);
        let names: Vec<&str> = points.iter().map(|p| &*p.name).collect();
        assert_eq!(names, ["beside@0", "beside@1", "beside@4"]);
        // A group without clients is left out.
        assert_eq!(points[0].groups.len(), 1);
        assert_eq!(points[2].groups[0].connections, 4);
        assert_eq!(points[2].base(), "beside");
        // `perf2` has no sweep.
        assert_eq!(points[2].against.as_deref(), Some("perf2"));
        assert_eq!(expand(&[swept()], true).len(), 1);
    }

    #[test]
    fn a_point_is_compared_with_the_same_value_of_another_sweep() {
        let mut control = swept();
        control.name = "perf2".to_owned();
        control.against = None;
        let points = expand(&[control, swept()], false);
        assert_eq!(points[5].against.as_deref(), Some("perf2@4"));
    }

    #[test]
    fn a_mistake_in_a_sweep_is_reported() {
        let cases = [
            ("\"long\"", "\"short\"", "group `short` needs a client"),
            ("\"long\"", "\"middle\"", "no group"),
            ("\"connections\"", "\"clients\"", "unknown variant"),
            ("\"connections\"", "\"depth\"", "depth = 0"),
            ("\"connections\"", "\"n\"", "either `n` or `cost`"),
            ("[0, 1, 4]", "[0.5]", "not a whole number"),
            ("[0, 1, 4]", "[]", "is empty"),
            ("[0, 1, 4]", "[1, 4, 1]", "given twice"),
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
    fn a_sweep_over_the_workers_varies_the_servers() {
        let parse = |keys: &str| {
            let sweep = format!("[sweep]\nof = \"workers\"\n{keys}");
            parse_beside(&format!("{GOOD}{sweep}"))
        };
        let points = expand(&[parse("values = [1, 3]").unwrap()], false);
        let workers: Vec<_> = points.iter().map(|p| p.workers).collect();
        assert_eq!(workers, [Some(1), Some(3)]);
        assert_eq!(points[1].name, "beside@3");
        assert_eq!(points[1].groups.len(), 2);
        for (keys, expected) in [
            ("group = \"long\"\nvalues = [1]", "not a client group"),
            ("values = [0]", "workers = 0: 0 is not a whole number from 1"),
            ("values = [1.5]", "1.5 is not a whole number from 1"),
        ] {
            let error = parse(keys).unwrap_err();
            assert!(error.contains(expected), "{keys}: {error}");
        }
        let of_a_group =
            GOOD.to_owned() + "[sweep]\nof = \"connections\"\nvalues = [1]\n";
        let error = parse_beside(&of_a_group).unwrap_err();
        assert!(error.contains("name it with `group`"), "{error}");
    }

    #[test]
    fn a_groups_keys_determine_its_pace() {
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
            // Some of these clients can't pause between turns.
            let text = format!("alone = \"a reason\"\n{text}");
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
    fn the_shipped_scenarios_can_be_read() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../bench/scenarios");
        let scenarios = read(Path::new(folder)).unwrap();
        assert!(expand(&scenarios, false).len() > scenarios.len());
    }

    #[test]
    fn a_scenario_with_fewer_rounds_has_the_same_share_of_a_longer_run() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../bench/scenarios");
        let mut idle = read_one(&Path::new(folder).join("idle.toml")).unwrap();
        idle.rounds = Some(5);
        let rounds = [3, 5, 6, ROUNDS, 16].map(|run| idle.rounds_of(run));
        assert_eq!(rounds, [3, 5, 5, 5, 10]);
        idle.rounds = None;
        assert_eq!(idle.rounds_of(16), 16);
    }
}
