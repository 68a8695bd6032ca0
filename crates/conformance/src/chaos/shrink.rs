//! Shortens the round in which a server failed.

use std::mem;
use std::time::{Duration, Instant};

use super::ChaosFailure;
use super::plan::{CLIENTS_MAX, Life, Round, Step};
use super::play::{self, ChaosCounts, RoundFailure};
use crate::fixture::Fixture;

/// How many times the steps are played before they count as harmless.
const ATTEMPTS: usize = 3;

/// Returns the failure with as few steps as lead to one. Looks for them for at
/// most `time_max`.
pub(super) fn failure(
    fixture: &Fixture<'_>,
    life: &Life,
    failed: RoundFailure,
    time_max: Duration,
) -> ChaosFailure {
    let deadline = Instant::now() + time_max;
    // Servers that are started from here on have logs, too.
    let log = fixture.log_tail();
    let round = &life.rounds[failed.round];
    let fails = |steps: &[Step]| {
        let round = Round { steps: steps.to_vec(), end: round.end };
        let life = Life { rounds: vec![round], ..life.clone() };
        (0..ATTEMPTS).any(|_| {
            let is_in_time = Instant::now() < deadline;
            is_in_time && play_again(fixture, &life)
        })
    };
    let (steps, shortened) = if !fails(&round.steps) {
        let how = "all of its last round, which alone did not fail in time";
        (round.steps.clone(), how)
    } else {
        let how = "the fewest steps that were found to fail";
        (fewest(effective(&round.steps), fails), how)
    };
    ChaosFailure {
        seed: fixture.seed,
        text: format!("{}{log}", failed.failure),
        trace: steps.iter().map(ToString::to_string).collect(),
        shortened,
    }
}

/// Returns `true` if a new server fails, too, after it has started.
fn play_again(fixture: &Fixture<'_>, life: &Life) -> bool {
    let mut counts = ChaosCounts::default();
    let now = Instant::now();
    let lived = play::live(fixture, life, now, &mut counts);
    lived.is_err() && counts.get("servers") > 0
}

/// Returns the steps but for those of clients that aren't connected then.
fn effective(steps: &[Step]) -> Vec<Step> {
    let mut is_connected = [false; CLIENTS_MAX];
    let has_effect = |step: &&Step| {
        let (client, after) = match **step {
            Step::Connect { client, .. } => {
                return !mem::replace(&mut is_connected[client], true);
            }
            Step::Close(client) | Step::Reset(client) => (client, false),
            Step::Send { client, .. }
            | Step::StopReading(client)
            | Step::ReadAgain(client)
            | Step::HalfClose(client)
            | Step::Urgent(client) => (client, true),
            Step::Pause(_)
            | Step::SuspendServer(_)
            | Step::TakeDescriptors
            | Step::GiveDescriptorsBack
            | Step::KillWorker(_)
            | Step::SuspendWorker(_) => return true,
        };
        let was_connected = is_connected[client];
        is_connected[client] &= after;
        was_connected
    };
    steps.iter().filter(has_effect).cloned().collect()
}

/// Removes steps, in smaller and smaller pieces, as long as the rest `fails`.
fn fewest<T: Clone>(mut steps: Vec<T>, fails: impl Fn(&[T]) -> bool) -> Vec<T> {
    let mut piece = steps.len().div_ceil(2);
    while piece > 0 && !steps.is_empty() {
        let mut start = 0;
        while start < steps.len() {
            let end = steps.len().min(start + piece);
            let rest = [&steps[..start], &steps[end..]].concat();
            if fails(&rest) {
                steps = rest;
            } else {
                start = end;
            }
        }
        piece /= 2;
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_steps_that_are_needed_remain() {
        let steps: Vec<u32> = (0..100).collect();
        let needed = [3, 50, 51, 99];
        let fails = |rest: &[u32]| needed.iter().all(|n| rest.contains(n));
        assert_eq!(fewest(steps, fails), needed);
    }

    #[test]
    fn steps_of_clients_that_are_not_connected_have_no_effect() {
        let connect = |client| Step::Connect { client, small_window: false };
        let steps = [
            Step::HalfClose(1),
            connect(1),
            connect(1),
            Step::Reset(1),
            Step::Urgent(1),
            connect(1),
            Step::Close(2),
            Step::TakeDescriptors,
        ];
        let expected = [0, 1, 3, 5, 7].map(|n| steps[n].clone());
        assert_eq!(effective(&steps), expected[1..]);
    }

    #[test]
    fn if_nothing_is_needed_nothing_remains() {
        assert_eq!(fewest(vec![1, 2, 3], |_| true), [0; 0]);
    }
}
