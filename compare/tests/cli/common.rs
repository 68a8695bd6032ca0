//! What several test binaries share: contestants, folders, and calls of
//! `compare`.

// Each binary uses a part of it.
#![allow(dead_code)]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

pub(crate) const COMPARE: &str = env!("CARGO_BIN_EXE_compare");

/// The time after which a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// One scenario and one round, as short as possible.
pub(crate) const SHORT: [&str; 6] =
    ["-s", "perf2", "--rounds", "1", "--duration", "20ms"];

pub(crate) fn contestant(name: &str, fault: &str) -> String {
    format!(
        r#"
[[contestant]]
name = "{name}"
label = "idiomatic"
command = ["{COMPARE}", "faulty", "--listen", "{{addr}}", "--fault", "{fault}"]
"#
    )
}

pub(crate) fn two_good() -> String {
    contestant("good", "none") + &contestant("other", "none")
}

pub(crate) fn compare(contestants: &Path, arguments: &[&str]) -> Output {
    if arguments.first() == Some(&"load") {
        return Command::new(COMPARE).args(arguments).output().unwrap();
    }
    command(contestants, arguments).output().unwrap()
}

pub(crate) fn command(contestants: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(COMPARE);
    command.arg("--contestants").arg(contestants).args(arguments);
    // Put the record and the lock beside the test's other files.
    let folder = contestants.parent().unwrap();
    command.arg("--out").arg(folder.join("out")).env("TMPDIR", folder);
    command
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into()
}

pub(crate) fn read_json(path: &Path) -> Value {
    serde_json::from_reader(File::open(path).unwrap()).unwrap()
}

/// A temporary folder, which is deleted when it is dropped.
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
}

impl Folder {
    pub(crate) fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("compare-{}-{count}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        Folder { path }
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path.join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

impl Folder {
    /// Waits until no process has this folder as its TMPDIR, as all processes
    /// of the run have.
    pub(crate) fn assert_nothing_is_left(&self) {
        let variable = format!("TMPDIR={}", self.path.display());
        let is_ours = |id: &u32| {
            let environment = fs::read(format!("/proc/{id}/environ"));
            let environment = environment.unwrap_or_default();
            let mut variables = environment.split(|&byte| byte == 0);
            variables.any(|one| one == variable.as_bytes())
        };
        wait_until("something is left", || !processes().iter().any(is_ours));
    }
}

pub(crate) fn wait_until(otherwise: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "{otherwise}");
        thread::yield_now();
    }
}

pub(crate) fn rounds_of(cell: &Value) -> Vec<u64> {
    let rounds = cell["rounds"].as_array().unwrap().iter();
    rounds.map(|round| round["round"].as_u64().unwrap()).collect()
}

pub(crate) fn processes() -> Vec<u32> {
    let entries = fs::read_dir("/proc").unwrap().map_while(Result::ok);
    let names = entries.map(|entry| entry.file_name());
    names.filter_map(|name| name.to_str()?.parse().ok()).collect()
}
