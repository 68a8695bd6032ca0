//! Building the contestants: the project's servers with cargo, C sources with
//! cc, and others with their own commands.

use std::collections::HashMap;
use std::env;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use launch::{Launch, Process};
use serde::Deserialize;

use crate::base::interrupt::Interrupt;
use crate::measure::progress::Progress;
use crate::model::contestant::Contestant;

/// How long to wait for a command before checking for Ctrl-C.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// How many of a command's last lines to show if it fails.
const LOG_LINES: usize = 60;

/// An unused address: a build command isn't a server.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// The part of cargo's messages that names the executables.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    target: Option<Target>,
    #[serde(default)]
    executable: Option<String>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

/// Builds what the contestants need, and inserts the paths of the executables
/// into their commands. Returns `false` if interrupted.
///
/// Servers that are built already are taken from the folder of this program if
/// `no_build` is set, or if cargo can't be started.
///
/// # Errors
///
/// Returns an error if a command fails; it contains the command's own messages.
pub(crate) fn build(
    contestants: &mut [Contestant],
    root: &Path,
    no_build: bool,
    progress: &Progress,
    interrupt: &Interrupt,
) -> anyhow::Result<bool> {
    for contestant in &mut *contestants {
        let Some(source) = &contestant.compile else { continue };
        let program = compile(root, source, &["-pthread", "-D_GNU_SOURCE"])?;
        contestant.put_executable(&program);
    }
    for contestant in &*contestants {
        if !contestant.prepare.is_empty() {
            progress.announce(&format!("preparing {}", contestant.name));
            if !prepare(contestant, root, interrupt)? {
                return Ok(false);
            }
        }
    }
    let mut packages: Vec<&str> =
        contestants.iter().filter_map(|c| c.build.as_deref()).collect();
    if packages.is_empty() {
        return Ok(true);
    }
    packages.sort_unstable();
    packages.dedup();
    let executables = if no_build {
        built_before(&packages)?
    } else {
        progress.announce(&format!("building {}", packages.join(", ")));
        match build_packages(root, &packages, progress, interrupt)? {
            Some(executables) => executables,
            None => return Ok(false),
        }
    };
    for contestant in contestants {
        let Some(package) = &contestant.build else { continue };
        let path = executables.get(package).with_context(|| {
            format!(
                "cannot build `{}`: the package `{package}` has no executable \
                 of that name",
                contestant.name
            )
        })?;
        contestant.put_executable(path);
    }
    Ok(true)
}

/// Builds these packages. Returns their executables, by the name of their
/// package, or `None` if interrupted.
fn build_packages(
    root: &Path,
    packages: &[&str],
    progress: &Progress,
    interrupt: &Interrupt,
) -> anyhow::Result<Option<HashMap<String, String>>> {
    let mut executables = HashMap::new();
    for package in packages {
        // Builds each package by itself: cargo unifies the features of the
        // packages that it builds together, so a server would depend on the
        // selection of the others.
        let mut cargo = match start(root, package)? {
            Ok(cargo) => cargo,
            Err(why) if why.is_of_server() => {
                let built = built_before(packages).with_context(|| {
                    format!("{why}; install Rust (https://rustup.rs)")
                })?;
                progress.note(&format!("{why}: using servers built before"));
                return Ok(Some(built));
            }
            Err(why) => return Err(why).context("cannot build the servers"),
        };
        match built_by(&mut cargo, progress, interrupt)? {
            Some(built) => executables.extend(built),
            None => return Ok(None),
        }
    }
    Ok(Some(executables))
}

/// Returns the executables of these packages that are in the folder of this
/// program.
fn built_before(packages: &[&str]) -> anyhow::Result<HashMap<String, String>> {
    let program = env::current_exe().context("cannot find this program")?;
    let folder = program.parent().context("this program is in no folder")?;
    let executables = packages.iter().map(|package| {
        let path = folder.join(package);
        ensure!(path.is_file(), "there is no built {}", path.display());
        let path = path.to_str().context("the path is not UTF-8")?;
        Ok(((*package).to_owned(), path.to_owned()))
    });
    executables.collect()
}

/// Compiles a C source with the flags that distributions use, and `flags`.
/// Returns the path of the result.
///
/// # Errors
///
/// Returns an error with the messages of cc if it fails.
pub(crate) fn compile(
    root: &Path,
    source: &str,
    flags: &[&str],
) -> anyhow::Result<String> {
    let folder = root.join("target/peers");
    fs::create_dir_all(&folder)
        .with_context(|| format!("cannot create {}", folder.display()))?;
    let name = Path::new(source).file_stem();
    let name = name.context("`compile` has no file name")?;
    let program = folder.join(name);
    let output = Command::new("cc")
        // The same alignment as for Rust code: see .cargo/config.toml.
        .args(["-O2", "-falign-functions=64"])
        .args(flags)
        .arg("-o")
        .args([&program, &root.join(source)])
        .output()
        .with_context(|| format!("cannot run cc to compile {source}"))?;
    if !output.status.success() {
        let log = String::from_utf8_lossy(&output.stderr);
        bail!("cannot compile {source} ({}):\n{log}", output.status);
    }
    let program = program.into_os_string().into_string().ok();
    program.context("the path of the executable is not UTF-8")
}

/// Runs a contestant's `prepare` command. Returns `false` if interrupted.
fn prepare(
    contestant: &Contestant,
    root: &Path,
    interrupt: &Interrupt,
) -> anyhow::Result<bool> {
    let name = &contestant.name;
    let root = root.to_str().context("the workspace's path is not UTF-8")?;
    // The command runs in the workspace's folder, not in the current one.
    let shell = ["sh", "-c", "cd \"$0\" && exec \"$@\"", root];
    let command =
        shell.into_iter().chain(contestant.prepare.iter().map(|w| w.as_str()));
    let mut process = Launch::new(command)
        .spawn(NOWHERE)
        .with_context(|| format!("cannot prepare {name}"))?;
    loop {
        if interrupt.is_requested() {
            return Ok(false);
        }
        if let Some(status) = process.wait(POLL_INTERVAL) {
            if !status.success() {
                bail!("cannot prepare {name} ({status}):\n{}", tail(&process));
            }
            return Ok(true);
        }
    }
}

/// Returns the last lines of a command that failed.
fn tail(process: &Process) -> String {
    let log = process.log();
    log[log.len().saturating_sub(LOG_LINES)..].join("\n")
}

/// Starts cargo in the same way as servers, so that it ends with this process.
fn start(
    root: &Path,
    package: &str,
) -> anyhow::Result<Result<Process, launch::Error>> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let manifest = root.join("Cargo.toml");
    let manifest =
        manifest.to_str().context("the workspace's path is not UTF-8")?;
    let command = [
        cargo.as_str(),
        "build",
        "--release",
        "--locked",
        "--message-format=json-render-diagnostics",
        "--manifest-path",
        manifest,
        "--package",
        package,
    ];
    Ok(Launch::new(command).spawn(NOWHERE))
}

/// Returns the executables, by the name of their package, or `None` if
/// interrupted.
fn built_by(
    cargo: &mut Process,
    progress: &Progress,
    interrupt: &Interrupt,
) -> anyhow::Result<Option<HashMap<String, String>>> {
    let mut executables = HashMap::new();
    let mut note = |line: String| {
        let Ok(message) = serde_json::from_str::<Message>(&line) else {
            return;
        };
        let Some(target) = message.target else { return };
        if message.reason != "compiler-artifact" {
            return;
        }
        let is_program = target.kind.iter().any(|kind| kind == "bin");
        progress.building(&target.name);
        if let (true, Some(path)) = (is_program, message.executable) {
            executables.insert(target.name, path);
        }
    };
    let status = loop {
        if interrupt.is_requested() {
            return Ok(None);
        }
        match cargo.stdout_line(POLL_INTERVAL) {
            Some(line) => note(line),
            None => {
                if let Some(status) = cargo.wait(Duration::ZERO) {
                    break status;
                }
            }
        }
    };
    while let Some(line) = cargo.stdout_line(POLL_INTERVAL) {
        note(line);
    }
    if !status.success() {
        bail!("cannot build the servers ({status}):\n{}", tail(cargo));
    }
    Ok(Some(executables))
}
