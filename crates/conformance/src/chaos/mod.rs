//! Chaos: a random play of many clients and faults, repeated by its seed.
//!
//! A play is a sequence of *lives*. In each, a server is started, plays some
//! rounds, and is stopped. A round is a list of steps: clients connect, send
//! good and bad lines in pieces, stop reading, half-close and reset; workers
//! are killed, descriptors are taken away, the server is suspended. Every
//! complete line must be answered once, correctly and in order, nothing must
//! be left behind, and the server must end in order.
//!
//! After a failure, the round is played again on new servers with fewer and
//! fewer steps, as delta debugging does (A. Zeller and R. Hildebrandt,
//! "Simplifying and Isolating Failure-Inducing Input", 2002).

mod client;
mod plan;
mod play;
mod shrink;

use std::fmt;
use std::time::{Duration, Instant};

use crate::Subject;
use crate::case::{Ability, CaseResult, Family};
use crate::fixture::{Fixture, JobCosts};
use crate::random::Random;
use crate::suite::raise_fd_limit;

use plan::{Life, Scope};
pub use play::ChaosCounts;

/// How long the job of a long request takes.
const LONG_JOB: Duration = Duration::from_millis(20);

/// How long to look for fewer steps after a failure, at most.
const SHRINK_TIME_MAX: Duration = Duration::from_secs(60);

/// What a play of chaos has found.
#[derive(Clone, Debug)]
pub struct ChaosReport {
    /// The seed that repeats it.
    pub seed: u64,
    /// What happened, and how many times.
    pub counts: ChaosCounts,
    /// How long it took.
    pub elapsed: Duration,
    /// What failed first, if anything did.
    pub failure: Option<ChaosFailure>,
}

/// A failure of a server in a play.
#[derive(Clone, Debug)]
pub struct ChaosFailure {
    /// The seed of a play that begins with the life in which it failed.
    pub seed: u64,
    /// What was expected, and what happened.
    pub text: String,
    /// The steps that led to it, as few as could be found.
    pub trace: Vec<String>,
    /// How they were found.
    pub shortened: &'static str,
}

impl fmt::Display for ChaosFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        writeln!(f, "repeat with --seed {}; {}:", self.seed, self.shortened)?;
        for step in &self.trace {
            writeln!(f, "  {step}")?;
        }
        Ok(())
    }
}

/// Plays chaos with `subject` for `duration`, or until it fails. Calls
/// `observe` with the counts after each life.
///
/// # Errors
///
/// Returns a failure if the subject can't take part: it doesn't separate
/// requests by lines, or no job could be timed.
pub fn play_chaos(
    subject: &Subject,
    duration: Duration,
    seed: u64,
    mut observe: impl FnMut(&ChaosCounts),
) -> CaseResult<ChaosReport> {
    raise_fd_limit();
    let costs = JobCosts::of(subject);
    let fixture = Fixture::new(subject, seed, &costs);
    let scope = scope_of(&fixture)?;
    let start = Instant::now();
    let deadline = start + duration;
    let mut counts = ChaosCounts::default();
    let mut failure = None;
    let mut seeds = Seeds::new(seed);
    while failure.is_none() && Instant::now() < deadline {
        let seed = seeds.next();
        let life = Life::new(seed, scope);
        let fixture = Fixture::new(subject, seed, &costs);
        let lived = play::live(&fixture, &life, deadline, &mut counts);
        let time_max = SHRINK_TIME_MAX.min(duration / 2);
        failure = lived
            .err()
            .map(|failed| shrink::failure(&fixture, &life, failed, time_max));
        observe(&counts);
    }
    Ok(ChaosReport { seed, counts, elapsed: start.elapsed(), failure })
}

/// The seeds of the lives. The first is that of the play, so that a play can
/// begin with any life.
struct Seeds {
    next: u64,
    random: Random,
}

impl Seeds {
    /// So that they can be typed.
    const END: u64 = 1_000_000_000;

    fn new(seed: u64) -> Seeds {
        Seeds { next: seed, random: Random::new(seed) }
    }

    fn next(&mut self) -> u64 {
        std::mem::replace(&mut self.next, self.random.below(Seeds::END))
    }
}

/// Returns what a play with this subject may include.
fn scope_of(fixture: &Fixture<'_>) -> CaseResult<Scope> {
    let subject = fixture.subject;
    Ok(Scope {
        long_n: fixture.n_that_takes(LONG_JOB)?,
        bad_lines: subject.claims(Family::BadLines),
        ends: subject.claims(Family::Ends),
        urgent_data: subject.claims(Family::Shapes)
            && subject.lacks(Ability::ReadPastUrgentData).is_none(),
        few_connections: subject.claims(Family::Crowds)
            && subject.has_flag("--max-connections"),
        few_descriptors: subject.claims(Family::Crowds),
        workers: subject.runs_worker_processes(),
        stop: subject.claims(Family::Stopping),
    })
}
