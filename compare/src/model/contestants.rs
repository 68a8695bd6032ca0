//! Reading contestants from `bench/contestants.toml` and from the command
//! line.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use anyhow::Context;
use conformance::Family;
use serde::Deserialize;

use crate::base::exit::Usage;
use crate::base::printable::one_line;
use crate::model::contestant::{Contestant, EXECUTABLE, PROGRAM};

/// The suffix of an alias: the contestant that takes part a second time.
pub(crate) const ALIAS_SUFFIX: &str = " again";

/// The placeholder in a command for the address to listen on.
const ADDRESS: &str = "{addr}";

/// The placeholder in a command for the port to listen on.
const PORT: &str = "{port}";

/// Reads the contestants of a file.
///
/// # Errors
///
/// Returns a [`Usage`] error that names the file, the line and the mistake.
pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<Contestant>> {
    let text = fs::read_to_string(path).with_context(|| {
        Usage(format!(
            "cannot read the contestants in {}; --contestants names another \
             file",
            path.display()
        ))
    })?;
    parse(&text)
        .map_err(|error| Usage(format!("{}: {error}", path.display())).into())
}

impl Contestant {
    /// Parses a contestant from the command line: `NAME=COMMAND`.
    ///
    /// # Errors
    ///
    /// Returns a [`Usage`] error that names the mistake.
    pub(crate) fn given(text: &str) -> Result<Contestant, Usage> {
        let usage = |what: &str| {
            let text = one_line(text);
            Usage(format!("--with '{text}': {what}"))
        };
        let (name, command) = text
            .split_once('=')
            .ok_or_else(|| usage("expected 'NAME=COMMAND'"))?;
        let command = shell_words::split(command)
            .map_err(|error| usage(&error.to_string()))?;
        let name = name.trim().to_owned();
        let mut contestant = Contestant::peer(name.clone(), command);
        // Its language is unknown, so costs are calibrated for it alone.
        contestant.fib = Some(name);
        check(&contestant).map_err(|error| usage(&error))?;
        Ok(contestant)
    }
}

pub(crate) fn parse(text: &str) -> Result<Vec<Contestant>, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        contestant: Vec<Contestant>,
    }
    let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
    let mut names = HashSet::new();
    for contestant in &file.contestant {
        check(contestant).map_err(|what| one_line(&what))?;
        let name = contestant.name.as_str();
        if !names.insert(name) {
            return Err(format!("two contestants have the name `{name}`"));
        }
    }
    Ok(file.contestant)
}

/// Returns the family of conformance cases with this name.
pub(crate) fn family_named(name: &str) -> Option<Family> {
    Family::ALL.iter().copied().find(|family| family.to_string() == name)
}

fn check(contestant: &Contestant) -> Result<(), String> {
    let Contestant { name, command, build, compile, families, .. } = contestant;
    let has = |placeholder: &str| {
        command.iter().any(|word| word.contains(placeholder))
    };
    if name.is_empty() {
        return Err("a contestant's name is empty".to_owned());
    }
    if name.chars().any(char::is_control) {
        // It would break tables, or reach the terminal as a command.
        return Err(format!("{name:?}: a name has no control characters"));
    }
    if name.ends_with(ALIAS_SUFFIX) {
        return Err(format!(
            "`{name}`: names that end with {ALIAS_SUFFIX:?} are for aliases, \
             which measure noise; choose another name"
        ));
    }
    if command.is_empty() {
        return Err(format!("the command of `{name}` is empty"));
    }
    if !has(ADDRESS) && !has(PORT) {
        return Err(format!(
            "the command of `{name}` has neither {ADDRESS} nor {PORT}: the \
             server would not know where to listen"
        ));
    }
    for family in families.iter().flatten() {
        if family_named(family).is_none() {
            let all: Vec<String> =
                Family::ALL.iter().map(Family::to_string).collect();
            return Err(format!(
                "`{name}`: no family `{family}`; the families are {}",
                all.join(", ")
            ));
        }
    }
    let uses_program = command
        .iter()
        .chain(&contestant.version)
        .any(|word| word.contains(PROGRAM));
    if uses_program == contestant.program.is_empty() {
        return Err(format!(
            "`{name}`: {PROGRAM} in the command or the version and \
             `program`, the list to choose from, must be used together"
        ));
    }
    let made = usize::from(build.is_some()) + usize::from(compile.is_some());
    if made != usize::from(has(EXECUTABLE)) {
        return Err(format!(
            "`{name}`: a command with {EXECUTABLE} needs exactly one of \
             `build` and `compile`; a command without it needs neither"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::contestant::ModelTrait;
    use crate::model::contestant::Ready;

    const GOOD: &str = r#"
        [[contestant]]
        name = "threads"
        build = "server-threads"
        command = ["{exe}", "--listen", "{addr}"]
        label = "idiomatic"

        [[contestant]]
        name = "python"
        program = ["python4", "python3"]
        command = ["{program}", "peer.py", "{port}"]
        ready = "port"
        label = "peer"
        model = ["computes-inline"]
    "#;

    #[test]
    fn a_file_of_contestants_is_read() {
        let contestants = parse(GOOD).unwrap();
        assert_eq!(contestants.len(), 2);
        assert_eq!(contestants[0].build.as_deref(), Some("server-threads"));
        assert_eq!(contestants[0].ready, Ready::Line);
        assert_eq!(contestants[1].ready, Ready::Port);
        assert!(contestants[1].is(ModelTrait::ComputesInline));
    }

    #[test]
    fn a_mistake_in_the_file_is_reported() {
        let cases = [
            ("label = \"peer\"", "label = \"pear\"", "line 13"),
            ("\"computes-inline\"", "\"inline\"", "line 14"),
            ("ready =", "raedy =", "unknown field `raedy`"),
            ("name = \"python\"\n", "\n", "missing field `name`"),
            ("\"python\"", "\"threads\"", "two contestants"),
            ("\"{port}\"", "\"25000\"", "where to listen"),
            ("build = \"server-threads\"", "", "exactly one of `build`"),
            ("\"{exe}\"", "\"server\"", "exactly one of `build`"),
            ("[\"{program}\", \"peer.py\", \"{port}\"]", "[]", "is empty"),
            ("\"{program}\"", "\"python3\"", "must be used together"),
            ("program = [\"python4\", \"python3\"]", "", "used together"),
        ];
        for (good, bad, expected) in cases {
            let text = GOOD.replacen(good, bad, 1);
            let error = parse(&text).unwrap_err();
            assert!(error.contains(expected), "{bad}: {error}");
        }
    }

    #[test]
    fn a_contestant_is_read_from_a_command_line() {
        let text = "mine=python3 'my server.py' --port {port}";
        let mine = Contestant::given(text).unwrap();
        assert_eq!(mine.name, "mine");
        let command = ["python3", "my server.py", "--port", "{port}"];
        assert_eq!(mine.command, command);
        let cases = [
            ("python3 server.py {port}", "expected 'NAME=COMMAND'"),
            ("mine=server", "where to listen"),
            ("=server {port}", "name is empty"),
            ("a\nb=server {port}", "--with 'a\\nb=server {port}': "),
            ("a\nb=server {port}", "no control characters"),
            ("a\u{1b}[2J=server {port}", "no control characters"),
            ("mine='server {port}", "missing closing quote"),
        ];
        for (text, expected) in cases {
            let error = Contestant::given(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_missing_program_is_reported() {
        let mut mine = Contestant::given("mine=server {port}").unwrap();
        assert_eq!(mine.find_programs(|_| true), Ok(()));
        mine.needs = vec!["sh".to_owned(), "no-such-program".to_owned()];
        let why = mine.find_programs(|name| name == "sh").unwrap_err();
        assert_eq!(why, "`no-such-program` not found in PATH");
    }

    #[test]
    fn the_first_installed_program_is_chosen() {
        let cases: [(&[&str], Result<&str, &str>); 4] = [
            (&["python3", "python4"], Ok("python4")),
            (&["python4"], Ok("python4")),
            (&["python3"], Ok("python3")),
            (&["perl"], Err("none of `python4`, `python3` found in PATH")),
        ];
        for (here, expected) in cases {
            let mut python = parse(GOOD).unwrap().remove(1);
            python.version = vec![PROGRAM.to_owned(), "--version".to_owned()];
            let found = python.find_programs(|name| here.contains(&name));
            match expected {
                Ok(program) => {
                    assert_eq!(found, Ok(()));
                    assert_eq!(python.command[0], program);
                    assert_eq!(python.version[0], program);
                }
                Err(why) => assert!(found.unwrap_err().contains(why)),
            }
        }
    }

    #[test]
    fn the_number_of_workers_is_added_to_the_command() {
        let mut mine = Contestant::given("mine=server {port}").unwrap();
        assert_eq!(mine.with_workers(3), None);
        mine.workers = vec!["--pool={n}".to_owned()];
        let command = ["server", "{port}", "--pool=3"].map(str::to_owned);
        assert_eq!(mine.with_workers(3), Some(command.to_vec()));
    }

    #[test]
    fn the_shipped_contestants_can_be_read() {
        let path =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../bench/contestants.toml");
        assert!(!read(Path::new(path)).unwrap().is_empty());
    }
}
