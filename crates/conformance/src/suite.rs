//! Plays cases, several at a time where they don't disturb each other.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Once, mpsc};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::case::{Case, Fault, FaultKind, Lane, Verdict};
use crate::report::{Finding, Outcome, Report};
use crate::stage::{Jobs, Stage};
use crate::{Subject, cases};

/// How many cases of the shared lane are played at a time. They wait most of
/// the time, so it may be more than there are cores.
const SHARED_AT_A_TIME: usize = 4;

/// How many cases of the computing lane are played at a time, if there are as
/// many cores.
const COMPUTING_AT_A_TIME: usize = 2;

/// Which cases to play, and with which seed.
#[derive(Clone, Debug)]
pub struct Selection {
    only: Option<String>,
    seed: u64,
}

impl Default for Selection {
    /// Every case, with a seed that differs from run to run.
    fn default() -> Selection {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        // Short enough to be typed again.
        let seed = now.map_or(0, |now| u64::from(now.subsec_micros()));
        Selection { only: None, seed }
    }
}

impl Selection {
    /// What `CONFORMANCE_ONLY` and `CONFORMANCE_SEED` say.
    ///
    /// # Panics
    ///
    /// When `CONFORMANCE_SEED` is no number.
    pub fn from_environment() -> Selection {
        let mut selection = Selection::default();
        if let Ok(part) = std::env::var("CONFORMANCE_ONLY") {
            selection = selection.only(&part);
        }
        if let Ok(seed) = std::env::var("CONFORMANCE_SEED") {
            let seed = seed.parse();
            let seed = seed.expect("CONFORMANCE_SEED must be a number");
            selection = selection.with_seed(seed);
        }
        selection
    }

    /// Only the cases whose name, or whose family's name, has this part.
    pub fn only(mut self, part: &str) -> Selection {
        self.only = Some(part.to_owned());
        self
    }

    /// Sets what random choices follow from.
    pub fn with_seed(mut self, seed: u64) -> Selection {
        self.seed = seed;
        self
    }

    /// What random choices follow from.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    fn holds(&self, case: &Case) -> bool {
        self.only.as_ref().is_none_or(|part| {
            case.name.contains(part)
                || case.family.to_string().contains(part.as_str())
        })
    }
}

/// Plays the selected cases against the subject and tells `observe` of each
/// as soon as it has been played.
pub fn run(
    subject: &Subject,
    selection: &Selection,
    mut observe: impl FnMut(&Finding),
) -> Report {
    raise_fd_limit();
    let start = Instant::now();
    let mut findings = Vec::new();
    let mut playable = Vec::new();
    for (at, case) in cases().iter().enumerate() {
        if !selection.holds(case) {
            continue;
        }
        if let Some(reason) = subject.exempt_from(case) {
            let outcome = Outcome::NotApplicable(reason);
            let finding = Finding { case, outcome, elapsed: Duration::ZERO };
            observe(&finding);
            findings.push((at, finding));
        } else {
            playable.push((at, case));
        }
    }
    // Before anything else runs, or it would measure that as well.
    let jobs = Jobs::of(subject);
    jobs.cost();
    let stage = || Stage::new(subject, selection.seed, &jobs);
    let lane = |lane: Lane, at_a_time| {
        let in_lane = playable.iter().filter(|(_, case)| case.lane == lane);
        Queue { cases: in_lane.copied().collect(), at_a_time }
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let together = [
        lane(Lane::Computing, COMPUTING_AT_A_TIME.min(cores)),
        lane(Lane::Shared, SHARED_AT_A_TIME),
    ];
    for queues in [&together[..], &[lane(Lane::Alone, 1)]] {
        play_all(queues, &stage, |at, finding| {
            observe(&finding);
            findings.push((at, finding));
        });
    }
    findings.sort_by_key(|&(at, _)| at);
    Report {
        findings: findings.into_iter().map(|(_, finding)| finding).collect(),
        seed: selection.seed,
        elapsed: start.elapsed(),
    }
}

/// Cases to play, and how many of them at a time.
struct Queue {
    cases: Vec<(usize, &'static Case)>,
    at_a_time: usize,
}

/// Plays the cases of some queues, in threads of their own: a server ends
/// with the thread that started it.
fn play_all<'a>(
    queues: &[Queue],
    stage: &(impl Fn() -> Stage<'a> + Sync),
    mut found: impl FnMut(usize, Finding),
) {
    let (sender, played) = mpsc::channel();
    let next: Vec<_> = queues.iter().map(|_| AtomicUsize::new(0)).collect();
    thread::scope(|scope| {
        for (queue, next) in queues.iter().zip(&next) {
            for _ in 0..queue.at_a_time {
                let sender = sender.clone();
                scope.spawn(move || {
                    let claim = || next.fetch_add(1, Ordering::Relaxed);
                    while let Some(&(at, case)) = queue.cases.get(claim()) {
                        // Nobody listens only when the observer panicked.
                        let _ = sender.send((at, play(case, &stage())));
                    }
                });
            }
        }
        drop(sender);
        played.into_iter().for_each(|(at, finding)| found(at, finding));
    });
}

fn play(case: &'static Case, stage: &Stage<'_>) -> Finding {
    let start = Instant::now();
    let verdict = catch_unwind(AssertUnwindSafe(|| (case.play)(stage)))
        .unwrap_or_else(|panic| Err(Fault::new(panic_text(&*panic))));
    let lacks = case.shows.and_then(|ability| stage.subject.lacks(ability));
    let outcome = match judge(verdict, lacks) {
        Outcome::Failed(why) => Outcome::Failed(why + &stage.log_tail()),
        other => other,
    };
    Finding { case, outcome, elapsed: start.elapsed() }
}

/// The outcome, given why the model can't pass, if it can't.
fn judge(verdict: Verdict, lacks: Option<&'static str>) -> Outcome {
    match (verdict, lacks) {
        (Ok(()), None) => Outcome::Passed,
        (Ok(()), Some(reason)) => Outcome::Failed(format!(
            "unexpectedly passed: by design it can't ({reason}). Either this \
             is another model now, or the case shows nothing"
        )),
        (Err(fault), lacks) => match (fault.kind, lacks) {
            (FaultKind::Unable, Some(reason)) => {
                Outcome::ByDesign(reason.to_owned())
            }
            (FaultKind::Moot, _) => Outcome::NotApplicable(fault.text),
            (FaultKind::Failed | FaultKind::Unable, _) => {
                Outcome::Failed(fault.text)
            }
        },
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    format!("the suite itself panicked: {}", text.unwrap_or("(no message)"))
}

/// Lets this process, and the servers that it starts, have as many fds as the
/// system allows: a crowd of 10,000 needs as many on each side. A run does that
/// by itself.
pub fn raise_fd_limit() {
    static RAISED: Once = Once::new();
    RAISED.call_once(|| {
        let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
        let limit = Rlimit { current: maximum, maximum };
        // Where it can't be raised, the cases that need it say so.
        let _ = setrlimit(Resource::Nofile, limit);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_model_cannot_do_by_design_it_must_not_do() {
        let reason = "it can't";
        assert_eq!(judge(Ok(()), None), Outcome::Passed);
        assert_eq!(
            judge(Err(Fault::new("no reply").unable()), Some(reason)),
            Outcome::ByDesign(reason.into())
        );
        let passed = judge(Ok(()), Some(reason));
        assert!(matches!(&passed, Outcome::Failed(why)
            if why.starts_with("unexpectedly passed")));
        // A wrong answer is not what the design excuses.
        let failed = judge(Err(Fault::new("a wrong reply")), Some(reason));
        assert_eq!(failed, Outcome::Failed("a wrong reply".into()));
        let unable = judge(Err(Fault::new("no reply").unable()), None);
        assert_eq!(unable, Outcome::Failed("no reply".into()));
    }
}
