//! A pool that computes only what is slow.

use std::time::Duration;

use conformance::{CaseResult, Client, ExpectedReply, Fixture, check};

use crate::exercise::Case;
use crate::group;
use crate::talk::expect_within;

pub(crate) const CASES: &[Case] = &[
    Case::of_server(
        "quick and slow requests of a client are answered in order",
        "a later request may be done sooner, and must wait for its turn",
        in_order,
    )
    .kept(),
    Case::of_server(
        "a quick request does not wait for another's long one",
        "what is long must not be computed on the loop's thread",
        |fixture| beside(fixture, 1, 2 * LONG),
    )
    .kept(),
    Case::of_server(
        "a quick request does not wait for long ones that fill the pool",
        "does a quick request need a worker?",
        |fixture| beside(fixture, LONG_ONES, LONG),
    ),
    Case::of_server(
        "quick requests wake no thread each",
        "what does the way to a worker and back cost, and what the answer?",
        stays,
    ),
];

/// A job that is still computed when a quick one is long done.
const LONG: Duration = Duration::from_millis(300);

/// More than the pool has workers, on most machines.
const LONG_ONES: usize = 16;

/// What must come comes sooner, even on a busy machine.
const SOON: Duration = Duration::from_secs(4);

fn in_order(fixture: &Fixture<'_>) -> CaseResult {
    let slow = fixture.n_that_takes(Duration::from_millis(20))?;
    let server = fixture.server(&[])?;
    let mut client = server.client()?;
    let numbers = [1, slow, 2, 3, slow + 1, slow, 4, 20, 5];
    let lines = numbers.map(|n| format!("{n}\n")).concat();
    client.send(lines.as_bytes())?;
    numbers.into_iter().try_for_each(|n| expect(&mut client, n))
}

/// Asks something quick beside so many who have long jobs computed.
fn beside(fixture: &Fixture<'_>, count: usize, long: Duration) -> CaseResult {
    let n = fixture.n_that_takes(long)?;
    let server = fixture.server(&[])?;
    let mut quick = server.client()?;
    quick.ask(1)?;
    let mut long_ones = server.clients(count)?;
    for long in &mut long_ones {
        long.send(format!("{n}\n").as_bytes())?;
    }
    long_ones[count - 1].wait_until_read()?;
    let before = answered(&long_ones);
    for n in 2..5 {
        quick.send(format!("{n}\n").as_bytes())?;
        expect(&mut quick, n)?;
    }
    let meanwhile = answered(&long_ones) - before;
    check(meanwhile <= count / 4, || {
        format!(
            "expected answers before those of the long requests\n\
             got      them after {meanwhile} of {count}"
        )
    })
}

/// How many have been answered by now.
fn answered(clients: &[Client]) -> usize {
    clients.iter().filter(|client| client.has_input()).count()
}

fn stays(fixture: &Fixture<'_>) -> CaseResult {
    const REQUESTS: usize = 4000;
    /// Each would wake a worker, or the loop, or both.
    const SWITCHES_MAX: u64 = REQUESTS as u64 / 8;
    let server = fixture.server(&[])?;
    let mut client = server.client()?;
    client.ask(1)?;
    let before = group::switches(&server);
    client.send("2\n".repeat(REQUESTS).as_bytes())?;
    (0..REQUESTS).try_for_each(|_| expect(&mut client, 2))?;
    let switches = group::switches(&server).saturating_sub(before);
    check(switches < SWITCHES_MAX, || {
        format!(
            "expected that its threads sleep seldom while one client has sent \
             {REQUESTS} requests\ngot      {switches} times"
        )
    })
}

fn expect(client: &mut Client, n: u64) -> CaseResult {
    expect_within(client, ExpectedReply::Fib(n), SOON)
}
