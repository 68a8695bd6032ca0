//! The processes of a server and their threads, as proc(5) shows them.

use std::fs;
use std::path::{Path, PathBuf};

use conformance::Served;

/// The folders in `/proc` of those that have not ended. A server is a process
/// group: it may be a script that starts others, or have worker processes.
pub(crate) fn processes(server: &Served<'_>) -> Vec<PathBuf> {
    let leader = server.pid().as_raw_nonzero().to_string();
    let is_one = |process: &Path| {
        let stat = stat(process);
        let state = stat.first().map(String::as_str);
        stat.get(2) == Some(&leader) && state != Some("Z")
    };
    entries(Path::new("/proc")).filter(|process| is_one(process)).collect()
}

/// The folders in `/proc` of their threads.
pub(crate) fn threads(server: &Served<'_>) -> Vec<PathBuf> {
    let tasks = processes(server).into_iter().map(|p| p.join("task"));
    tasks.flat_map(|tasks| entries(&tasks)).collect()
}

/// The fields of a process or a thread in its `stat`, from the state on. What
/// stands before that, its name, may hold anything.
pub(crate) fn stat(folder: &Path) -> Vec<String> {
    let stat = fs::read_to_string(folder.join("stat")).unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    fields.split_whitespace().map(str::to_owned).collect()
}

/// What is in a folder that may be gone by now.
fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path())
}
