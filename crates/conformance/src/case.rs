//! A case: a name that is a sentence, what it needs, and how it is played.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use crate::stage::Stage;

/// One thing that a server must do.
///
/// A case is data, so that the table of all of them can be listed, filtered
/// and laid against the table of what a model can't do.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// What must be true, as a sentence.
    pub name: &'static str,
    /// What it is about.
    pub family: Family,
    pub(crate) needs: &'static [Need],
    /// What a server shows by passing. One that can't do it by design must
    /// fail, and by [`FaultKind::Unable`].
    pub(crate) shows: Option<Ability>,
    pub(crate) lane: Lane,
    pub(crate) play: fn(&Stage<'_>) -> Verdict,
}

impl Case {
    pub(crate) const fn new(
        family: Family,
        name: &'static str,
        play: fn(&Stage<'_>) -> Verdict,
    ) -> Case {
        Case { name, family, needs: &[], shows: None, lane: Lane::Shared, play }
    }

    pub(crate) const fn needs(mut self, needs: &'static [Need]) -> Case {
        self.needs = needs;
        self
    }

    pub(crate) const fn shows(mut self, ability: Ability) -> Case {
        self.shows = Some(ability);
        self
    }

    pub(crate) const fn computes(mut self) -> Case {
        self.lane = Lane::Computing;
        self
    }

    pub(crate) const fn alone(mut self) -> Case {
        self.lane = Lane::Alone;
        self
    }
}

/// What a case may be played beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// It leaves the machine to others most of the time.
    Shared,
    /// It has long jobs computed. If there were more of them than cores, they
    /// would take longer than they were chosen to.
    Computing,
    /// It measures time or CPU, or takes so much of the machine that it would
    /// disturb those that do.
    Alone,
}

/// What cases are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Numbers and their replies.
    Answers,
    /// Lines that are no request, and the errors that they get.
    BadLines,
    /// The segments and the batches that requests come in.
    Shapes,
    /// The ways that a conversation ends.
    Ends,
    /// Clients that take long, and the idle clock.
    SlowAndIdle,
    /// Many clients, and the limits that they meet.
    Crowds,
    /// Signals, exit codes, and starting.
    Stopping,
    /// Worker processes: what becomes of jobs, and of workers.
    Workers,
    /// The talk's clients, which send no newline.
    Talk,
}

impl Family {
    /// Every family, in the order of a report.
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

/// What a case needs of the server to mean anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    Flag(&'static str),
    SeveralClients,
    LargeCrowds,
    Pool,
    ServiceManager,
    ThreadPerClient,
    Workers,
}

/// What a model may be unable to do by design.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ability {
    /// Serve a second client while one is idle.
    ServeBesideIdle,
    /// Answer `1` while another client's long job runs.
    AnswerBesideLongJob,
    /// Read on behind urgent data without a new sign of input.
    ReadPastUrgentData,
}

/// How a case went.
pub type Verdict<T = ()> = Result<T, Fault>;

/// Why a case didn't pass.
#[derive(Debug)]
pub struct Fault {
    pub(crate) kind: FaultKind,
    pub(crate) text: String,
}

/// What a fault says of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// It did something else.
    Failed,
    /// It lacks the ability that the case is about.
    Unable,
    /// Nothing: it turned out that the case means nothing here.
    Moot,
}

impl Fault {
    /// The server did something else: what was expected, and what came.
    pub fn new(text: impl Into<String>) -> Fault {
        Fault { kind: FaultKind::Failed, text: text.into() }
    }

    /// The case means nothing here: why.
    pub(crate) fn moot(text: String) -> Fault {
        Fault { kind: FaultKind::Moot, text }
    }

    /// The same, said to be about the ability.
    pub(crate) fn unable(mut self) -> Fault {
        if self.kind == FaultKind::Failed {
            self.kind = FaultKind::Unable;
        }
        self
    }

    /// The same, with what it was about in front.
    pub fn about(mut self, what: impl fmt::Display) -> Fault {
        if self.kind == FaultKind::Failed {
            self.text = format!("{what}: {}", self.text);
        }
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Fault {}

impl From<launch::Error> for Fault {
    fn from(error: launch::Error) -> Fault {
        Fault::new(format!("the server {error}"))
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Fault {
        Fault::new(format!("a connection failed: {error}"))
    }
}

/// Passes when `condition` holds.
pub fn check(condition: bool, otherwise: impl FnOnce() -> String) -> Verdict {
    if condition { Ok(()) } else { Err(Fault::new(otherwise())) }
}

/// Waits for what can only be looked at (proc(5), a port) and tells of no
/// event. Whether it came true in time.
pub fn until(timeout: Duration, mut condition: impl FnMut() -> bool) -> bool {
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
