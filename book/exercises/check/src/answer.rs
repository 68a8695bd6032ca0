//! An answer to an exercise: the command that starts it.

use std::fmt;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use conformance::{Fault, Verdict};
use launch::Launch;
use serde_json::Value;
use tempfile::NamedTempFile;

use crate::exercise::PATIENCE;

/// What is no server needs no address.
pub(crate) const NOWHERE: SocketAddr =
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// An answer to an exercise: somebody's command, or a file of the exercise.
pub(crate) struct Answer {
    command: Vec<String>,
    /// What it is called where one is told of it.
    name: String,
}

impl Answer {
    /// The reader's own command.
    pub(crate) fn of_command(command: &str) -> anyhow::Result<Answer> {
        let words = shell_words::split(command)
            .with_context(|| format!("`{command}` is no command"))?;
        ensure!(!words.is_empty(), "the command is empty");
        Ok(Answer { command: words, name: command.to_owned() })
    }

    /// The starter of an exercise, or its solution: a crate, which is built
    /// first, or else a script or a text.
    pub(crate) fn of_exercise(
        exercise: &str,
        is_solution: bool,
    ) -> anyhow::Result<Answer> {
        let stem = if is_solution { "solution" } else { "starter" };
        let folder = exercises().join(exercise);
        let path = ["rs", "py", "toml"]
            .map(|ending| folder.join(stem).with_extension(ending))
            .into_iter()
            .find(|path| path.is_file())
            .with_context(|| format!("{} has no {stem}", folder.display()))?;
        let text = path.to_str().context("the path is not UTF-8")?.to_owned();
        let command = match path.extension().and_then(|e| e.to_str()) {
            Some("rs") => vec![build(
                &format!("exercise-{exercise}"),
                &format!("{stem}-{exercise}"),
            )?],
            Some("py") => vec!["python3".to_owned(), text],
            _ => vec![text],
        };
        let workspace = workspace();
        let name = path.strip_prefix(workspace).unwrap_or(&path).display();
        Ok(Answer { command, name: name.to_string() })
    }

    /// The command of a server, with a place for its port.
    pub(crate) fn server(&self) -> Vec<String> {
        let mut command = self.command.clone();
        let has_place = |word: &String| {
            ["{port}", "{addr}"].iter().any(|place| word.contains(place))
        };
        if !command.iter().any(has_place) {
            command.push("{port}".to_owned());
        }
        command
    }

    /// Runs it as a program to its end, and gives the lines that it printed.
    pub(crate) fn run(&self, arguments: &[&str]) -> Verdict<Vec<String>> {
        let launch = Launch::new(self.command.clone());
        let launch = launch.args(arguments.iter().copied());
        let mut process = launch.spawn(NOWHERE)?;
        let deadline = Instant::now() + 2 * PATIENCE;
        let left = || deadline.saturating_duration_since(Instant::now());
        let mut lines = Vec::new();
        while let Some(line) = process.stdout_line(left()) {
            lines.push(line.trim_end().to_owned());
        }
        let Some(status) = process.wait(left()) else {
            return Err(Fault::new("expected it to end, but it still runs"));
        };
        if !status.success() {
            let log = process.log().join("\n");
            return Err(Fault::new(format!(
                "expected it to succeed\ngot      {status}\n{log}"
            )));
        }
        Ok(lines)
    }

    /// Runs it with one more argument, a file of this text, and gives what it
    /// printed.
    pub(crate) fn run_on(
        &self,
        arguments: &[&str],
        text: &str,
    ) -> Verdict<Vec<String>> {
        let mut file = NamedTempFile::new()?;
        file.write_all(text.as_bytes())?;
        let path = file.path().to_string_lossy();
        self.run(&[arguments, &[&path]].concat())
    }

    /// The file that it is, where an answer is no program.
    pub(crate) fn file(&self) -> &Path {
        Path::new(&self.command[0])
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Builds a program of a package, as this one was built, and says where it is.
pub(crate) fn build(package: &str, program: &str) -> anyhow::Result<String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
    let output = Command::new(cargo)
        .args(["build", "--quiet", "--locked", "--profile", profile])
        .arg("--message-format=json-render-diagnostics")
        .arg("--manifest-path")
        .arg(workspace().join("Cargo.toml"))
        .args(["--package", package, "--bin", program])
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        bail!("{program} does not compile");
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    let executable = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|message| message["executable"].as_str().map(str::to_owned))
        .next_back();
    executable.context("cargo has built no program")
}

/// Where the exercises are.
pub(crate) fn exercises() -> PathBuf {
    workspace().join("book/exercises")
}

/// Where everything is.
pub(crate) fn workspace() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(3).expect("the crate stands in the workspace")
}
