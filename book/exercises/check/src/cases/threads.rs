//! Cases of the exercise `threads`: a memo that threads share.

use std::time::Duration;

use conformance::{CaseResult, Client, ExpectedReply, Fixture, check};

use crate::exercise::Case;
use crate::shared::connect;

pub(crate) const CASES: &[Case] = &[
    Case::of_server(
        "a number that was computed once isn't computed again",
        "all threads must share one memo, and every thread must fill it",
        remembers,
    )
    .starter_passes(),
    Case::of_server(
        "a short request doesn't wait for another client's long one",
        "is the memo locked while fib is computed?",
        short_beside_long,
    )
    .fails_with("got      it after"),
    Case::of_server(
        "a number that several clients request at once is computed once",
        "the first thread must leave a mark that other threads can wait \
         for: std::sync::OnceLock is one",
        once,
    )
    .starter_passes(),
];

/// A job that is long enough to show in the CPU time of a process.
const LONG: Duration = Duration::from_millis(400);

/// How long a long job may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn remembers(fixture: &Fixture<'_>) -> CaseResult {
    let n = fixture.n_that_takes(LONG)?;
    let server = fixture.server(&[])?;
    let mut used = [Duration::ZERO; 2];
    for used in &mut used {
        let before = server.usage().cpu;
        connect(&server, PATIENCE)?.ask(n)?;
        *used = server.usage().cpu - before;
    }
    let [first, second] = used;
    check(second < first / 2, || {
        format!("expected no more computing\ngot      {second:?} of CPU time")
    })
}

fn short_beside_long(fixture: &Fixture<'_>) -> CaseResult {
    let n = fixture.n_that_takes(2 * LONG)?;
    let server = fixture.server(&[])?;
    let mut long = connect(&server, PATIENCE)?;
    let mut short = connect(&server, PATIENCE)?;
    short.ask(1)?;
    long.send(format!("{n}\n").as_bytes())?;
    long.wait_until_read()?;
    let before = server.usage().cpu;
    short.ask(2)?;
    // CPU time, since the order of the two replies would be chance: both are
    // sent when the lock is released.
    let used = server.usage().cpu - before;
    long.expect(ExpectedReply::Fib(n))?;
    let total = server.usage().cpu - before;
    check(used < total / 2, || {
        format!(
            "expected the short reply before the long one is computed\n\
             got      it after {used:?} of {total:?} of computing"
        )
    })
}

fn once(fixture: &Fixture<'_>) -> CaseResult {
    const CLIENTS: usize = 6;
    let n = fixture.n_that_takes(LONG)?;
    let server = fixture.server(&[])?;
    let client = || connect(&server, PATIENCE);
    let mut clients: Vec<Client> =
        (0..CLIENTS).map(|_| client()).collect::<CaseResult<_>>()?;
    let before = server.usage().cpu;
    for client in &mut clients {
        client.send(format!("{n}\n").as_bytes())?;
    }
    for client in &mut clients {
        client.expect(ExpectedReply::Fib(n))?;
    }
    let used = server.usage().cpu - before;
    // n + 1 isn't in the memo yet, and takes 1.6 times as long as n. Computing
    // n twice would take 1.25 times as long as that.
    connect(&server, PATIENCE)?.ask(n + 1)?;
    let more = server.usage().cpu - before - used;
    check(used < more, || {
        format!(
            "expected one computation for {CLIENTS} clients: less \
             than {more:?}\n\
             got      {used:?} of computing"
        )
    })
}
