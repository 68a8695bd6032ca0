//! Who is measured: the servers of `bench/contestants.toml`, each a command.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::exit::Usage;

/// What stands in a command for the executable that `build` made.
pub(crate) const EXECUTABLE: &str = "{exe}";

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
    /// How it shows that it serves.
    #[serde(default)]
    pub(crate) ready: Ready,
    /// What it stands for.
    pub(crate) label: Label,
    /// What its model can and can't do, by design.
    #[serde(default)]
    pub(crate) model: Vec<Trait>,
    /// Which of our servers' flags it has; all of them, if it isn't said.
    #[serde(default)]
    pub(crate) flags: Option<Vec<String>>,
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
        }
    }
}

impl Contestant {
    /// Puts the program that was made for it into its command.
    pub(crate) fn put_executable(&mut self, path: &str) {
        for word in &mut self.command {
            *word = word.replace(EXECUTABLE, path);
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

fn check(contestant: &Contestant) -> Result<(), String> {
    let Contestant { name, command, build, compile, .. } = contestant;
    let has = |placeholder: &str| {
        command.iter().any(|word| word.contains(placeholder))
    };
    if name.is_empty() {
        return Err("a contestant's name is empty".to_owned());
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

    const GOOD: &str = r#"
        [[contestant]]
        name = "threads"
        build = "server-threads"
        command = ["{exe}", "--listen", "{addr}"]
        label = "idiomatic"

        [[contestant]]
        name = "python"
        command = ["python3", "peer.py", "{port}"]
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
            ("label = \"peer\"", "label = \"pear\"", "line 12"),
            ("\"computes-inline\"", "\"inline\"", "line 13"),
            ("ready =", "raedy =", "unknown field `raedy`"),
            ("name = \"python\"\n", "\n", "missing field `name`"),
            ("\"python\"", "\"threads\"", "two contestants"),
            ("\"{port}\"", "\"25000\"", "where to listen"),
            ("build = \"server-threads\"", "", "needs one of `build`"),
            ("\"{exe}\"", "\"server\"", "needs one of `build`"),
            ("[\"python3\", \"peer.py\", \"{port}\"]", "[]", "is empty"),
        ];
        for (good, bad, expected) in cases {
            let text = GOOD.replacen(good, bad, 1);
            let error = parse(&text).unwrap_err();
            assert!(error.contains(expected), "{bad}: {error}");
        }
    }

    #[test]
    fn the_contestants_that_are_shipped_can_be_read() {
        let path =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../bench/contestants.toml");
        assert!(!read(Path::new(path)).unwrap().is_empty());
    }
}
