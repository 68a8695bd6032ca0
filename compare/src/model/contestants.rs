//! Who is measured: the servers of `bench/contestants.toml`, each a command.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use anyhow::Context;
use clap::ValueEnum;
use conformance::Family;
use serde::{Deserialize, Serialize};

use crate::base::exit::Usage;

/// What stands in a command for the executable that `build` made.
pub(crate) const EXECUTABLE: &str = "{exe}";

/// What stands in a command for the program that was chosen.
const PROGRAM: &str = "{program}";

/// Added to the name of the contestant that takes part a second time.
pub(crate) const AGAIN: &str = " again";

/// What stands in a command for the address to listen on.
const ADDRESS: &str = "{addr}";

/// The same, for the port alone.
const PORT: &str = "{port}";

/// A server to measure.
#[derive(
    schemars::JsonSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize,
)]
#[serde(deny_unknown_fields)]
pub(crate) struct Contestant {
    /// The name under which its figures stand.
    pub(crate) name: String,
    /// The program and its arguments.
    pub(crate) command: Vec<String>,
    /// The cargo package that makes the program, if it is one of ours.
    #[serde(default)]
    pub(crate) build: Option<String>,
    /// The C source that makes the program, if it is a peer of ours.
    #[serde(default)]
    pub(crate) compile: Option<String>,
    /// The command that makes it, in the workspace's folder, if it is neither
    /// of the two.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) prepare: Vec<String>,
    /// The command that prints its version; of our own servers, if it isn't
    /// said, the flag `--version`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) version: Vec<String>,
    /// Whose fib it computes with, if that is not compiled: all contestants
    /// with this name here are asked for the same n in place of a cost, which
    /// is calibrated on one of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fib: Option<String>,
    /// Programs of which the first that is there stands for `{program}` in
    /// the command and the version; without any, it can't run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) program: Vec<String>,
    /// Programs that must be there for it to run.
    #[serde(default)]
    pub(crate) needs: Vec<String>,
    /// How it shows that it serves.
    #[serde(default)]
    pub(crate) ready: Ready,
    /// How it tells requests apart.
    #[serde(default, skip_serializing_if = "Framing::is_line")]
    pub(crate) framing: Framing,
    /// What it stands for.
    pub(crate) label: Label,
    /// What its model can and can't do, by design.
    #[serde(default)]
    pub(crate) model: Vec<Trait>,
    /// Which of our servers' flags it has; all of them, if it isn't said.
    #[serde(default)]
    pub(crate) flags: Option<Vec<String>>,
    /// Which families of the conformance suite it claims to pass, by name;
    /// all of them, if it isn't said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) families: Option<Vec<String>>,
}

/// What a model can or can't do, by design.
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
pub(crate) enum Trait {
    /// The second client waits until the first has left.
    OneClientAtATime,
    /// It computes where it should wait for its clients.
    ComputesInline,
    /// It computes on a pool, and answers others meanwhile.
    ComputesOnAPool,
    /// It computes on a pool, but waits for it where it should wait for its
    /// clients.
    WaitsForItsPool,
    /// Its runtime takes a short read, such as urgent data causes, for an
    /// empty socket.
    StopsAtUrgentData,
    /// Its pool is one of processes, which it can kill and must replace.
    WorkerProcesses,
    /// It has a thread for each client.
    ThreadPerClient,
    /// Ten thousand clients at once are within its means.
    LargeCrowds,
}

/// How a server shows that it serves.
#[derive(
    schemars::JsonSchema,
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Deserialize,
    Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ready {
    /// By a line on stdout that holds its address.
    #[default]
    Line,
    /// By accepting connections.
    Port,
    /// Whichever comes first.
    Either,
}

/// How a server tells requests apart.
#[derive(
    schemars::JsonSchema,
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Deserialize,
    Serialize,
    ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Framing {
    /// Each is a line.
    #[default]
    Line,
    /// Each is what one read returns, without an end of line.
    Talk,
}

impl Framing {
    fn is_line(&self) -> bool {
        *self == Framing::Line
    }

    /// Its name, as in the file.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Framing::Line => "line",
            Framing::Talk => "talk",
        }
    }
}

/// What a contestant stands for.
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
pub(crate) enum Label {
    /// As one would write it.
    Idiomatic,
    /// As one should not.
    Mistake,
    /// As it was once written.
    Historical,
    /// From another house.
    Peer,
}

impl From<Ready> for launch::Ready {
    fn from(ready: Ready) -> launch::Ready {
        match ready {
            Ready::Line => launch::Ready::Line,
            Ready::Port => launch::Ready::Port,
            Ready::Either => launch::Ready::Either,
        }
    }
}

impl Contestant {
    /// One that a user names at the command line, as `NAME=COMMAND`.
    ///
    /// # Errors
    ///
    /// A [`Usage`] error says what is wrong with it.
    pub(crate) fn given(text: &str) -> Result<Contestant, Usage> {
        let usage = |what: &str| Usage(format!("--with '{text}': {what}"));
        let (name, command) = text
            .split_once('=')
            .ok_or_else(|| usage("expected 'NAME=COMMAND'"))?;
        let command = shell_words::split(command)
            .map_err(|error| usage(&error.to_string()))?;
        let name = name.trim().to_owned();
        let mut contestant = Contestant::peer(name.clone(), command);
        // Nobody knows in what it is written.
        contestant.fib = Some(name);
        check(&contestant).map_err(|error| usage(&error))?;
        Ok(contestant)
    }

    /// One from another house, of which nothing is known but its command.
    pub(crate) fn peer(name: String, command: Vec<String>) -> Contestant {
        Contestant {
            name,
            command,
            build: None,
            compile: None,
            prepare: Vec::new(),
            version: Vec::new(),
            fib: None,
            program: Vec::new(),
            needs: Vec::new(),
            ready: Ready::Either,
            framing: Framing::Line,
            label: Label::Peer,
            model: Vec::new(),
            flags: Some(Vec::new()),
            families: None,
        }
    }

    /// Chooses its program, and looks for what it needs.
    ///
    /// # Errors
    ///
    /// Why it can't take part.
    pub(crate) fn find_programs(
        &mut self,
        is_here: impl Fn(&str) -> bool,
    ) -> Result<(), String> {
        let compiler = self.compile.is_some().then_some("cc");
        let mut needs = self.needs.iter().map(String::as_str).chain(compiler);
        if let Some(missing) = needs.find(|program| !is_here(program)) {
            return Err(format!("it needs `{missing}`, which is not here"));
        }
        let mut choice = self.program.iter();
        match choice.find(|program| is_here(program)).cloned() {
            Some(program) => self.put(PROGRAM, &program),
            None if self.program.is_empty() => {}
            None => {
                let all = self.program.join("`, `");
                return Err(format!("it needs one of `{all}`: none is here"));
            }
        }
        Ok(())
    }

    /// Puts the program that was made for it into its command.
    pub(crate) fn put_executable(&mut self, path: &str) {
        self.put(EXECUTABLE, path);
    }

    fn put(&mut self, placeholder: &str, text: &str) {
        for word in self.command.iter_mut().chain(&mut self.version) {
            *word = word.replace(placeholder, text);
        }
    }

    /// Whether its model is like that.
    pub(crate) fn is(&self, what: Trait) -> bool {
        self.model.contains(&what)
    }
}

impl Label {
    /// Its name, as in the file.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Label::Idiomatic => "idiomatic",
            Label::Mistake => "mistake",
            Label::Historical => "historical",
            Label::Peer => "peer",
        }
    }
}

/// Reads the contestants of a file.
///
/// # Errors
///
/// A [`Usage`] error names the file, the line and what is wrong with it.
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

fn parse(text: &str) -> Result<Vec<Contestant>, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        contestant: Vec<Contestant>,
    }
    let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
    let mut names = HashSet::new();
    for contestant in &file.contestant {
        check(contestant)?;
        let name = contestant.name.as_str();
        if !names.insert(name) {
            return Err(format!("two contestants have the name `{name}`"));
        }
    }
    Ok(file.contestant)
}

/// The family of that name.
pub(crate) fn family_of(name: &str) -> Option<Family> {
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
    if name.ends_with(AGAIN) {
        return Err(format!(
            "`{name}`: names with{AGAIN:?} at their end are for contestants \
             that take part a second time, as the measure of noise"
        ));
    }
    if command.is_empty() {
        return Err(format!("the command of `{name}` is empty"));
    }
    if !has(ADDRESS) && !has(PORT) {
        return Err(format!(
            "the command of `{name}` has neither {ADDRESS} nor {PORT}: it \
             would not know where to listen"
        ));
    }
    for family in families.iter().flatten() {
        if family_of(family).is_none() {
            let all: Vec<String> =
                Family::ALL.iter().map(Family::to_string).collect();
            return Err(format!(
                "`{name}`: there is no family `{family}`; there are {}",
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
            "`{name}`: {PROGRAM} in the command or the version needs \
             `program`, a list to choose from, and that needs it"
        ));
    }
    let made = usize::from(build.is_some()) + usize::from(compile.is_some());
    if made != usize::from(has(EXECUTABLE)) {
        return Err(format!(
            "`{name}`: {EXECUTABLE} in the command needs one of `build` and \
             `compile`, and each of them needs it"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::programs;

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
        assert!(contestants[1].is(Trait::ComputesInline));
    }

    #[test]
    fn a_mistake_in_the_file_is_named_with_its_line() {
        let cases = [
            ("label = \"peer\"", "label = \"pear\"", "line 13"),
            ("\"computes-inline\"", "\"inline\"", "line 14"),
            ("ready =", "raedy =", "unknown field `raedy`"),
            ("name = \"python\"\n", "\n", "missing field `name`"),
            ("\"python\"", "\"threads\"", "two contestants"),
            ("\"{port}\"", "\"25000\"", "where to listen"),
            ("build = \"server-threads\"", "", "needs one of `build`"),
            ("\"{exe}\"", "\"server\"", "needs one of `build`"),
            ("[\"{program}\", \"peer.py\", \"{port}\"]", "[]", "is empty"),
            ("\"{program}\"", "\"python3\"", "and that needs it"),
            ("program = [\"python4\", \"python3\"]", "", "needs `program`"),
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
            ("mine='server {port}", "missing closing quote"),
        ];
        for (text, expected) in cases {
            let error = Contestant::given(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_program_that_is_not_there_is_missed() {
        let mut mine = Contestant::given("mine=server {port}").unwrap();
        assert_eq!(mine.find_programs(programs::is_in_path), Ok(()));
        mine.needs = vec!["sh".to_owned(), "no-such-program".to_owned()];
        let why = mine.find_programs(programs::is_in_path).unwrap_err();
        assert_eq!(why, "it needs `no-such-program`, which is not here");
    }

    #[test]
    fn the_first_program_that_is_there_is_chosen() {
        let cases: [(&[&str], Result<&str, &str>); 4] = [
            (&["python3", "python4"], Ok("python4")),
            (&["python4"], Ok("python4")),
            (&["python3"], Ok("python3")),
            (&["perl"], Err("one of `python4`, `python3`: none is here")),
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
    fn the_contestants_that_are_shipped_can_be_read() {
        let path =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../bench/contestants.toml");
        assert!(!read(Path::new(path)).unwrap().is_empty());
    }
}
