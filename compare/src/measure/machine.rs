//! Detects the machine that a run takes place on.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::base::control_group;
use crate::model::machine::Machine;
use crate::model::reading::Reading;

/// Describes this machine, and the commit in `root`.
pub(crate) fn describe(root: &Path, allowed: &[usize]) -> Machine {
    let uname = rustix::system::uname();
    let words = [uname.sysname(), uname.release(), uname.machine()];
    let kernel = words.map(|word| word.to_string_lossy()).join(" ");
    Machine {
        processor: Reading::from(field("/proc/cpuinfo", "model name")),
        processors_allowed: allowed.to_vec(),
        processors_quota: control_group::cpu_limits().processors,
        processors_online: Reading::from(processors_online()),
        memory_bytes: Reading::from(memory_bytes()),
        kernel,
        toolchain: Reading::from(output(Command::new("rustc").arg("-V"))),
        git_revision: Reading::from(git(root, &["rev-parse", "HEAD"])),
        git_dirty: Reading::from(
            git(root, &["status", "--porcelain"])
                .map(|changes| !changes.is_empty()),
        ),
    }
}

fn memory_bytes() -> Result<u64, String> {
    let text = field("/proc/meminfo", "MemTotal")?;
    let kib = text.strip_suffix(" kB").and_then(|kib| kib.parse().ok());
    let kib: u64 = kib.ok_or_else(|| format!("MemTotal is `{text}`"))?;
    Ok(kib * 1024)
}

fn processors_online() -> Result<usize, String> {
    let path = "/proc/cpuinfo";
    let text = fs::read_to_string(path)
        .map_err(|error| format!("cannot read {path}: {error}"))?;
    let count = text.lines().filter(|line| line.starts_with("processor"));
    Ok(count.count())
}

/// Returns the value of the first line `name : value`.
fn field(path: &str, name: &str) -> Result<String, String> {
    let text = fs::read_to_string(path)
        .map_err(|error| format!("cannot read {path}: {error}"))?;
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim().to_owned())
        .ok_or_else(|| format!("{path} has no `{name}`"))
}

fn git(root: &Path, arguments: &[&str]) -> Result<String, String> {
    output(Command::new("git").arg("-C").arg(root).args(arguments))
}

/// Returns what a command prints to stdout, without white space at the ends.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output =
        command.output().map_err(|error| format!("{program}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{program}: {}", output.status));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
