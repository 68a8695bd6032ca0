//! A read that a tick cancels.

use std::time::Duration;

use conformance::{CaseResult, Client, ExpectedReply, Fixture, Next, check};

use crate::exercise::Case;

pub(crate) const CASES: &[Case] = &[
    Case::of_server(
        "lines that come at once are answered, in their order",
        "what is read into the line must be gone when the next one begins",
        answers,
    )
    .kept(),
    Case::of_server(
        "who asks nothing is told at every tick",
        "the wait for a line must end at a tick, too",
        ticks,
    )
    .kept(),
    Case::of_server(
        "a line may come in pieces, with ticks between them",
        "what becomes of the bytes that a cancelled read had already? see \
         \"Cancel safety\" in the documentation of read_until",
        pieces,
    ),
];

/// What a client is told at a tick.
const STILL_HERE: &[u8] = b"still here\n";

/// Some ticks: what does not come by then will not come.
const TICKS: Duration = Duration::from_secs(2);

fn answers(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    let mut client = server.client()?;
    client.send(b"10\n20\nten\n12\n")?;
    for answer in [
        ExpectedReply::Fib(10),
        ExpectedReply::Fib(20),
        ExpectedReply::Error("not-a-number"),
        ExpectedReply::Fib(12),
    ] {
        expect_reply(&mut client, answer)?;
    }
    client.half_close()?;
    match next_reply(&mut client) {
        Next::End => Ok(()),
        other => {
            let what = client.describe(&other);
            Err(client.failure("the end, as the client has left", &what))
        }
    }
}

fn ticks(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    let mut client = server.client()?;
    expect_ticks(&mut client, 3)
}

fn pieces(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    let mut client = server.client()?;
    for (first, second, n) in [("1", "2\n", 12), ("2", "0\n", 20)] {
        client.send(first.as_bytes())?;
        client.wait_until_read()?;
        // The first tick may have been on its way already.
        expect_ticks(&mut client, 3)?;
        client.send(second.as_bytes())?;
        expect_reply(&mut client, ExpectedReply::Fib(n))?;
    }
    Ok(())
}

fn expect_ticks(client: &mut Client, count: usize) -> CaseResult {
    for _ in 0..count {
        let next = client.next_within(TICKS);
        let what = client.describe(&next);
        check(next == Next::Line(STILL_HERE.to_owned()), || {
            client.failure("\"still here\\n\"", &what).to_string()
        })?;
    }
    Ok(())
}

fn expect_reply(client: &mut Client, answer: ExpectedReply) -> CaseResult {
    match next_reply(client) {
        Next::Line(line) if answer.matches(&line) => Ok(()),
        other => {
            let what = client.describe(&other);
            Err(client.failure(&answer.to_string(), &what))
        }
    }
}

/// What comes next that no tick has sent.
fn next_reply(client: &mut Client) -> Next {
    const TICKS_MAX: usize = 10;
    for _ in 0..TICKS_MAX {
        match client.next_within(TICKS) {
            Next::Line(line) if line == STILL_HERE => {}
            other => return other,
        }
    }
    Next::Nothing
}
