//! A memo that threads share.

use std::time::Duration;

use conformance::{CaseResult, Client, ExpectedReply, Fixture, check};

use crate::exercise::Case;
use crate::talk::client_of;

pub(crate) const CASES: &[Case] = &[
    Case::of_server(
        "what was computed once is not computed again",
        "the memo must be shared by all threads, and filled by each",
        remembers,
    )
    .kept(),
    Case::of_server(
        "a short request does not wait for another's long one",
        "who holds the lock of the memo while fib is computed?",
        short_beside_long,
    )
    .fails_by("got      it after"),
    Case::of_server(
        "what several ask for at once is computed once",
        "the first who wants a number must leave a mark that others can wait \
         at: std::sync::OnceLock is one",
        once,
    )
    .kept(),
];

/// A job of so long is seen in the CPU time of a process.
const LONG: Duration = Duration::from_millis(400);

/// A long job may take so long, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn remembers(fixture: &Fixture<'_>) -> CaseResult {
    let n = fixture.n_that_takes(LONG)?;
    let server = fixture.server(&[])?;
    let mut used = [Duration::ZERO; 2];
    for used in &mut used {
        let before = server.usage().cpu;
        client_of(&server, PATIENCE)?.ask(n)?;
        *used = server.usage().cpu - before;
    }
    let [first, second] = used;
    check(second < first / 2, || {
        format!("expected no more computing\ngot      {second:?} of it")
    })
}

fn short_beside_long(fixture: &Fixture<'_>) -> CaseResult {
    let n = fixture.n_that_takes(2 * LONG)?;
    let server = fixture.server(&[])?;
    let mut long = client_of(&server, PATIENCE)?;
    let mut short = client_of(&server, PATIENCE)?;
    short.ask(1)?;
    long.send(format!("{n}\n").as_bytes())?;
    long.wait_until_read()?;
    let before = server.usage().cpu;
    short.ask(2)?;
    // Which of the two answers comes first would be chance: they are sent
    // when the lock is given back.
    let used = server.usage().cpu - before;
    long.expect(ExpectedReply::Fib(n))?;
    let in_all = server.usage().cpu - before;
    check(used < in_all / 2, || {
        format!(
            "expected the short answer before the long one is computed\n\
             got      it after {used:?} of {in_all:?} of computing"
        )
    })
}

fn once(fixture: &Fixture<'_>) -> CaseResult {
    const CLIENTS: usize = 6;
    let n = fixture.n_that_takes(LONG)?;
    let server = fixture.server(&[])?;
    let client = || client_of(&server, PATIENCE);
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
    // One more n was not asked for yet, and takes 1.6 times as long: two
    // computations of n are 1.25 times that.
    client_of(&server, PATIENCE)?.ask(n + 1)?;
    let more = server.usage().cpu - before - used;
    check(used < more, || {
        format!(
            "expected one computation for {CLIENTS} clients\ngot      {used:?} \
             of computing"
        )
    })
}
