//! An answer that comes when its client has left.

use std::time::Duration;

use conformance::{CaseResult, Client, ExpectedReply, Fixture, TestServer};

use crate::exercise::Case;
use crate::talk::{client_of, short_beside_long};

pub(crate) const CASES: &[Case] = &[
    Case::of_server(
        "clients get their answers, each in order",
        "an answer belongs to the client that asked",
        side_by_side,
    )
    .kept(),
    Case::of_server(
        "a short request does not wait for another's long one",
        "nothing may be computed on the loop's thread",
        |fixture| short_beside_long(fixture, 3 * LONG, SOON),
    )
    .kept(),
    Case::of_server(
        "nobody gets the answer to one who has left",
        "a key is given away again: what else would tell the two clients \
         apart?",
        one_who_left,
    )
    .fails_by("F("),
    Case::of_server(
        "who has left leaves nothing behind",
        "when the answer is there, at the latest, a client's place is free",
        leave,
    )
    .kept(),
];

/// A job that is still computed when its client has long left.
const LONG: Duration = Duration::from_millis(200);

/// What must come comes sooner, though it may be three long jobs and the
/// machine busy.
const SOON: Duration = Duration::from_secs(60);

fn side_by_side(fixture: &Fixture<'_>) -> CaseResult {
    let slow = fixture.n_that_takes(Duration::from_millis(10))?;
    let server = fixture.server(&[])?;
    let mut clients = clients_of(&server, 8)?;
    let numbers = |client: usize| [client as u64, slow, 20, 30 - client as u64];
    for (client, number) in clients.iter_mut().zip(0..) {
        let lines = numbers(number).map(|n| format!("{n}\n")).concat();
        client.send(lines.as_bytes())?;
        client.half_close()?;
    }
    for (client, number) in clients.iter_mut().zip(0..) {
        client.expect_all(numbers(number).map(ExpectedReply::Fib))?;
        client.expect_end()?;
    }
    Ok(())
}

fn one_who_left(fixture: &Fixture<'_>) -> CaseResult {
    // It must still be computed when the next ones have come.
    let n = fixture.n_that_takes(4 * LONG)?;
    let server = fixture.server(&[])?;
    let mut leaver = server.client()?;
    leaver.send(format!("{n}\n").as_bytes())?;
    leaver.wait_until_read()?;
    leaver.reset();
    // Who comes now asks for more, so that the other answer would come first.
    let mut comers = clients_of(&server, 2)?;
    for comer in &mut comers {
        comer.ask(3)?;
        comer.send(format!("{}\n", n + 1).as_bytes())?;
    }
    for comer in &mut comers {
        comer.expect(ExpectedReply::Fib(n + 1))?;
        comer.ask(4)?;
    }
    Ok(())
}

fn leave(fixture: &Fixture<'_>) -> CaseResult {
    let n = fixture.n_that_takes(LONG / 2)?;
    let server = fixture.server(&[])?;
    // Whoever stays keeps their key. A newcomer would get one that was given
    // back, and with it, in the starter, an answer to one who has left.
    let mut stayer = client_of(&server, SOON)?;
    stayer.ask(1)?;
    let before = server.usage();
    for mut leaver in server.clients(20)? {
        leaver.ask(1)?;
    }
    for mut leaver in server.clients(4)? {
        leaver.send(format!("{n}\n").as_bytes())?;
        leaver.wait_until_read()?;
        leaver.reset();
    }
    server.expect_fds_closed(before)?;
    stayer.ask(2)
}

/// So many clients with time to wait.
fn clients_of(
    server: &TestServer<'_>,
    count: usize,
) -> CaseResult<Vec<Client>> {
    (0..count).map(|_| client_of(server, SOON)).collect()
}
