//! An answer to an exercise: the command that starts it.

use std::env;
use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use conformance::{CaseFailure, CaseResult};
use launch::Launch;
use rustix::fs::{Access, access};
use serde_json::Value;

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
    /// The reader's own command, or text where the exercise is one.
    pub(crate) fn of_command(
        command: &str,
        exercise: &str,
    ) -> anyhow::Result<Answer> {
        let words = shell_words::split(command)
            .with_context(|| format!("`{command}` is no command"))?;
        let first = words.first().context("the command is empty")?;
        let starter = file_of(exercise, stem(false))?;
        if starter.extension().is_some_and(|ending| ending == "toml") {
            ensure!(Path::new(first).is_file(), "there is no file `{first}`");
        } else {
            ensure!(can_be_started(first), "`{first}` cannot be started");
        }
        Ok(Answer { command: words, name: command.to_owned() })
    }

    /// The starter of an exercise, or its solution: a crate, which is built
    /// first, or else a script or a text.
    pub(crate) fn of_exercise(
        exercise: &str,
        is_solution: bool,
    ) -> anyhow::Result<Answer> {
        let stem = stem(is_solution);
        let path = file_of(exercise, stem)?;
        let text = path.to_str().context("the path is not UTF-8")?.to_owned();
        let command = match path.extension().and_then(|e| e.to_str()) {
            Some("rs") => vec![build(&format!("{stem}-{exercise}"))?],
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
    pub(crate) fn run(&self, arguments: &[&str]) -> CaseResult<Vec<String>> {
        /// No right answer prints as much.
        const LINES_MAX: usize = 1_000;
        const BYTES_MAX: usize = 1 << 20;
        let launch = Launch::new(self.command.clone());
        let launch = launch.args(arguments.iter().copied());
        let mut process = launch.spawn(NOWHERE)?;
        let deadline = Instant::now() + 2 * PATIENCE;
        let left = || deadline.saturating_duration_since(Instant::now());
        let mut lines = Vec::new();
        let mut bytes = 0;
        while let Some(line) = process.stdout_line(left()) {
            bytes += line.len();
            if lines.len() == LINES_MAX || bytes > BYTES_MAX {
                return Err(CaseFailure::new(
                    "expected some lines\ngot      more than anybody reads",
                ));
            }
            lines.push(line.trim_end().to_owned());
        }
        let Some(status) = process.wait(left()) else {
            return Err(CaseFailure::new(
                "expected it to end, but it still runs",
            ));
        };
        if !status.success() {
            let log = process.log().join("\n");
            return Err(CaseFailure::new(format!(
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
    ) -> CaseResult<Vec<String>> {
        let (_file, path) = file_of_text(text)?;
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

/// A file of this text, for as long as it is held, and its path. It has no
/// name in any folder, so that nothing is left of it, however this process
/// ends.
pub(crate) fn file_of_text(text: &str) -> io::Result<(File, String)> {
    let mut file = tempfile::tempfile()?;
    file.write_all(text.as_bytes())?;
    let path = format!("/proc/{}/fd/{}", process::id(), file.as_raw_fd());
    Ok((file, path))
}

/// What the files of an answer to an exercise are called.
pub(crate) fn stem(is_solution: bool) -> &'static str {
    if is_solution { "solution" } else { "starter" }
}

/// The file of an exercise that is called so, in whatever language it is.
fn file_of(exercise: &str, stem: &str) -> anyhow::Result<PathBuf> {
    let folder = exercises().join(exercise);
    ["rs", "py", "toml"]
        .map(|ending| folder.join(stem).with_extension(ending))
        .into_iter()
        .find(|path| path.is_file())
        .with_context(|| format!("{} has no {stem}", folder.display()))
}

/// Whether there is such a program, found as the system finds it.
fn can_be_started(program: &str) -> bool {
    let is_program =
        |path: &Path| path.is_file() && access(path, Access::EXEC_OK).is_ok();
    if program.contains('/') {
        return is_program(Path::new(program));
    }
    let folders = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&folders).any(|folder| is_program(&folder.join(program)))
}

/// Builds a program of ours, as this one was built, and says where it is.
pub(crate) fn build(program: &str) -> anyhow::Result<String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
    let output = Command::new(cargo)
        .args(["build", "--quiet", "--locked", "--profile", profile])
        .arg("--message-format=json-render-diagnostics")
        .arg("--manifest-path")
        .arg(workspace().join("Cargo.toml"))
        // Whatever is built, with the features that all of them need: else
        // one would have cargo compile what another depends on anew.
        .args(["--workspace", "--bin", program])
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
