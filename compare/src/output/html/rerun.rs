//! The command that measures the figures of a chart again, reconstructed from
//! the record.

use std::path::Path;

use charts::escaped;

use crate::base::workspace;
use crate::model::contestant::{Contestant, Label};
use crate::model::contestants;
use crate::model::invocation::{self, Invocation};
use crate::model::provenance::{Part, Shard};
use crate::model::record::Record;
use crate::model::scenarios::Scenario;

/// Returns the folded command that measures the figures of a chart again.
pub(super) fn folded(record: &Record, points: &[&Scenario]) -> String {
    folded_with(record, points, &[])
}

/// Returns the folded command with additional flags.
pub(super) fn folded_with(
    record: &Record,
    points: &[&Scenario],
    flags: &[&str],
) -> String {
    let lines = commands(record, points, flags);
    let what = match lines.len() {
        1 => "Command to measure this again",
        _ => "Commands to measure this again",
    };
    format!(
        "<details class=\"repeat\"><summary>{what}</summary>\
         <pre><code>{}</code></pre></details>\n",
        escaped(&lines.join("\n"))
    )
}

/// Returns the command for a run, or for a merged record, one command for each
/// part and one that merges them.
fn commands(
    record: &Record,
    points: &[&Scenario],
    flags: &[&str],
) -> Vec<String> {
    if record.parts.is_empty() {
        let alone = Part::of(record, "");
        return of_part(record, &alone, points, flags);
    }
    let mut lines = Vec::new();
    let mut folders = Vec::new();
    for part in &record.parts {
        let points: Vec<&Scenario> = points
            .iter()
            .filter(|point| has_rounds(record, part, point))
            .copied()
            .collect();
        let mut of_part = of_part(record, part, &points, flags);
        for line in &mut of_part {
            folders.push(format!("part-{}", folders.len() + 1));
            *line += &format!(" --out {}", folders[folders.len() - 1]);
            if starts_together(record, part) {
                *line += " --start-at TIME";
            }
        }
        lines.append(&mut of_part);
    }
    let folders = folders.join(" ");
    lines.push(format!("compare merge {folders} --out joined"));
    lines
}

/// Returns `true` if any round of a scenario is from `part`.
fn has_rounds(record: &Record, part: &Part, point: &Scenario) -> bool {
    let mut cells = record.cells.get(&point.name).into_iter().flatten();
    let of_part = part.first_round..part.first_round + part.rounds;
    cells.any(|(_, cell)| {
        cell.rounds.iter().any(|round| of_part.contains(&round.round))
    })
}

/// Returns `true` if a part is the share of one machine in a load by several.
fn starts_together(record: &Record, part: &Part) -> bool {
    let same = record.parts.iter().filter(|other| {
        other.shard.is_some() && other.first_round == part.first_round
    });
    part.shard.is_some() && same.count() > 1
}

fn of_part(
    record: &Record,
    part: &Part,
    points: &[&Scenario],
    flags: &[&str],
) -> Vec<String> {
    let Some(shard) = &part.shard else {
        let run = run(record, part, points, flags);
        return run.into_iter().collect();
    };
    points.iter().map(|point| load(record, part, shard, point)).collect()
}

/// Returns the `compare run` command for a part with servers on this machine,
/// or `None` if the part has none of the points.
fn run(
    record: &Record,
    part: &Part,
    points: &[&Scenario],
    flags: &[&str],
) -> Option<String> {
    let first = points.first()?;
    let invocation = part.invocation.clone().unwrap_or_default();
    let words = ["cargo", "run", "--release", "-p", "compare", "--", "run"];
    let mut words = words.map(str::to_owned).to_vec();
    let mut add = |flag: &str, value: String| {
        words.extend([flag.to_owned(), value]);
    };
    add_contestants(record, &invocation, &mut add);
    let against = record.against(first).map_or("", Scenario::base);
    for path in &invocation.scenario_files {
        if [first.base(), against].iter().any(|name| is_of(path, name)) {
            add("--scenario-file", path.display().to_string());
        }
    }
    add("-s", pattern(points));
    add("--rounds", part.rounds.to_string());
    if let Some(duration) = duration(part, first) {
        add("--duration", duration);
    }
    add("--seed", part.seed.to_string());
    if !invocation.server_cpus.is_empty() {
        add("--server-cpus", list(&invocation.server_cpus));
    }
    if !invocation.load_cpus.is_empty() {
        add("--load-cpus", list(&invocation.load_cpus));
    }
    words.extend(flags.iter().map(|flag| (*flag).to_owned()));
    Some(shell_words::join(words))
}

/// Adds the flags that select the same contestants.
fn add_contestants(
    record: &Record,
    invocation: &Invocation,
    add: &mut impl FnMut(&str, String),
) {
    let (given, others): (Vec<&Contestant>, Vec<&Contestant>) =
        record.contestants().partition(|one| given(one).is_some());
    let names: Vec<&str> = others.iter().map(|one| one.name.as_str()).collect();
    let shipped = shipped().unwrap_or_default();
    let is_shipped =
        |name: &&str| shipped.iter().any(|other| other.name == **name);
    let usual = shipped.iter().filter(|c| c.label == Label::Idiomatic);
    let usual: Vec<&str> = usual.map(|c| c.name.as_str()).collect();
    let file = invocation.contestants.as_ref().map(|p| p.display().to_string());
    // Older records don't contain the name of the file.
    let is_foreign = !shipped.is_empty() && !names.iter().all(is_shipped);
    let file = file.or_else(|| is_foreign.then(|| "FILE".to_owned()));
    let is_usual = file.is_none() && names == usual;
    if let Some(file) = file {
        add("--contestants", file);
    }
    if !is_usual {
        add("-e", any_of(&names));
    }
    for one in given.iter().filter_map(|one| self::given(one)) {
        add("--with", one);
    }
}

/// Returns the value of `--with` that results in the same contestant, if there
/// is one.
fn given(contestant: &Contestant) -> Option<String> {
    let Contestant { name, command, .. } = contestant;
    let text = format!("{name}={}", shell_words::join(command));
    let same = Contestant::given(&text).ok()?;
    (same == *contestant).then_some(text)
}

/// Returns the contestants of this repository.
fn shipped() -> Option<Vec<Contestant>> {
    let root = workspace::root().ok()?;
    contestants::read(&root.join("bench/contestants.toml")).ok()
}

/// Returns the `compare load` command for a load on a server that `compare`
/// didn't start.
fn load(
    record: &Record,
    part: &Part,
    shard: &Shard,
    point: &Scenario,
) -> String {
    let invocation = part.invocation.clone().unwrap_or_default();
    let mut words = vec!["compare".to_owned(), "load".to_owned()];
    let mut add = |flag: &str, value: String| {
        words.extend([flag.to_owned(), value]);
    };
    add("--addr", shard.address.clone());
    let base = point.base();
    let file = invocation.scenario_files.iter().find(|path| is_of(path, base));
    let file = file.map(|path| path.display().to_string());
    add("--scenario", file.unwrap_or_else(|| base.to_owned()));
    if let Some(point) = &point.point {
        add("--at", point.value.to_string());
    }
    let names = record.contestants().map(|one| &one.name);
    for name in names.filter(|name| **name != shard.address) {
        add("--name", name.clone());
    }
    add("--rounds", part.rounds.to_string());
    if let Some(duration) = duration(part, point) {
        add("--duration", duration);
    }
    let times = [
        ("--warm-up", invocation.warm_up),
        ("--reply-timeout", invocation.reply_timeout),
    ];
    for (flag, time) in times {
        if let Some(time) = time {
            add(flag, time);
        }
    }
    add("--seed", part.seed.to_string());
    if !invocation.load_cpus.is_empty() {
        add("--load-cpus", list(&invocation.load_cpus));
    }
    if invocation.server_pid {
        // The process will have another ID; the user fills it in.
        add("--server-pid", "PID".to_owned());
    }
    shell_words::join(words)
}

/// Returns the value of `--duration`. For older records, in which it is
/// unknown, this is the length of the window.
fn duration(part: &Part, point: &Scenario) -> Option<String> {
    match &part.invocation {
        Some(invocation) => invocation.duration.clone(),
        None => Some(invocation::time(point.window)),
    }
}

/// Returns `true` if a file contains the scenario `name`.
fn is_of(path: &Path, name: &str) -> bool {
    path.file_stem().is_some_and(|stem| stem == name)
}

fn list(processors: &[usize]) -> String {
    let list: Vec<String> = processors.iter().map(usize::to_string).collect();
    list.join(",")
}

/// Returns the pattern that selects the measured values of a scenario.
fn pattern(points: &[&Scenario]) -> String {
    let bases: Vec<&str> = points.iter().map(|point| point.base()).collect();
    let values: Option<Vec<String>> = points
        .iter()
        .map(|point| Some(point.point.as_ref()?.value.to_string()))
        .collect();
    match (bases.as_slice(), values) {
        ([base, ..], Some(values)) if values.len() > 1 => {
            let values: Vec<String> =
                values.iter().map(|value| literal(value)).collect();
            format!("^{}@({})$", literal(base), values.join("|"))
        }
        _ => {
            let names: Vec<&str> =
                points.iter().map(|point| point.name.as_str()).collect();
            any_of(&names)
        }
    }
}

/// Returns a pattern that matches only these names.
fn any_of(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| literal(name)).collect();
    match names.as_slice() {
        [] => "^$".to_owned(),
        [one] => format!("^{one}$"),
        several => format!("^({})$", several.join("|")),
    }
}

/// Returns a pattern that matches only this text.
fn literal(text: &str) -> String {
    let mut pattern = String::new();
    for letter in text.chars() {
        if r"\.+*?()|[]{}^$".contains(letter) {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use regex_lite::Regex;

    use super::*;

    #[test]
    fn a_pattern_matches_only_its_names() {
        let cases: [(&[&str], &str); 4] = [
            (&[], "^$"),
            (&["mio"], "^mio$"),
            (&["mio", "c-epoll"], "^(mio|c-epoll)$"),
            (&["a.b (c)"], r"^a\.b \(c\)$"),
        ];
        for (names, expected) in cases {
            let pattern = any_of(names);
            assert_eq!(pattern, expected);
            let pattern = Regex::new(&pattern).unwrap();
            assert!(names.iter().all(|name| pattern.is_match(name)));
            assert!(!pattern.is_match("a-b (c)"));
        }
    }

    #[test]
    fn a_contestant_from_the_command_line_is_passed_with_the_same_flag() {
        let text = "mine=python3 'my server.py' --port {port}";
        let mine = Contestant::given(text).unwrap();
        assert_eq!(given(&mine).as_deref(), Some(text));
        let shipped = Contestant { label: Label::Idiomatic, ..mine };
        assert_eq!(given(&shipped), None);
    }
}
