//! A submission to an exercise: the command or the file that is checked.

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

/// A placeholder address, for programs that aren't servers.
pub(crate) const NO_ADDRESS: SocketAddr =
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A submission to an exercise: the reader's own command, or a file in the
/// exercise's folder.
pub(crate) struct Submission {
    command: Vec<String>,
    /// The name that is printed: the command, or the path of the file.
    name: String,
}

impl Submission {
    /// Creates a submission from the reader's own command, or from the path of
    /// a TOML file if the exercise asks for one.
    ///
    /// # Errors
    ///
    /// The command or the file doesn't exist.
    pub(crate) fn of_command(
        command: &str,
        exercise: &str,
    ) -> anyhow::Result<Submission> {
        let words = shell_words::split(command)
            .with_context(|| format!("cannot parse the command `{command}`"))?;
        let first = words.first().context("the command is empty")?;
        let starter = file_of(exercise, stem(false))?;
        if starter.extension().is_some_and(|extension| extension == "toml") {
            ensure!(Path::new(first).is_file(), "no such file: `{first}`");
        } else {
            ensure!(is_executable(first), "cannot execute `{first}`");
        }
        Ok(Submission { command: words, name: command.to_owned() })
    }

    /// Creates a submission from the starter or the solution of an exercise. A
    /// Rust program is built first.
    pub(crate) fn of_exercise(
        exercise: &str,
        is_solution: bool,
    ) -> anyhow::Result<Submission> {
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
        Ok(Submission { command, name: name.to_string() })
    }

    /// Returns the command that starts a server, with a placeholder for its
    /// address or port.
    pub(crate) fn server(&self) -> Vec<String> {
        let mut command = self.command.clone();
        let has_placeholder = |word: &String| {
            ["{port}", "{addr}"].iter().any(|place| word.contains(place))
        };
        if !command.iter().any(has_placeholder) {
            command.push("{port}".to_owned());
        }
        command
    }

    /// Runs the submission as a program until it exits, and returns the lines
    /// that it printed.
    pub(crate) fn run(&self, arguments: &[&str]) -> CaseResult<Vec<String>> {
        /// More than any correct program prints.
        const LINES_MAX: usize = 1_000;
        const BYTES_MAX: usize = 1 << 20;
        let launch = Launch::new(self.command.clone());
        let launch = launch.args(arguments.iter().copied());
        let mut process = launch.spawn(NO_ADDRESS)?;
        let deadline = Instant::now() + 2 * PATIENCE;
        let left = || deadline.saturating_duration_since(Instant::now());
        let mut lines = Vec::new();
        let mut bytes = 0;
        while let Some(line) = process.stdout_line(left()) {
            bytes += line.len();
            if lines.len() == LINES_MAX || bytes > BYTES_MAX {
                return Err(CaseFailure::new(format!(
                    "expected a few lines of output\n\
                     got      more than {LINES_MAX} lines or {BYTES_MAX} bytes"
                )));
            }
            lines.push(line.trim_end().to_owned());
        }
        let Some(status) = process.wait(left()) else {
            return Err(CaseFailure::new(
                "expected the program to exit\ngot      it still running",
            ));
        };
        if !status.success() {
            let log = process.log().join("\n");
            return Err(CaseFailure::new(format!(
                "expected exit code 0\ngot      {status}\n{log}"
            )));
        }
        Ok(lines)
    }

    /// Runs the submission with one more argument, the path of a file with
    /// this text, and returns the lines that it printed.
    pub(crate) fn run_on(
        &self,
        arguments: &[&str],
        text: &str,
    ) -> CaseResult<Vec<String>> {
        let (_file, path) = file_with(text)?;
        self.run(&[arguments, &[&path]].concat())
    }

    /// Returns the file, for an exercise whose submission isn't a program.
    pub(crate) fn file(&self) -> &Path {
        Path::new(&self.command[0])
    }
}

impl fmt::Display for Submission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Creates a file with this text. Returns it with its path, which is valid
/// until the file is dropped. The file has no name in any folder, so nothing is
/// left of it, however this process ends.
pub(crate) fn file_with(text: &str) -> io::Result<(File, String)> {
    let mut file = tempfile::tempfile()?;
    file.write_all(text.as_bytes())?;
    let path = format!("/proc/{}/fd/{}", process::id(), file.as_raw_fd());
    Ok((file, path))
}

/// Returns the file name, without its extension, of a starter or a solution.
pub(crate) fn stem(is_solution: bool) -> &'static str {
    if is_solution { "solution" } else { "starter" }
}

/// Returns the starter or the solution of an exercise, whatever its language.
fn file_of(exercise: &str, stem: &str) -> anyhow::Result<PathBuf> {
    let folder = exercises().join(exercise);
    ["rs", "py", "toml"]
        .map(|extension| folder.join(stem).with_extension(extension))
        .into_iter()
        .find(|path| path.is_file())
        .with_context(|| format!("{} has no {stem}", folder.display()))
}

/// Returns `true` if there is such a program, searched for as execvp(3) does.
fn is_executable(program: &str) -> bool {
    let is_program =
        |path: &Path| path.is_file() && access(path, Access::EXEC_OK).is_ok();
    if program.contains('/') {
        return is_program(Path::new(program));
    }
    let folders = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&folders).any(|folder| is_program(&folder.join(program)))
}

/// Builds a program of the workspace with the profile of this one, and returns
/// its path.
pub(crate) fn build(program: &str) -> anyhow::Result<String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
    let output = Command::new(cargo)
        .args(["build", "--quiet", "--locked", "--profile", profile])
        .arg("--message-format=json-render-diagnostics")
        .arg("--manifest-path")
        .arg(workspace().join("Cargo.toml"))
        // `--workspace` builds each dependency with the features that all
        // programs need. Otherwise, cargo would rebuild shared dependencies
        // for each program.
        .args(["--workspace", "--bin", program])
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        bail!("cannot build {program}: see the errors above");
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    let executable = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|message| message["executable"].as_str().map(str::to_owned))
        .next_back();
    executable
        .with_context(|| format!("cargo reported no executable for {program}"))
}

/// Returns the folder of the exercises.
pub(crate) fn exercises() -> PathBuf {
    workspace().join("book/exercises")
}

/// Returns the root of the workspace.
pub(crate) fn workspace() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(3).expect("the crate is inside the workspace")
}
