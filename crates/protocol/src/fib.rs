/// Returns the `n`-th Fibonacci number, where F(0) = 0 and F(1) = 1
/// ([OEIS A000045](https://oeis.org/A000045)), by naive recursion.
///
/// The call takes one to two times F(n) nanoseconds and has no point at which
/// it could be stopped: this is the long job with which the servers must cope.
/// It is never inlined, so that it costs the same in all ten.
///
/// An `n` above [`N_MAX`](crate::N_MAX) overflows.
#[inline(never)]
pub fn fib(n: u8) -> u64 {
    if n < 2 { u64::from(n) } else { fib(n - 1) + fib(n - 2) }
}

#[cfg(test)]
mod tests {
    use super::fib;

    #[test]
    fn the_first_numbers_are_those_of_oeis_a000045() {
        let first: Vec<u64> = (0..=12).map(fib).collect();
        assert_eq!(first, [0, 1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144]);
    }

    #[test]
    fn each_number_is_the_sum_of_the_two_before() {
        let (mut last, mut next) = (0, 1);
        for n in 0..=30 {
            assert_eq!(fib(n), last, "n = {n}");
            (last, next) = (next, last + next);
        }
    }
}
