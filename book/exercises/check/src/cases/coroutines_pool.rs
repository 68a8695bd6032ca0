//! Cases of the exercise `coroutines-pool`: a pool for long requests only.

use std::time::Duration;

use conformance::{CaseResult, Client, ExpectedReply, Fixture, check};

use crate::exercise::Case;
use crate::procfs;
use crate::shared::expect_within;

pub(crate) const CASES: &[Case] = &[
    Case::of_server(
        "short and long requests of one client are answered in order",
        "a later request may be computed first; its reply must wait",
        in_order,
    )
    .starter_passes(),
    Case::of_server(
        "a short request doesn't wait for another client's long one",
        "a long request must not be computed on the loop's thread",
        |fixture| beside(fixture, 1, 2 * LONG),
    )
    .starter_passes(),
    Case::of_server(
        "a short request doesn't wait for long ones that fill the pool",
        "does a short request need a worker?",
        |fixture| beside(fixture, LONG_REQUESTS, LONG),
    ),
    Case::of_server(
        "short requests don't wake a thread each",
        "what costs more: the way to a worker and back, or the computation?",
        wakes_few_threads,
    ),
];

/// A job that takes much longer than a short request.
const LONG: Duration = Duration::from_millis(300);

/// More long requests than a pool has workers, on most machines.
const LONG_REQUESTS: usize = 16;

/// How long to wait for a reply. On the busiest machine, it takes less.
const SOON: Duration = Duration::from_secs(4);

fn in_order(fixture: &Fixture<'_>) -> CaseResult {
    let long = fixture.n_that_takes(Duration::from_millis(20))?;
    let server = fixture.server(&[])?;
    let mut client = server.client()?;
    let numbers = [1, long, 2, 3, long + 1, long, 4, 20, 5];
    let lines = numbers.map(|n| format!("{n}\n")).concat();
    client.send(lines.as_bytes())?;
    numbers.into_iter().try_for_each(|n| expect(&mut client, n))
}

/// Sends short requests while `count` other clients have long jobs computed.
fn beside(fixture: &Fixture<'_>, count: usize, long: Duration) -> CaseResult {
    let n = fixture.n_that_takes(long)?;
    let server = fixture.server(&[])?;
    let mut short = server.client()?;
    short.ask(1)?;
    let mut others = server.clients(count)?;
    for other in &mut others {
        other.send(format!("{n}\n").as_bytes())?;
    }
    others[count - 1].wait_until_read()?;
    let before = answered(&others);
    for n in 2..5 {
        short.send(format!("{n}\n").as_bytes())?;
        expect(&mut short, n)?;
    }
    let meanwhile = answered(&others) - before;
    check(meanwhile <= count / 4, || {
        format!(
            "expected replies before those of the long requests\n\
             got      replies after {meanwhile} of {count}"
        )
    })
}

/// Returns how many clients have a reply to read.
fn answered(clients: &[Client]) -> usize {
    clients.iter().filter(|client| client.has_input()).count()
}

fn wakes_few_threads(fixture: &Fixture<'_>) -> CaseResult {
    const REQUESTS: usize = 4000;
    /// A request that goes to the pool wakes a worker, the loop, or both.
    const SWITCHES_MAX: u64 = REQUESTS as u64 / 8;
    let server = fixture.server(&[])?;
    let mut client = server.client()?;
    client.ask(1)?;
    let before = procfs::switches(&server);
    client.send("2\n".repeat(REQUESTS).as_bytes())?;
    (0..REQUESTS).try_for_each(|_| expect(&mut client, 2))?;
    let switches = procfs::switches(&server).saturating_sub(before);
    check(switches < SWITCHES_MAX, || {
        format!(
            "expected the server's threads to block rarely during {REQUESTS} \
             requests of one client\n\
             got      {switches} times"
        )
    })
}

fn expect(client: &mut Client, n: u64) -> CaseResult {
    expect_within(client, ExpectedReply::Fib(n), SOON)
}
