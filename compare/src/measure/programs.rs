//! The programs that contestants need, and their versions.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

use crate::measure::machine;
use crate::model::contestant::Contestant;
use crate::model::reading::Reading;
use crate::model::record::Entrant;

/// Returns `true` if PATH contains the program.
pub(crate) fn is_in_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| is_program(&folder.join(program)))
}

/// Returns `true` if a command can start with this word: the path of a program,
/// or the name of one in PATH.
pub(crate) fn is_executable(word: &str) -> bool {
    if word.contains('/') {
        is_program(Path::new(word))
    } else {
        is_in_path(word)
    }
}

fn is_program(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|file| {
        file.is_file() && file.permissions().mode() & 0o111 != 0
    })
}

/// Splits the contestants into those that can take part on this machine, and
/// the names of the others with the reason.
pub(crate) fn runnable(
    contestants: Vec<Contestant>,
) -> (Vec<Contestant>, Vec<(String, String)>) {
    let mut runnable = Vec::new();
    let mut skipped = Vec::new();
    for mut contestant in contestants {
        match contestant.find_programs(is_in_path) {
            Ok(()) => runnable.push(contestant),
            Err(why) => skipped.push((contestant.name, why)),
        }
    }
    (runnable, skipped)
}

/// Returns a contestant as one that takes part, with its version.
pub(crate) fn entrant(contestant: Contestant) -> Entrant {
    let version = version(&contestant);
    Entrant::new(contestant, version)
}

/// Returns the first line of the version that a contestant prints.
fn version(contestant: &Contestant) -> Reading<String> {
    let output = match contestant.version.split_first() {
        Some((program, arguments)) => {
            machine::output(Command::new(program).args(arguments))
        }
        None if contestant.build.is_some() => machine::output(
            Command::new(&contestant.command[0]).arg("--version"),
        ),
        None => Err("no `version` command".to_owned()),
    };
    let first = |output: String| output.lines().next().map(str::to_owned);
    Reading::from(output.map(|output| first(output).unwrap_or_default()))
}
