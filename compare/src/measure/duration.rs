//! How long a measurement is expected to take, and whether clients stay silent
//! for too long in it.

use std::time::Duration;

use anyhow::ensure;

use crate::base::exit::Usage;
use crate::model::load_plan::FIRST_WINDOW_MAX;
use crate::model::scenarios::Scenario;

/// The time to start a contestant's server and to connect its clients, if all
/// contestants of a scenario are started together.
const START: Duration = Duration::from_millis(5);

/// The time between two turns: the last replies, and reading the clocks.
const BETWEEN_TURNS: Duration = Duration::from_millis(5);

/// The time to start and to stop a server that is measured alone, with its
/// clients.
const START_ALONE: Duration = Duration::from_millis(45);

/// The default idle timeout of the project's servers, after which they close
/// the connection of a silent client.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// Returns how long it takes to measure so many contestants under a scenario,
/// in so many rounds, once everything is built and calibrated.
pub(crate) fn expected_duration(
    scenario: &Scenario,
    contestants: usize,
    rounds: u64,
) -> Duration {
    let each = scenario.warm_up + scenario.window;
    let contestant = match scenario.alone {
        Some(_) => each + START_ALONE,
        None => {
            let turns = turn(scenario).saturating_mul(narrow(scenario.turns));
            START + first_turn(scenario) + turns
        }
    };
    contestant
        .saturating_mul(narrow(contestants as u64))
        .saturating_mul(narrow(scenario.rounds_of(rounds)))
}

/// Checks that no client is silent for so long that its server closes the
/// connection, if so many contestants are measured in turns.
///
/// # Errors
///
/// Returns a [`Usage`] error that names what can be changed.
pub(crate) fn check_silence(
    scenario: &Scenario,
    contestants: usize,
) -> anyhow::Result<()> {
    let has_silent = scenario.groups.iter().any(|group| group.silent);
    let turns = match (&scenario.alone, has_silent) {
        (Some(_), true) => 1,
        (Some(_), false) => 0,
        // The whole round, with the first cycle and the turn that counts.
        (None, true) => contestants as u64 * (scenario.turns + 2),
        // At worst, a contestant is the first one in a cycle, and the last one
        // in the next cycle.
        (None, false) => contestants.saturating_sub(1) as u64 * 2,
    };
    let silent = turn(scenario).saturating_mul(narrow(turns));
    let remedy = match scenario.alone {
        Some(_) => "use a shorter window (--duration)",
        None => {
            "they are measured in `turns`: use a shorter window (--duration) \
             or fewer contestants (-e), or let a scenario file measure each \
             contestant `alone`"
        }
    };
    ensure!(
        silent < IDLE_TIMEOUT,
        Usage(format!(
            "{}: silent clients of {contestants} contestants would wait for \
             up to {}, and servers close such connections after {}; {remedy}",
            scenario.name,
            in_words(silent),
            in_words(IDLE_TIMEOUT)
        ))
    );
    Ok(())
}

/// Returns the first cycle of a round: 0, in which turns are not kept, since the
/// first turn after a start differs: threads start and find their processors,
/// and memory is touched for the first time. Where the measured requests take
/// long, this makes no difference, and the first cycle is 1.
pub(crate) fn first_cycle(scenario: &Scenario) -> u64 {
    let takes_long = scenario.measured().is_some_and(|g| g.cost.is_some());
    u64::from(takes_long)
}

/// Returns how long the turn in cycle 0 takes, if there is one.
fn first_turn(scenario: &Scenario) -> Duration {
    let shorter = scenario.window.saturating_sub(FIRST_WINDOW_MAX);
    match first_cycle(scenario) {
        0 => turn(scenario) - shorter,
        _ => Duration::ZERO,
    }
}

/// Returns how long one turn takes, including the time until the next one.
fn turn(scenario: &Scenario) -> Duration {
    let each = scenario.warm_up + scenario.window;
    each + last_replies(scenario) + BETWEEN_TURNS
}

/// Returns how long a server works after the window on requests that take long:
/// half of the time that they take one after the other.
fn last_replies(scenario: &Scenario) -> Duration {
    let work = scenario.groups.iter().filter_map(|group| {
        let clients = narrow(group.connections as u64);
        Some(group.cost?.saturating_mul(clients) / 2)
    });
    work.fold(Duration::ZERO, Duration::saturating_add)
}

/// Returns a duration in words, for a message such as `measuring: about 2m
/// 10s`.
pub(crate) fn in_words(duration: Duration) -> String {
    let seconds = duration.as_secs_f64().ceil() as u64;
    match seconds {
        ..60 => format!("{} s", seconds.max(1)),
        _ => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

fn narrow(count: u64) -> u32 {
    count.try_into().unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::workspace;
    use crate::model::scenarios;

    fn scenario(file: &str) -> Scenario {
        let folder = workspace::root().unwrap().join("bench/scenarios");
        let mut scenario = scenarios::read_one(&folder.join(file)).unwrap();
        scenario.warm_up = Duration::from_millis(17);
        scenario.window = Duration::from_millis(80);
        scenario.turns = 5;
        scenario
    }

    #[test]
    fn turns_and_windows_add_up() {
        let expected = |scenario: &Scenario| {
            expected_duration(scenario, 10, 8).as_millis()
        };
        let mut short = scenario("perf2.toml");
        assert_eq!(expected(&short), 8 * 10 * (5 + 37 + 5 * 102));
        short.rounds = Some(2);
        assert_eq!(expected(&short), 2 * 10 * (5 + 37 + 5 * 102));
        short.alone = Some("for a test".to_owned());
        assert_eq!(expected(&short), 2 * 10 * (45 + 97));
        assert_eq!(expected_duration(&short, 0, 8), Duration::ZERO);
        // A long request takes 50 ms.
        let mut long = scenario("perf1.toml");
        long.rounds = None;
        assert_eq!(expected(&long), 8 * 10 * (5 + 5 * 127));
        let beside = scenario("interference.toml");
        assert_eq!(expected(&beside), 8 * 10 * (5 + 62 + 5 * 127));
    }

    #[test]
    fn clients_that_would_be_silent_for_too_long_are_refused() {
        let mut scenario = scenario("perf2.toml");
        scenario.window = Duration::from_secs(10);
        // Each of the others has up to two turns in a row.
        assert!(check_silence(&scenario, 3).is_ok());
        let error = check_silence(&scenario, 4).unwrap_err();
        assert!(error.is::<Usage>());
        let text = error.to_string();
        for part in ["perf2", "`alone`", "`turns`", "1 min 1 s", "1 min 0 s"] {
            assert!(text.contains(part), "{text}");
        }
        scenario.alone = Some("for a test".to_owned());
        assert!(check_silence(&scenario, 4).is_ok());
        // Silent clients are silent for the whole round.
        scenario.alone = None;
        scenario.groups[0].silent = true;
        assert!(check_silence(&scenario, 1).is_err());
        scenario.alone = Some("for a test".to_owned());
        assert!(check_silence(&scenario, 4).is_ok());
        scenario.window = Duration::from_secs(60);
        assert!(check_silence(&scenario, 1).is_err());
        scenario.groups[0].silent = false;
        // A long window that one contestant has does not matter.
        scenario.alone = None;
        assert!(check_silence(&scenario, 1).is_ok());
    }

    #[test]
    fn a_duration_is_rounded_up() {
        let cases = [(0.2, "1 s"), (59.0, "59 s"), (80.5, "1 min 21 s")];
        for (seconds, expected) in cases {
            let duration = Duration::from_secs_f64(seconds);
            assert_eq!(in_words(duration), expected);
        }
    }
}
