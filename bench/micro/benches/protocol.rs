//! Benchmarks of the protocol alone, without a server: decode, compute, encode.
//!
//! Run it with `cargo bench -p micro`.

#![allow(missing_docs, reason = "criterion's macros make public functions")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use protocol::{Conversation, Framing, Step, fib};

criterion_group!(benches, conversation, recursion);
criterion_main!(benches);

fn conversation(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode + compute + encode");
    for (name, requests, depth) in [
        ("n = 1, one at a time", "1\n", 1),
        ("n = 1, sixteen at once", "1\n", 16),
        ("a malformed line", "x\n", 1),
    ] {
        let input = requests.repeat(depth);
        let mut conversation = Conversation::new(Framing::Line, 45);
        group.throughput(Throughput::Elements(depth as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| exchange(&mut conversation, black_box(&input)));
        });
    }
}

/// Passes `input` to the conversation as one read, and takes its replies until
/// it waits for the next read.
fn exchange(conversation: &mut Conversation, input: &str) {
    if let Step::Read(space) = conversation.next_step() {
        space[..input.len()].copy_from_slice(input.as_bytes());
        conversation.received(input.len());
    }
    loop {
        match conversation.next_step() {
            Step::Compute(request) => conversation.reply(request.compute()),
            Step::Write(bytes) => {
                let count = black_box(bytes).len();
                conversation.sent(count);
            }
            Step::Read(_) | Step::Close => return,
        }
    }
}

fn recursion(criterion: &mut Criterion) {
    criterion.bench_function("fib(25)", |bencher| {
        bencher.iter(|| fib(black_box(25)))
    });
}
