//! Whoever outlives the runner is ended, too.
//!
//! The kernel ends a server when the runner ends, however that was; but not
//! what the server started in its turn. So a small process waits beside the
//! runner for the end of a pipe: no way to end the runner leaves it open.

use std::env;
use std::io::{self, BufRead, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process_group};

/// The process that waits, as the runner sees it.
pub(crate) struct Keeper {
    child: Child,
    /// Closing it is the signal.
    pipe: Option<ChildStdin>,
}

impl Keeper {
    /// Starts it.
    ///
    /// # Errors
    ///
    /// When this program can't be started once more.
    pub(crate) fn start() -> anyhow::Result<Keeper> {
        let program = env::current_exe().context("which program is this?")?;
        let mut child = Command::new(program)
            .arg("keep")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            // Out of the way of Ctrl-C.
            .process_group(0)
            .spawn()
            .context("cannot start a process that ends the others")?;
        let pipe = child.stdin.take();
        Ok(Keeper { child, pipe })
    }

    /// Ends this process group when the runner ends.
    pub(crate) fn watch(&mut self, group: Pid) {
        self.tell(group.as_raw_nonzero().get());
    }

    /// There are no such groups any more.
    pub(crate) fn forget(&mut self) {
        self.tell(0);
    }

    fn tell(&mut self, group: i32) {
        if let Some(pipe) = &mut self.pipe {
            // Without a keeper, the runner does its work all the same.
            let _ = writeln!(pipe, "{group}");
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.pipe = None;
        let _ = self.child.wait();
    }
}

/// `compare keep`: waits for the end of stdin, then ends the process groups
/// that its lines named since the last 0.
pub(crate) fn keep() {
    let mut groups = Vec::new();
    for line in io::stdin().lock().lines().map_while(Result::ok) {
        match line.parse().ok().and_then(Pid::from_raw) {
            Some(group) => groups.push(group),
            None => groups.clear(),
        }
    }
    for group in groups {
        // It fails only for a group that has ended already.
        let _ = kill_process_group(group, Signal::KILL);
    }
}
