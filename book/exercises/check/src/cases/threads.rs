//! A memo that threads share.

use std::time::Duration;

use conformance::{Answer, Next, Stage, Verdict, check};

use crate::exercise::Case;

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
    ),
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

fn remembers(stage: &Stage<'_>) -> Verdict {
    let n = stage.job(LONG)?;
    let server = stage.server(&[])?;
    server.client()?.ask(n)?;
    let before = server.vitals().cpu;
    server.client()?.ask(n)?;
    let used = server.vitals().cpu - before;
    check(used < LONG / 2, || {
        format!("expected no more computing\ngot      {used:?} of it")
    })
}

fn short_beside_long(stage: &Stage<'_>) -> Verdict {
    let n = stage.job(4 * LONG)?;
    let server = stage.server(&[])?;
    let mut long = server.client()?;
    let mut short = server.client()?;
    short.ask(1)?;
    long.send(format!("{n}\n").as_bytes())?;
    long.until_read()?;
    let before = server.vitals().cpu;
    short.ask(2)?;
    // Which of the two answers comes first would be chance: they are sent
    // when the lock is given back.
    let used = server.vitals().cpu - before;
    check(used < LONG, || {
        format!(
            "expected the short answer before the long one is computed\n\
             got      it after {used:?} of computing"
        )
    })?;
    long.expect(Answer::Fib(n))
}

fn once(stage: &Stage<'_>) -> Verdict {
    const CLIENTS: usize = 6;
    let n = stage.job(LONG)?;
    let server = stage.server(&[])?;
    let mut clients = server.clients(CLIENTS)?;
    let before = server.vitals().cpu;
    for client in &mut clients {
        client.send(format!("{n}\n").as_bytes())?;
    }
    for client in &mut clients {
        match client.next_reply() {
            Next::Line(line) if Answer::Fib(n).is(&line) => {}
            other => {
                let what = client.describe(&other);
                return Err(client.failure("the answer", &what));
            }
        }
    }
    let used = server.vitals().cpu - before;
    check(used < 3 * LONG, || {
        format!(
            "expected one computation for {CLIENTS} clients\ngot      {used:?} \
             of computing"
        )
    })
}
