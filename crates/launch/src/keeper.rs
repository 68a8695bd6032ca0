//! Makes sure that no process outlives a program that starts servers.
//!
//! The kernel kills a server when the process that started it ends, however it
//! ended, but not the processes that the server has started. So the program
//! runs as three processes. The one that the user starts, the *front*, only
//! starts a *keeper*. The keeper starts the *runner*, which does the work. All
//! three adopt orphans:
//!
//! - If the runner ends, for whatever reason, its orphans become children of
//!   the keeper, which kills them.
//! - If the front is killed, the kernel signals the keeper, which kills the
//!   runner and then its orphans.
//! - If the keeper is killed, the kernel kills the runner. Its orphans become
//!   children of the front, which kills them.
//!
//! Ctrl-Z suspends the front, the runner, and all that the runner has started,
//! until the front is continued. The keeper is not suspended, so that it still
//! notices the end of the front.

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use nix::sys::signal::{self, SigSet};
use rustix::process::{
    Pid, Signal, getpid, getppid, kill_process, set_parent_process_death_signal,
};
use signal_hook::consts::{
    SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGSTOP, SIGTERM, SIGTSTP, SIGXFSZ,
};
use signal_hook::iterator::Signals;
use signal_hook::{flag, low_level};

use crate::orphans::{continue_descendants, suspend_descendants};
use crate::{adopt_orphans, end_children};

/// The first argument of a keeper.
const KEEP: &str = "keep";

/// The first argument of a runner.
const KEPT: &str = "kept";

/// The role of this process, with the command line that the user typed.
pub enum Role {
    /// The process that the user started.
    Front(Vec<OsString>),
    /// The process that waits for the runner and kills its orphans.
    Keeper {
        /// The process id of the front.
        parent: i32,
        /// The command line, including the program.
        arguments: Vec<OsString>,
    },
    /// The process that does the work.
    Runner(Vec<OsString>),
}

impl Role {
    /// Returns the role of this process, unblocks all signals, and handles
    /// SIGXFSZ. In the role of a runner, this process
    /// adopts orphans from then on, and is killed when its keeper ends.
    ///
    /// # Errors
    ///
    /// Returns an error if a keeper or a runner was not started by this
    /// program.
    pub fn of_this_process() -> io::Result<Role> {
        // The process that started this one may have blocked signals.
        SigSet::all().thread_unblock()?;
        // A file that grows beyond the limit on its size is an error like a
        // full disk.
        flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
        let mut arguments: Vec<OsString> = env::args_os().collect();
        let word = arguments.get(1).and_then(|word| word.to_str());
        let is_keeper = word == Some(KEEP);
        if !is_keeper && word != Some(KEPT) {
            return Ok(Role::Front(arguments));
        }
        // Keeper and runner are not in the terminal's foreground group. Without
        // this, `stty tostop` would stop them at their first line.
        SigSet::from(signal::SIGTTOU).thread_block()?;
        let parent =
            arguments.get(2).and_then(|word| word.to_str()?.parse().ok());
        let parent = parent.ok_or_else(|| {
            io::Error::other(format!(
                "`{KEEP}` and `{KEPT}` are internal; do not use them"
            ))
        })?;
        arguments.drain(1..3);
        if is_keeper {
            return Ok(Role::Keeper { parent, arguments });
        }
        end_with_parent(parent, Signal::KILL)?;
        adopt_orphans()?;
        Ok(Role::Runner(arguments))
    }
}

/// Runs a command line in a runner with a keeper, and returns the keeper's
/// status. The keeper's exit code is that of the runner, or encodes the signal
/// that ended the runner.
///
/// # Errors
///
/// Returns an error if the keeper can't be started.
pub fn run_kept(arguments: Vec<OsString>) -> io::Result<ExitStatus> {
    let signals = Signals::new([SIGCHLD, SIGINT, SIGTERM, SIGTSTP, SIGCONT])?;
    adopt_orphans()?;
    let mut command = command_for(KEEP, arguments)?;
    // In another process group, the keeper gets Ctrl-C only once: forwarded by
    // this process, not by the terminal as well.
    command.process_group(0);
    let send = |keeper, signal| {
        forward(keeper, signal);
        match signal {
            // Returns when the user continues this process.
            SIGTSTP => _ = low_level::raise(SIGSTOP),
            // The keeper, or what it has started, may be suspended.
            SIGINT | SIGTERM => forward(keeper, SIGCONT),
            _ => {}
        }
    };
    run_to_end(command, signals, send)
}

/// Does the work of a keeper: runs a command line in a runner, and returns the
/// runner's status. If the front ends first, the status is that of a process
/// killed by SIGHUP.
///
/// # Errors
///
/// Returns an error if the runner can't be started.
pub fn keep(parent: i32, arguments: Vec<OsString>) -> io::Result<ExitStatus> {
    let signals =
        Signals::new([SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGCONT])?;
    end_with_parent(parent, Signal::HUP)?;
    adopt_orphans()?;
    run_to_end(command_for(KEPT, arguments)?, signals, |runner, signal| {
        match signal {
            SIGTSTP => suspend_descendants(),
            SIGCONT => continue_descendants(),
            signal => forward(runner, signal),
        }
    })
}

/// Sends a signal to a process. Fails only if it has just ended.
fn forward(to: Pid, signal: i32) {
    if let Some(signal) = Signal::from_named_raw(signal) {
        let _ = kill_process(to, signal);
    }
}

/// Makes the kernel send `signal` to this process when its parent ends.
fn end_with_parent(parent: i32, signal: Signal) -> io::Result<()> {
    set_parent_process_death_signal(Some(signal))?;
    if getppid() != Pid::from_raw(parent) {
        // The parent ended before the line above, so no signal would come.
        return Err(io::Error::other(format!(
            "process {parent}, which started this one, has ended"
        )));
    }
    Ok(())
}

/// Returns a command that starts this program in another role.
fn command_for(role: &str, arguments: Vec<OsString>) -> io::Result<Command> {
    let program = env::current_exe()?;
    let own = getpid().as_raw_nonzero().to_string();
    let mut command = Command::new(program);
    command.args([role, &own]).args(arguments.into_iter().skip(1));
    Ok(command)
}

/// Runs `command` to its end, calls `send` with its process id for each signal,
/// and then kills its orphans. Returns its status; if the parent of this
/// process ends first, that of a process killed by SIGHUP.
fn run_to_end(
    mut command: Command,
    mut signals: Signals,
    send: impl Fn(Pid, i32),
) -> io::Result<ExitStatus> {
    let mut child = command.spawn()?;
    let status = wait_and_forward(&mut child, &mut signals, send);
    end_children();
    Ok(status.unwrap_or(ExitStatus::from_raw(SIGHUP)))
}

/// Waits for the child's end and sends it signals. Returns `None` if the
/// parent of this process has ended (SIGHUP), so that no process needs the
/// status.
fn wait_and_forward(
    child: &mut Child,
    signals: &mut Signals,
    send: impl Fn(Pid, i32),
) -> Option<ExitStatus> {
    for signal in signals.forever() {
        match signal {
            SIGCHLD => {
                if let Ok(Some(status)) = child.try_wait() {
                    return Some(status);
                }
            }
            SIGHUP => return None,
            signal => send(Pid::from_child(child), signal),
        }
    }
    None
}
