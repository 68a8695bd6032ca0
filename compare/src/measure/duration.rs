//! How long a measurement is expected to take.

use std::time::Duration;

use crate::model::scenarios::Scenario;

/// The time to start a contestant's server and to connect its clients, if all
/// contestants of a scenario are started together.
const START: Duration = Duration::from_millis(25);

/// The time between two turns: the last replies, and reading the clocks.
const BETWEEN_TURNS: Duration = Duration::from_millis(3);

/// The time to start and to stop a server that is measured alone, with its
/// clients.
const START_ALONE: Duration = Duration::from_millis(60);

/// Returns how long it takes to measure so many contestants under a scenario,
/// in so many rounds, once everything is built and calibrated.
pub(crate) fn expected_duration(
    scenario: &Scenario,
    contestants: usize,
    rounds: u64,
) -> Duration {
    let rounds = scenario.rounds.map_or(rounds, |fewer| fewer.min(rounds));
    let each = scenario.warm_up + scenario.window;
    let contestant = match scenario.alone {
        Some(_) => each + START_ALONE,
        None => {
            START
                + (each + BETWEEN_TURNS).saturating_mul(narrow(scenario.turns))
        }
    };
    contestant
        .saturating_mul(narrow(rounds))
        .saturating_mul(narrow(contestants as u64))
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

    #[test]
    fn turns_and_windows_add_up() {
        let folder = workspace::root().unwrap().join("bench/scenarios");
        let mut scenario =
            scenarios::read_one(&folder.join("perf2.toml")).unwrap();
        scenario.warm_up = Duration::from_millis(17);
        scenario.window = Duration::from_millis(80);
        scenario.turns = 5;
        let expected = |scenario: &Scenario| {
            expected_duration(scenario, 10, 8).as_millis()
        };
        assert_eq!(expected(&scenario), 8 * 10 * (25 + 5 * 100));
        scenario.rounds = Some(2);
        assert_eq!(expected(&scenario), 2 * 10 * (25 + 5 * 100));
        scenario.alone = Some("for a test".to_owned());
        assert_eq!(expected(&scenario), 2 * 10 * (60 + 97));
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
