//! What a test case is: its name, its requirements, the function that runs
//! it, and the result of that function.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use crate::fixture::Fixture;

/// A test case: one requirement on a server, and the function that checks it.
///
/// Cases are data, so that they can be listed, filtered, and matched with the
/// table of what each model can't do.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// The requirement, as a sentence.
    pub name: &'static str,
    /// The group of cases that this one belongs to.
    pub family: Family,
    /// What the server must have for the case to apply.
    pub(crate) needs: &'static [Need],
    /// The ability that a server proves by passing. A server that lacks it by
    /// design must fail, with [`FailureKind::LacksAbility`].
    pub(crate) proves: Option<Ability>,
    /// Which cases may run at the same time.
    pub(crate) lane: Lane,
    pub(crate) run: fn(&Fixture<'_>) -> CaseResult,
}

impl Case {
    pub(crate) const fn new(
        family: Family,
        name: &'static str,
        run: fn(&Fixture<'_>) -> CaseResult,
    ) -> Case {
        Case { name, family, needs: &[], proves: None, lane: Lane::Shared, run }
    }

    /// Sets what the server must have for the case to apply.
    pub(crate) const fn needs(mut self, needs: &'static [Need]) -> Case {
        self.needs = needs;
        self
    }

    /// Sets the ability that a server proves by passing.
    pub(crate) const fn proves(mut self, ability: Ability) -> Case {
        self.proves = Some(ability);
        self
    }

    /// Moves the case to [`Lane::Computing`].
    pub(crate) const fn computes(mut self) -> Case {
        self.lane = Lane::Computing;
        self
    }

    /// Moves the case to [`Lane::Alone`].
    pub(crate) const fn alone(mut self) -> Case {
        self.lane = Lane::Alone;
        self
    }
}

/// Which cases may run at the same time as a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Any others but those of [`Lane::Alone`]: the case is idle most of the
    /// time.
    Shared,
    /// At most one per core, because the server computes long jobs. With more
    /// jobs than cores, each would take longer than the case assumes.
    Computing,
    /// None: the case measures wall-clock or CPU time, or uses so much of the
    /// machine that it would distort such measurements.
    Alone,
}

/// A group of cases about one part of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Valid requests and their replies.
    Answers,
    /// Malformed requests and their error replies.
    BadLines,
    /// How requests are split into segments or batched, and the order of
    /// replies.
    Shapes,
    /// How connections end: half-close, reset, close, unfinished lines.
    Ends,
    /// Slow and idle clients, and the idle timeout.
    SlowAndIdle,
    /// Many clients at once, and resource limits.
    Crowds,
    /// Start and stop: signals, draining, exit codes, flags.
    Stopping,
    /// Worker processes that die, stop, or take too long.
    Workers,
    /// The framing of the talk's clients, which send no newline.
    Talk,
}

impl Family {
    /// All families, in the order of a report.
    pub const ALL: &'static [Family] = &[
        Family::Answers,
        Family::BadLines,
        Family::Shapes,
        Family::Ends,
        Family::SlowAndIdle,
        Family::Crowds,
        Family::Stopping,
        Family::Workers,
        Family::Talk,
    ];
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Family::Answers => "answers",
            Family::BadLines => "bad lines",
            Family::Shapes => "shapes",
            Family::Ends => "ends",
            Family::SlowAndIdle => "slow and idle",
            Family::Crowds => "crowds",
            Family::Stopping => "stopping",
            Family::Workers => "workers",
            Family::Talk => "talk framing",
        })
    }
}

/// What a server must have for a case to apply to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// This command-line flag.
    Flag(&'static str),
    /// Several clients at a time.
    SeveralClients,
    /// 10,000 clients at a time.
    LargeCrowds,
    /// A pool that computes.
    Pool,
    /// Support for a service manager: socket passing and notification.
    ServiceManager,
    /// A thread for each client.
    ThreadPerClient,
    /// Worker processes.
    Workers,
}

/// An ability that some models lack by design.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ability {
    /// Serving a second client while the first is idle.
    ServeBesideIdle,
    /// Answering `1` while another client's long job runs.
    AnswerBesideLongJob,
    /// Reading the bytes after urgent data without a new readiness event.
    ReadPastUrgentData,
}

/// The result of a case, or of a step of one.
pub type CaseResult<T = ()> = Result<T, CaseFailure>;

/// The reason why a case didn't pass.
#[derive(Debug)]
pub struct CaseFailure {
    pub(crate) kind: FailureKind,
    pub(crate) text: String,
}

/// What a [`CaseFailure`] means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// The server did something other than expected.
    Unexpected,
    /// The server lacks the ability that the case checks.
    LacksAbility,
    /// The case turned out not to apply on this machine.
    NotApplicable,
}

impl CaseFailure {
    /// Returns a failure with this text: what was expected, and what the
    /// server did instead.
    pub fn new(text: impl Into<String>) -> CaseFailure {
        CaseFailure { kind: FailureKind::Unexpected, text: text.into() }
    }

    /// Returns the reason why the case doesn't apply on this machine.
    pub(crate) fn not_applicable(text: String) -> CaseFailure {
        CaseFailure { kind: FailureKind::NotApplicable, text }
    }

    /// Marks the failure as the lack of the ability that the case checks.
    pub(crate) fn lacks_ability(mut self) -> CaseFailure {
        if self.kind == FailureKind::Unexpected {
            self.kind = FailureKind::LacksAbility;
        }
        self
    }

    /// Puts `context` and a colon before the text.
    pub fn context(mut self, context: impl fmt::Display) -> CaseFailure {
        if self.kind == FailureKind::Unexpected {
            self.text = format!("{context}: {}", self.text);
        }
        self
    }
}

impl fmt::Display for CaseFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for CaseFailure {}

impl From<launch::Error> for CaseFailure {
    fn from(error: launch::Error) -> CaseFailure {
        CaseFailure::new(format!("the server {error}"))
    }
}

impl From<std::io::Error> for CaseFailure {
    fn from(error: std::io::Error) -> CaseFailure {
        CaseFailure::new(format!("a connection failed: {error}"))
    }
}

/// Returns `Ok` if `condition` is true, else a failure with the text that
/// `failure` returns.
pub fn check(condition: bool, failure: impl FnOnce() -> String) -> CaseResult {
    if condition { Ok(()) } else { Err(CaseFailure::new(failure())) }
}

/// Waits until `condition` is true, by polling; returns `false` if it still
/// isn't after `timeout`.
///
/// For state that has no event to wait for, such as files in proc(5) or
/// whether a port is open.
pub fn wait_until(
    timeout: Duration,
    mut condition: impl FnMut() -> bool,
) -> bool {
    const PAUSE_MAX: Duration = Duration::from_millis(10);
    let deadline = Instant::now() + timeout;
    let mut pause = Duration::from_micros(50);
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(pause);
        pause = PAUSE_MAX.min(2 * pause);
    }
}
