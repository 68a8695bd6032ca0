//! The schedule of an open loop: when its requests fall due.

use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::model::load_plan::Arrivals;

/// The moments at which requests fall due, one after the other. They depend
/// only on the rate, never on the replies.
pub(crate) struct Schedule {
    start: Instant,
    /// The next moment, in seconds since the start. A float, so that rounding
    /// errors don't add up.
    next_s: f64,
    gap_s: f64,
    arrivals: Arrivals,
    random: Rng,
}

impl Schedule {
    /// Returns a schedule that begins at `start`, with `rate` requests per
    /// second.
    pub(crate) fn new(
        start: Instant,
        rate: f64,
        arrivals: Arrivals,
        seed: u64,
    ) -> Schedule {
        let random = Rng::with_seed(seed);
        let gap_s = rate.recip();
        let mut schedule =
            Schedule { start, next_s: 0.0, gap_s, arrivals, random };
        schedule.advance();
        schedule
    }

    /// Moves the whole schedule to another start.
    pub(crate) fn begin(&mut self, start: Instant) {
        self.start = start;
    }

    /// Returns when the next request is due.
    pub(crate) fn next(&self) -> Instant {
        self.start + Duration::from_secs_f64(self.next_s)
    }

    /// Advances to the request after the next one.
    pub(crate) fn advance(&mut self) {
        self.next_s += match self.arrivals {
            Arrivals::Constant => self.gap_s,
            // By inversion; 1 - f64() lies in (0, 1], whose logarithm exists.
            Arrivals::Poisson => -(1.0 - self.random.f64()).ln() * self.gap_s,
        };
    }
}

/// Returns the seed of the random arrivals of one thread's share of a group.
/// Two shares with the same seed would send at the same moments. The numbers
/// are not only added up, because shards may have adjacent seeds.
pub(crate) fn seed(of_plan: u64, group: usize, thread: usize) -> u64 {
    [group as u64, thread as u64]
        .into_iter()
        .fold(mixed(of_plan), |seed, number| mixed(seed.wrapping_add(number)))
}

/// Performs one step of SplitMix64: a bijection after which adjacent numbers
/// have no more in common than any other two.
fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::base::limits::CONNECTIONS_MAX;
    use crate::model::load_plan::RATE_MIN;

    #[test]
    fn shares_with_adjacent_seeds_get_different_seeds() {
        let mut seeds = BTreeSet::new();
        for plan in 0..16 {
            for group in 0..16 {
                for thread in 0..16 {
                    assert!(seeds.insert(seed(plan, group, thread)));
                }
            }
        }
    }

    #[test]
    fn the_lowest_rate_has_a_next_moment_even_for_one_client_in_a_million() {
        let start = Instant::now();
        for arrivals in [Arrivals::Constant, Arrivals::Poisson] {
            let rate = RATE_MIN / CONNECTIONS_MAX as f64;
            let schedule = Schedule::new(start, rate, arrivals, 7);
            assert!(schedule.next() > start);
        }
    }

    fn gaps(arrivals: Arrivals) -> Vec<f64> {
        let start = Instant::now();
        let mut schedule = Schedule::new(start, 1000.0, arrivals, 7);
        let mut last = start;
        let gap = |_| {
            let next = schedule.next();
            let gap = next.duration_since(last).as_secs_f64();
            last = next;
            schedule.advance();
            gap
        };
        (0..100_000).map(gap).collect()
    }

    fn mean(values: &[f64]) -> f64 {
        values.iter().sum::<f64>() / values.len() as f64
    }

    #[test]
    fn constant_arrivals_have_equal_gaps() {
        for gap in gaps(Arrivals::Constant) {
            assert!((gap - 0.001).abs() < 1e-7, "{gap}");
        }
    }

    #[test]
    fn the_gaps_of_poisson_arrivals_have_an_exponential_distribution() {
        let gaps = gaps(Arrivals::Poisson);
        let mean_s = mean(&gaps);
        assert!((mean_s - 0.001).abs() < 2e-5, "{mean_s}");
        // The standard deviation of an exponential distribution is its mean.
        let squares: Vec<f64> =
            gaps.iter().map(|gap| (gap - mean_s).powi(2)).collect();
        let deviation = mean(&squares).sqrt();
        assert!((deviation - mean_s).abs() < 2e-5, "{deviation}");
    }
}
