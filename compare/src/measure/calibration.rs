//! Calibration: finds the n for which fib takes a given time on this machine.

use std::hint::black_box;
use std::time::Duration;

use protocol::{N_MAX_DEFAULT, fib};
use rustix::time::{ClockId, clock_gettime};

use crate::base::exit::Usage;
use crate::measure::failure::Failure;
use crate::model::calibration::Calibrated;
use crate::model::scenarios::Scenario;

/// The factor by which fib takes longer if n grows by one: the golden ratio.
const GROWTH: f64 = 1.618_033_988_749_895;

/// The n that is timed: its fib is long enough to be measured, and short enough
/// to be measured several times.
const PROBE_N: u8 = 27;

/// The first n that is timed with an interpreter, which takes about 100 µs.
const PROBES_FROM: u8 = 15;

/// The step by which n grows while its fib is too short to be measured.
const PROBES_STEP: u8 = 4;

/// The shortest time that is measured. In shorter ones, the cost of a request
/// without its fib matters.
const PROBE_TIME_MIN: Duration = Duration::from_millis(5);

/// A contestant that takes less than this part of a cost for the calibrated n
/// doesn't compute fib by naive recursion.
const CREDIBLE_PART: u32 = 4;

/// How often a time is measured. The shortest one is the least disturbed.
const TIMINGS: usize = 3;

/// Finds the n for which this program's fib takes about `cost`.
///
/// # Errors
///
/// Returns an error if the servers, by default, refuse an n that takes so long.
pub(crate) fn calibrate(cost: Duration) -> Result<Calibrated, Usage> {
    let n = n_from(PROBE_N, time(PROBE_N), cost)
        .ok_or_else(|| Usage(too_much(cost)))?;
    Ok(Calibrated {
        cost_ns: cost.as_nanos() as u64,
        n,
        took_ns: time(n).as_nanos() as u64,
        fib: None,
    })
}

/// Finds the n for which another implementation of fib takes about `cost`.
/// `time` returns how long its server takes for an n.
///
/// # Errors
///
/// Returns an error if `time` does, if no n takes so long, or if the server
/// doesn't compute fib by naive recursion.
pub(crate) fn calibrate_by(
    fib: &str,
    cost: Duration,
    mut time: impl FnMut(u8) -> Result<Duration, Failure>,
) -> Result<Calibrated, Failure> {
    let mut probe = PROBES_FROM;
    let mut took = time(probe)?;
    while took < PROBE_TIME_MIN && probe < PROBE_N {
        probe += PROBES_STEP;
        took = time(probe)?;
    }
    let n = n_from(probe, took, cost)
        .ok_or_else(|| Failure::Instrument(too_much(cost)))?;
    let took = time(n)?;
    if took < cost / CREDIBLE_PART {
        return Err(Failure::Instrument(format!(
            "n = {n} takes {took:?}, too short for naive recursion"
        )));
    }
    Ok(Calibrated {
        cost_ns: cost.as_nanos() as u64,
        n,
        took_ns: took.as_nanos() as u64,
        fib: Some(fib.to_owned()),
    })
}

fn too_much(cost: Duration) -> String {
    let cost = humantime::format_duration(cost);
    format!(
        "`cost = \"{cost}\"` is too long: even n = {N_MAX_DEFAULT}, the \
         greatest that the servers accept, takes less time here"
    )
}

/// Returns the n that takes about `cost`, given that `probe` took `time`, or
/// `None` if the servers refuse such an n.
fn n_from(probe: u8, time: Duration, cost: Duration) -> Option<u8> {
    let factor = cost.as_secs_f64() / time.as_secs_f64();
    let steps = factor.ln() / GROWTH.ln();
    let n = (f64::from(probe) + steps).round().max(0.0);
    (n <= f64::from(N_MAX_DEFAULT)).then_some(n as u8)
}

/// Returns the CPU time of fib, which is the time that it takes on an otherwise
/// idle core.
fn time(n: u8) -> Duration {
    let timings = (0..TIMINGS).map(|_| {
        let start = cpu_time();
        black_box(fib(black_box(n)));
        cpu_time().saturating_sub(start)
    });
    timings.min().unwrap_or_default()
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Finds the n for each cost of the scenarios.
///
/// # Errors
///
/// Returns an error if a cost is longer than the servers' greatest n takes.
pub(crate) fn calibrations(
    scenarios: &[Scenario],
) -> Result<Vec<Calibrated>, Usage> {
    costs(scenarios).into_iter().map(calibrate).collect()
}

/// Returns the costs of the scenarios, without duplicates.
pub(crate) fn costs(scenarios: &[Scenario]) -> Vec<Duration> {
    let groups = scenarios.iter().flat_map(|scenario| &scenario.groups);
    let mut costs: Vec<Duration> =
        groups.filter_map(|group| group.cost).collect();
    costs.sort_unstable();
    costs.dedup();
    costs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n_grows_until_an_interpreter_can_be_timed() {
        // 100 ns for each step of fib, and 200 µs for the rest of a request.
        let mut asked = Vec::new();
        let calibrated = calibrate_by("slow", Duration::from_millis(50), |n| {
            asked.push(n);
            let steps = GROWTH.powi(n.into());
            Ok(Duration::from_secs_f64(200e-6 + steps * 100e-9))
        });
        let calibrated = calibrated.unwrap();
        assert_eq!(asked, [15, 19, 23, 27]);
        assert_eq!(calibrated.n, 27);
        let ms = Duration::from_millis;
        assert!(calibrated.is_for(ms(50), Some("slow")));
        assert!(!calibrated.is_for(ms(50), None));
        assert!(!calibrated.is_for(ms(51), Some("slow")));
    }

    #[test]
    fn a_server_that_does_not_compute_is_not_calibrated() {
        let at_once = |_| Ok(Duration::from_micros(50));
        let ms = Duration::from_millis;
        let failure = calibrate_by("table", ms(50), at_once).unwrap_err();
        assert!(failure.to_string().contains("too short for naive recursion"));
    }

    #[test]
    fn n_is_derived_from_one_time_and_the_growth() {
        let ms = Duration::from_millis;
        let cases = [
            (ms(1), ms(1), Some(30)),
            (ms(1), ms(50), Some(38)),
            (ms(50), ms(1), Some(22)),
            (ms(1), ms(1_364), Some(N_MAX_DEFAULT)),
            (ms(1), ms(3_600_000), None),
            (ms(1), Duration::from_nanos(1), Some(1)),
            (ms(1), Duration::ZERO, Some(0)),
        ];
        for (time, cost, n) in cases {
            assert_eq!(n_from(30, time, cost), n, "{time:?} {cost:?}");
        }
    }
}
