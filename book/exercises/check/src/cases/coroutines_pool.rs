//! Cases of the exercise `coroutines-pool`: a pool for long requests only.

use std::time::Duration;

use conformance::{Answer, Client, Stage, Verdict, check};

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
        |stage| beside(stage, 1, 2 * LONG),
    )
    .starter_passes(),
    Case::of_server(
        "a short request doesn't wait for long ones that fill the pool",
        "does a short request need a worker?",
        |stage| beside(stage, LONG_REQUESTS, LONG),
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

fn in_order(stage: &Stage<'_>) -> Verdict {
    let long = stage.job(Duration::from_millis(20))?;
    let server = stage.server(&[])?;
    let mut client = server.client()?;
    let numbers = [1, long, 2, 3, long + 1, long, 4, 20, 5];
    let lines = numbers.map(|n| format!("{n}\n")).concat();
    client.send(lines.as_bytes())?;
    numbers.into_iter().try_for_each(|n| expect(&mut client, n))
}

/// Sends short requests while `count` other clients have long jobs computed.
fn beside(stage: &Stage<'_>, count: usize, long: Duration) -> Verdict {
    let n = stage.job(long)?;
    let server = stage.server(&[])?;
    let mut short = server.client()?;
    short.ask(1)?;
    let mut others = server.clients(count)?;
    for other in &mut others {
        other.send(format!("{n}\n").as_bytes())?;
    }
    others[count - 1].until_read()?;
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
    clients.iter().filter(|client| client.has_news()).count()
}

fn wakes_few_threads(stage: &Stage<'_>) -> Verdict {
    const REQUESTS: usize = 4000;
    /// A request that goes to the pool wakes a worker, the loop, or both.
    const SWITCHES_MAX: u64 = REQUESTS as u64 / 8;
    let server = stage.server(&[])?;
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

fn expect(client: &mut Client, n: u64) -> Verdict {
    expect_within(client, Answer::Fib(n), SOON)
}
