//! The number that a correct reply contains.

/// Returns F(n) by addition: the load generator must know the number, but not
/// spend the time of the naive recursion.
pub(crate) fn fibonacci(n: u8) -> u64 {
    let (mut last, mut next) = (0_u64, 1_u64);
    for _ in 0..n {
        (last, next) = (next, last.wrapping_add(next));
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expected_numbers_are_those_of_the_protocol() {
        for n in 0..=25 {
            assert_eq!(fibonacci(n), protocol::fib(n));
        }
        // OEIS A000045: the last number that fits into 64 bits.
        assert_eq!(fibonacci(93), 12_200_160_415_121_876_738);
    }
}
