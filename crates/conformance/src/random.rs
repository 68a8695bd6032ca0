//! A pseudo-random number generator: the same seed gives the same numbers.

/// A splitmix64 generator: small, and good enough to choose requests.
pub(crate) struct Random(u64);

impl Random {
    /// Returns a generator with this seed.
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// Returns a number in `0..end`. The bias towards small numbers is of the
    /// order of `end / 2^64`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}
