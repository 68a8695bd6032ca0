//! The type of a contestant: a server to measure, and the command that starts
//! it.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// The placeholder in a command for the program that was chosen.
pub(crate) const PROGRAM: &str = "{program}";

/// The placeholder in a command for the executable that was built.
pub(crate) const EXECUTABLE: &str = "{exe}";

/// The placeholder in a contestant's `workers` for their number.
const WORKERS: &str = "{n}";

/// A server to measure.
#[derive(
    schemars::JsonSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize,
)]
#[serde(deny_unknown_fields)]
pub(crate) struct Contestant {
    /// The contestant's name.
    pub(crate) name: String,
    /// The server's program and its arguments.
    pub(crate) command: Vec<String>,
    /// The cargo package that contains the program, if it is one of the
    /// project's servers.
    #[serde(default)]
    pub(crate) build: Option<String>,
    /// The C source file of the program, if it is one of the project's peers.
    #[serde(default)]
    pub(crate) compile: Option<String>,
    /// The command that builds the program in the workspace's folder, if
    /// neither `build` nor `compile` does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) prepare: Vec<String>,
    /// The command that prints the version; by default, for a server with
    /// `build`, the program with the flag `--version`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) version: Vec<String>,
    /// The name of the interpreter or implementation that computes fib, if it
    /// isn't compiled code. A cost is calibrated once for each name, on one of
    /// its contestants, and then is the same n for all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fib: Option<String>,
    /// The arguments that set the number of workers, with `{n}` in its place.
    /// Without them, the contestant has no pool, or one whose size is fixed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) workers: Vec<String>,
    /// Alternative programs: the first one that is installed replaces
    /// `{program}` in `command` and `version`. Without any of them, the
    /// contestant can't take part.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) program: Vec<String>,
    /// Programs that must be installed, or else the contestant can't take part.
    #[serde(default)]
    pub(crate) needs: Vec<String>,
    /// How the server shows that it is ready.
    #[serde(default)]
    pub(crate) ready: Ready,
    /// How the server separates requests.
    #[serde(default, skip_serializing_if = "Framing::is_line")]
    pub(crate) framing: Framing,
    /// The contestant's role in a comparison.
    pub(crate) label: Label,
    /// The properties of the contestant's concurrency model.
    #[serde(default)]
    pub(crate) model: Vec<ModelTrait>,
    /// The flags of the project's servers that the contestant supports; by
    /// default, all of them.
    #[serde(default)]
    pub(crate) flags: Option<Vec<String>>,
    /// The families of conformance cases that the contestant is to pass, by
    /// name; by default, all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) families: Option<Vec<String>>,
}

/// A property of a concurrency model: what it can or can't do, by design.
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
    /// The server serves one client at a time: the second client waits until
    /// the first one has left.
    OneClientAtATime,
    /// The server computes on the thread that waits for its clients.
    ComputesInline,
    /// The server computes on a pool, and serves other clients meanwhile.
    ComputesOnAPool,
    /// The server computes on a pool, but waits for the result on the thread
    /// that waits for its clients.
    WaitsForItsPool,
    /// The server's runtime takes a short read, which urgent data can cause,
    /// for an empty socket.
    StopsAtUrgentData,
    /// The server's pool consists of processes, which it can kill and must
    /// replace.
    WorkerProcesses,
    /// The server has a thread for each client.
    ThreadPerClient,
    /// The server can serve ten thousand clients at once.
    LargeCrowds,
}

/// How a server shows that it is ready.
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
    /// By printing a line with its address to stdout.
    #[default]
    Line,
    /// By accepting connections.
    Port,
    /// By either of the two.
    Either,
}

/// How a server separates requests.
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
    /// Each request is a line.
    #[default]
    Line,
    /// Each request is what one read returns, without an end of line.
    Talk,
}

impl Framing {
    fn is_line(&self) -> bool {
        *self == Framing::Line
    }

    /// Returns the name that files use.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Framing::Line => "line",
            Framing::Talk => "talk",
        }
    }
}

/// The role of a contestant in a comparison.
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
    /// The model as it should be written.
    Idiomatic,
    /// A common mistake, to show its effect.
    Mistake,
    /// A version of the server in the talk.
    Historical,
    /// A contestant that isn't one of the project's ten servers.
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
    /// Returns the name that files use.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Label::Idiomatic => "idiomatic",
            Label::Mistake => "mistake",
            Label::Historical => "historical",
            Label::Peer => "peer",
        }
    }

    /// Returns what the label means, for a legend.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Label::Idiomatic => {
                "the model as it should be written; measured by default"
            }
            Label::Mistake => "a common mistake, to show its effect",
            Label::Historical => "a version of the server in the talk",
            Label::Peer => "not one of the ten servers; for comparison",
        }
    }
}

impl Contestant {
    /// Returns a peer about which only its command is known.
    pub(crate) fn peer(name: String, command: Vec<String>) -> Contestant {
        Contestant {
            name,
            command,
            build: None,
            compile: None,
            prepare: Vec::new(),
            version: Vec::new(),
            fib: None,
            workers: Vec::new(),
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

    /// Chooses the first of the alternative programs that is installed, and
    /// checks that all needed programs are.
    ///
    /// # Errors
    ///
    /// Returns the reason why the contestant can't take part.
    pub(crate) fn find_programs(
        &mut self,
        is_here: impl Fn(&str) -> bool,
    ) -> Result<(), String> {
        let compiler = self.compile.is_some().then_some("cc");
        let mut needs = self.needs.iter().map(String::as_str).chain(compiler);
        if let Some(missing) = needs.find(|program| !is_here(program)) {
            return Err(format!("`{missing}` not found in PATH"));
        }
        let mut choice = self.program.iter();
        match choice.find(|program| is_here(program)).cloned() {
            Some(program) => self.put(PROGRAM, &program),
            None if self.program.is_empty() => {}
            None => {
                let all = self.program.join("`, `");
                return Err(format!("none of `{all}` found in PATH"));
            }
        }
        Ok(())
    }

    /// Replaces the placeholder in the command by the executable that was
    /// built.
    pub(crate) fn put_executable(&mut self, path: &str) {
        self.put(EXECUTABLE, path);
    }

    /// Returns the command that starts the server with this number of workers,
    /// or `None` if the number can't be set.
    pub(crate) fn with_workers(&self, number: usize) -> Option<Vec<String>> {
        if self.workers.is_empty() {
            return None;
        }
        let number = number.to_string();
        let words = self.workers.iter();
        let words = words.map(|word| word.replace(WORKERS, &number));
        Some(self.command.iter().cloned().chain(words).collect())
    }

    fn put(&mut self, placeholder: &str, text: &str) {
        for word in self.command.iter_mut().chain(&mut self.version) {
            *word = word.replace(placeholder, text);
        }
    }

    /// Returns `true` if the contestant's model has this property.
    pub(crate) fn is(&self, what: ModelTrait) -> bool {
        self.model.contains(&what)
    }
}
