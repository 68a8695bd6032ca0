//! Runs cases against a server, several at a time where they don't disturb
//! each other.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Once, mpsc};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::case::{Case, CaseFailure, CaseResult, FailureKind, Lane};
use crate::fixture::{Fixture, JobCosts};
use crate::report::{CaseOutcome, CaseReport, SuiteReport};
use crate::{Subject, cases};

/// How many cases of [`Lane::Shared`] run at a time. They wait most of the
/// time, so there may be more of them than cores.
const SHARED_AT_A_TIME: usize = 4;

/// How many cases of [`Lane::Computing`] run at a time, if there are as many
/// cores.
const COMPUTING_AT_A_TIME: usize = 2;

/// Which cases to run, and the seed of their random choices.
#[derive(Clone, Debug)]
pub struct Selection {
    only: Option<String>,
    seed: u64,
}

impl Default for Selection {
    /// Selects every case, with a seed that differs from run to run.
    fn default() -> Selection {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        // At most six digits, so that the seed is easy to type again.
        let seed = now.map_or(0, |now| u64::from(now.subsec_micros()));
        Selection { only: None, seed }
    }
}

impl Selection {
    /// Reads the selection from `CONFORMANCE_ONLY` and `CONFORMANCE_SEED`. A
    /// variable that isn't set leaves the default.
    ///
    /// # Panics
    ///
    /// Panics if `CONFORMANCE_SEED` is not a number.
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

    /// Selects only the cases whose name, or whose family's name, contains
    /// `part`.
    pub fn only(mut self, part: &str) -> Selection {
        self.only = Some(part.to_owned());
        self
    }

    /// Sets the seed of the random choices.
    pub fn with_seed(mut self, seed: u64) -> Selection {
        self.seed = seed;
        self
    }

    /// Returns the seed of the random choices.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    fn contains(&self, case: &Case) -> bool {
        self.only.as_ref().is_none_or(|part| {
            case.name.contains(part)
                || case.family.to_string().contains(part.as_str())
        })
    }
}

/// Runs the selected cases against the subject. Calls `observe` with the
/// report of each case as soon as that case has finished.
pub fn run(
    subject: &Subject,
    selection: &Selection,
    mut observe: impl FnMut(&CaseReport),
) -> SuiteReport {
    raise_fd_limit();
    let start = Instant::now();
    let mut reports = Vec::new();
    let mut applicable = Vec::new();
    for (index, case) in cases().iter().enumerate() {
        if !selection.contains(case) {
            continue;
        }
        if let Some(reason) = subject.reason_to_skip(case) {
            let outcome = CaseOutcome::NotApplicable(reason);
            let report = CaseReport { case, outcome, elapsed: Duration::ZERO };
            observe(&report);
            reports.push((index, report));
        } else {
            applicable.push((index, case));
        }
    }
    // Measured before any case runs: running cases would distort it.
    let costs = JobCosts::of(subject);
    costs.measured();
    let fixture = || Fixture::new(subject, selection.seed, &costs);
    let queue = |lane: Lane, at_a_time| {
        let in_lane = applicable.iter().filter(|(_, case)| case.lane == lane);
        Queue { cases: in_lane.copied().collect(), at_a_time }
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let concurrent = [
        queue(Lane::Computing, COMPUTING_AT_A_TIME.min(cores)),
        queue(Lane::Shared, SHARED_AT_A_TIME),
    ];
    for queues in [&concurrent[..], &[queue(Lane::Alone, 1)]] {
        run_queues(queues, &fixture, |index, report| {
            observe(&report);
            reports.push((index, report));
        });
    }
    reports.sort_by_key(|&(index, _)| index);
    SuiteReport {
        cases: reports.into_iter().map(|(_, report)| report).collect(),
        seed: selection.seed,
        elapsed: start.elapsed(),
    }
}

type Sender = mpsc::Sender<(usize, CaseReport)>;

/// Cases to run, each with its index in the table, and how many at a time.
struct Queue {
    cases: Vec<(usize, &'static Case)>,
    at_a_time: usize,
}

/// Runs the cases of several queues at the same time. Each case runs in a
/// thread that outlives it, because the kernel kills a server when the thread
/// that started it ends.
fn run_queues<'a>(
    queues: &[Queue],
    fixture: &(impl Fn() -> Fixture<'a> + Sync),
    mut finished: impl FnMut(usize, CaseReport),
) {
    let (sender, reports) = mpsc::channel();
    let next: Vec<_> = queues.iter().map(|_| AtomicUsize::new(0)).collect();
    let play = |queue: &Queue, next: &AtomicUsize, sender: &Sender| {
        let claim = || next.fetch_add(1, Ordering::Relaxed);
        while let Some(&(index, case)) = queue.cases.get(claim()) {
            // Fails only if `finished` has panicked.
            let _ = sender.send((index, run_case(case, &fixture())));
        }
    };
    thread::scope(|scope| {
        for (queue, next) in queues.iter().zip(&next) {
            let started = (0..queue.at_a_time).filter(|_| {
                let (sender, play) = (sender.clone(), &play);
                let work = move || play(queue, next, &sender);
                thread::Builder::new().spawn_scoped(scope, work).is_ok()
            });
            if started.count() == 0 {
                // There are no more threads, so this one plays.
                play(queue, next, &sender);
            }
        }
        drop(sender);
        reports.into_iter().for_each(|(index, report)| finished(index, report));
    });
}

fn run_case(case: &'static Case, fixture: &Fixture<'_>) -> CaseReport {
    let start = Instant::now();
    let result = catch_unwind(AssertUnwindSafe(|| (case.run)(fixture)))
        .unwrap_or_else(|panic| Err(CaseFailure::new(panic_text(&*panic))));
    let lacks = case.proves.and_then(|ability| fixture.subject.lacks(ability));
    let mut outcome = outcome_of(result, lacks);
    if let CaseOutcome::Failed(text) = &mut outcome {
        *text += &fixture.log_tail();
    }
    CaseReport { case, outcome, elapsed: start.elapsed() }
}

/// Returns the outcome of a case, given its result and the reason why the
/// model lacks the ability that the case proves, if it does.
fn outcome_of(result: CaseResult, lacks: Option<&'static str>) -> CaseOutcome {
    match (result, lacks) {
        (Ok(()), None) => CaseOutcome::Passed,
        (Ok(()), Some(reason)) => CaseOutcome::Failed(format!(
            "unexpectedly passed, though the model is declared unable by \
             design ({reason}): either the declaration is wrong, or the case \
             checks nothing"
        )),
        (Err(failure), lacks) => match (failure.kind, lacks) {
            (FailureKind::LacksAbility, Some(reason)) => {
                CaseOutcome::ByDesign(reason.to_owned())
            }
            (FailureKind::NotApplicable, _) => {
                CaseOutcome::NotApplicable(failure.text)
            }
            (FailureKind::Unexpected | FailureKind::LacksAbility, _) => {
                CaseOutcome::Failed(failure.text)
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

/// Raises the soft limit on file descriptors to the hard limit, for this
/// process and for the servers that it starts: 10,000 clients need as many
/// descriptors on each side. [`run`] does so too.
pub fn raise_fd_limit() {
    static RAISED: Once = Once::new();
    RAISED.call_once(|| {
        let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
        let limit = Rlimit { current: maximum, maximum };
        // If this fails, the cases that need more descriptors report so.
        let _ = setrlimit(Resource::Nofile, limit);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_passes_fails_or_is_unable_by_design() {
        let reason = "it serves one client at a time";
        let lacking = || CaseFailure::new("no reply").lacks_ability();
        assert_eq!(outcome_of(Ok(()), None), CaseOutcome::Passed);
        assert_eq!(
            outcome_of(Err(lacking()), Some(reason)),
            CaseOutcome::ByDesign(reason.into())
        );
        let unable = outcome_of(Err(lacking()), None);
        assert_eq!(unable, CaseOutcome::Failed("no reply".into()));
    }

    #[test]
    fn a_model_that_can_do_what_it_is_declared_unable_to_do_fails() {
        let outcome = outcome_of(Ok(()), Some("it serves one client"));
        assert!(matches!(&outcome, CaseOutcome::Failed(text)
            if text.starts_with("unexpectedly passed")));
    }

    #[test]
    fn a_wrong_reply_is_never_excused_by_design() {
        let wrong = CaseFailure::new("a wrong reply");
        let outcome = outcome_of(Err(wrong), Some("it serves one client"));
        assert_eq!(outcome, CaseOutcome::Failed("a wrong reply".into()));
    }
}
