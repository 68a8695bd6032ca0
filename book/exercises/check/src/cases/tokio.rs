//! Cases of the exercise `tokio`: a read that a tick cancels.

use std::time::Duration;

use conformance::{CaseResult, Client, ExpectedReply, Fixture, Next, check};

use crate::exercise::Case;

pub(crate) const CASES: &[Case] = &[
    Case::of_server(
        "lines that arrive at once are answered in order",
        "the buffer of a line must be empty when the next line begins",
        answers,
    )
    .starter_passes(),
    Case::of_server(
        "an idle client gets a line at every tick",
        "the wait for a line must end at a tick, too",
        ticks,
    )
    .starter_passes(),
    Case::of_server(
        "a line may arrive in pieces, with ticks between them",
        "what happens to the bytes that a cancelled read has received? see \
         \"Cancel safety\" in the documentation of read_until",
        pieces,
    ),
];

/// The line that a client gets at a tick.
const STILL_HERE: &[u8] = b"still here\n";

/// How long to wait for a line: several ticks.
const TICKS: Duration = Duration::from_secs(2);

fn answers(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    let mut client = server.client()?;
    client.send(b"10\n20\nten\n12\n")?;
    for reply in [
        ExpectedReply::Fib(10),
        ExpectedReply::Fib(20),
        ExpectedReply::Error("not-a-number"),
        ExpectedReply::Fib(12),
    ] {
        expect_reply(&mut client, reply)?;
    }
    client.half_close()?;
    match next_reply(&mut client) {
        Next::End => Ok(()),
        other => {
            let what = client.describe(&other);
            Err(client.failure("end-of-file, since the client has left", &what))
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
        // The first tick may have been sent before the bytes were read.
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

fn expect_reply(client: &mut Client, reply: ExpectedReply) -> CaseResult {
    match next_reply(client) {
        Next::Line(line) if reply.matches(&line) => Ok(()),
        other => {
            let what = client.describe(&other);
            Err(client.failure(&reply.to_string(), &what))
        }
    }
}

/// Returns what arrives next, without the lines that ticks send.
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
