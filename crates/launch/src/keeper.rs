//! Whoever outlives the runner is ended, too.
//!
//! The kernel ends a server when the runner ends, however that was; but not
//! what the server started in its turn. So what was called, the *front*, only
//! starts a *keeper*, which starts the *runner*, which does the work:
//!
//! - if the runner ends, by itself or not, its orphans come to the keeper,
//!   which ends them;
//! - if the front is killed, the kernel tells the keeper, which ends the runner
//!   and then its orphans;
//! - if the keeper is killed, the kernel ends the runner, and the orphans come
//!   to the front, which ends them.

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus};

use rustix::process::{
    Pid, Signal, getpid, getppid, kill_process, set_parent_process_death_signal,
};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::{adopt_orphans, end_children};

/// The first word of the keeper's command line.
const KEEP: &str = "keep";

/// The first word of the runner's.
const KEPT: &str = "kept";

/// What this process is to the others, and the command line that it was called
/// with, as the user typed it.
pub enum Role {
    /// What was called.
    Front(Vec<OsString>),
    /// Waits for the others.
    Keeper {
        /// The front.
        parent: i32,
        /// With the program in front.
        arguments: Vec<OsString>,
    },
    /// Does the work.
    Runner(Vec<OsString>),
}

impl Role {
    /// Finds out. A runner ends with its keeper from then on, and adopts
    /// orphans.
    ///
    /// # Errors
    ///
    /// When a keeper or a runner was called by somebody else.
    pub fn of_this_process() -> io::Result<Role> {
        let mut arguments: Vec<OsString> = env::args_os().collect();
        let word = arguments.get(1).and_then(|word| word.to_str());
        let is_keeper = word == Some(KEEP);
        if !is_keeper && word != Some(KEPT) {
            return Ok(Role::Front(arguments));
        }
        let parent =
            arguments.get(2).and_then(|word| word.to_str()?.parse().ok());
        let itself = || io::Error::other("only this program calls itself so");
        let parent = parent.ok_or_else(itself)?;
        arguments.drain(1..3);
        if is_keeper {
            return Ok(Role::Keeper { parent, arguments });
        }
        end_with(parent, Signal::KILL)?;
        adopt_orphans()?;
        Ok(Role::Runner(arguments))
    }
}

/// Carries out a command line in a runner with a keeper, and says how that
/// ended. An exit code of the keeper's is the runner's, or stands for what the
/// keeper was told of it.
///
/// # Errors
///
/// When this program can't be started once more.
pub fn run_kept(arguments: Vec<OsString>) -> io::Result<ExitStatus> {
    let signals = Signals::new([SIGCHLD, SIGINT, SIGTERM])?;
    adopt_orphans()?;
    let mut command = again(KEEP, arguments)?;
    // So that Ctrl-C comes to each of them once: from here.
    command.process_group(0);
    wait_for(command, signals)
}

/// The keeper's work: carries out a command line in a runner, and says how that
/// ended; by SIGHUP, if the front did.
///
/// # Errors
///
/// As for [`run_kept`].
pub fn keep(parent: i32, arguments: Vec<OsString>) -> io::Result<ExitStatus> {
    let signals = Signals::new([SIGCHLD, SIGINT, SIGTERM, SIGHUP])?;
    end_with(parent, Signal::HUP)?;
    adopt_orphans()?;
    wait_for(again(KEPT, arguments)?, signals)
}

/// Has the kernel send a signal when the parent ends.
fn end_with(parent: i32, signal: Signal) -> io::Result<()> {
    set_parent_process_death_signal(Some(signal))?;
    if getppid() != Pid::from_raw(parent) {
        // It ended before the line above: nobody would signal us.
        return Err(io::Error::other(format!(
            "the process {parent} that started this one is gone"
        )));
    }
    Ok(())
}

/// This program once more, in another role.
fn again(role: &str, arguments: Vec<OsString>) -> io::Result<Command> {
    let program = env::current_exe()?;
    let own = getpid().as_raw_nonzero().to_string();
    let mut command = Command::new(program);
    command.args([role, &own]).args(arguments.into_iter().skip(1));
    Ok(command)
}

/// Starts it, hands signals on, waits for its end, and ends all that it left.
fn wait_for(
    mut command: Command,
    mut signals: Signals,
) -> io::Result<ExitStatus> {
    let mut child = command.spawn()?;
    let ended = end_of(&mut child, &mut signals);
    end_children();
    Ok(ended.unwrap_or(ExitStatus::from_raw(SIGHUP)))
}

/// How it ended; `None` when nobody waits for that any more.
fn end_of(child: &mut Child, signals: &mut Signals) -> Option<ExitStatus> {
    for signal in signals.forever() {
        match signal {
            SIGCHLD => {
                if let Ok(Some(status)) = child.try_wait() {
                    return Some(status);
                }
            }
            SIGHUP => return None,
            signal => {
                let signal = Signal::from_named_raw(signal)?;
                // It fails only for one that has just ended.
                let _ = kill_process(Pid::from_child(child), signal);
            }
        }
    }
    None
}
