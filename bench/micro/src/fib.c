/* The same recursion as in the protocol crate, compiled by `clang -O2`. Prints
 * the CPU time of fib(n) in nanoseconds, and its value. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static __attribute__((noinline)) uint64_t fib(uint8_t n) {
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int main(int count, char **words) {
    uint8_t n = (uint8_t)atoi(count > 1 ? words[1] : "0");
    uint64_t start = now_ns();
    uint64_t value = fib(n);
    printf("%lu %lu\n", now_ns() - start, value);
    return 0;
}
