//! The programs that contestants need, and the versions that they print.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::{env, fs};

use crate::measure::machine;
use crate::model::contestant::Contestant;
use crate::model::reading::Reading;

/// Whether a shell would find the program.
pub(crate) fn is_in_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).map(|folder| folder.join(program)).any(|file| {
        fs::metadata(file).is_ok_and(|file| {
            file.is_file() && file.permissions().mode() & 0o111 != 0
        })
    })
}

/// Those who can take part here, and the others with the reason.
pub(crate) fn able(
    contestants: Vec<Contestant>,
) -> (Vec<Contestant>, Vec<(String, String)>) {
    let mut able = Vec::new();
    let mut skipped = Vec::new();
    for mut contestant in contestants {
        match contestant.find_programs(is_in_path) {
            Ok(()) => able.push(contestant),
            Err(why) => skipped.push((contestant.name, why)),
        }
    }
    (able, skipped)
}

impl Contestant {
    /// What it says of its version, in one line.
    pub(crate) fn tell_version(&self) -> Reading<String> {
        let told = match self.version.split_first() {
            Some((program, arguments)) => {
                machine::output(Command::new(program).args(arguments))
            }
            None if self.build.is_some() => {
                machine::output(Command::new(&self.command[0]).arg("--version"))
            }
            None => Err("it has no command that tells".to_owned()),
        };
        let first = |told: String| told.lines().next().map(str::to_owned);
        Reading::from(told.map(|told| first(told).unwrap_or_default()))
    }
}
