//! A contestant: a server to measure, as a command.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// What stands in a command for the program that was chosen.
pub(crate) const PROGRAM: &str = "{program}";

/// What stands in a command for the executable that `build` made.
pub(crate) const EXECUTABLE: &str = "{exe}";

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
    pub(crate) model: Vec<ModelTrait>,
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
#[schemars(rename = "Trait")]
pub(crate) enum ModelTrait {
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

impl Contestant {
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
    pub(crate) fn is(&self, what: ModelTrait) -> bool {
        self.model.contains(&what)
    }
}
