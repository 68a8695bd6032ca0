//! Which n takes as long as a scenario asks for, on this machine.

use std::hint::black_box;
use std::time::Duration;

use protocol::{N_MAX_DEFAULT, fib};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// By what factor one more n takes longer: the golden ratio.
const GROWTH: f64 = 1.618_033_988_749_895;

/// Long enough to be timed, short enough to be timed often.
const PROBE_N: u8 = 27;

/// How often a time is taken; the shortest is the one that nothing disturbed.
const TIMINGS: usize = 3;

/// The n that was found for a cost.
#[derive(
    schemars::JsonSchema, Clone, Copy, Debug, PartialEq, Deserialize, Serialize,
)]
pub(crate) struct Calibrated {
    /// What was asked for.
    pub(crate) cost_ns: u64,
    /// The n whose fib takes about that long.
    pub(crate) n: u8,
    /// How long it took.
    pub(crate) took_ns: u64,
}

/// Finds the n whose fib takes about `cost`.
pub(crate) fn calibrate(cost: Duration) -> Calibrated {
    let n = n_from(PROBE_N, time(PROBE_N), cost);
    Calibrated {
        cost_ns: cost.as_nanos() as u64,
        n,
        took_ns: time(n).as_nanos() as u64,
    }
}

/// The n that takes about `cost` when `probe` took `time`.
fn n_from(probe: u8, time: Duration, cost: Duration) -> u8 {
    let factor = cost.as_secs_f64() / time.as_secs_f64();
    let steps = factor.ln() / GROWTH.ln();
    // The servers refuse a larger n, unless told otherwise.
    let n = (f64::from(probe) + steps).round();
    n.clamp(0.0, f64::from(N_MAX_DEFAULT)) as u8
}

/// The CPU time of fib: what it takes where nobody else wants the core.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n_follows_from_one_time_and_the_growth() {
        let ms = Duration::from_millis;
        let cases = [
            (ms(1), ms(1), 30),
            (ms(1), ms(50), 38),
            (ms(50), ms(1), 22),
            (ms(1), Duration::from_secs(3600), N_MAX_DEFAULT),
            (ms(1), Duration::from_nanos(1), 1),
        ];
        for (time, cost, n) in cases {
            assert_eq!(n_from(30, time, cost), n, "{time:?} {cost:?}");
        }
    }
}
