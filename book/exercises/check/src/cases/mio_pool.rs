//! Cases of the exercise `mio-pool`: a result that arrives after its client has
//! left.

use std::time::Duration;

use conformance::{CaseResult, Client, ExpectedReply, Fixture, TestServer};

use crate::exercise::Case;
use crate::shared::{connect, short_beside_long};

pub(crate) const CASES: &[Case] = &[
    Case::of_server(
        "clients get their replies, each in order",
        "a reply belongs to the client that sent the request",
        side_by_side,
    )
    .starter_passes(),
    Case::of_server(
        "a short request doesn't wait for another client's long one",
        "no request may be computed on the loop's thread",
        |fixture| short_beside_long(fixture, 3 * LONG, SOON),
    )
    .starter_passes(),
    Case::of_server(
        "no client gets the reply for a client that has left",
        "a key is used again: what else distinguishes the two clients?",
        no_mix_up,
    )
    .fails_with("F("),
    Case::of_server(
        "a client that has left leaves nothing behind",
        "a client's key must be free when its result arrives, at the latest",
        leave,
    )
    .starter_passes(),
];

/// A job that takes longer than its client needs to leave.
const LONG: Duration = Duration::from_millis(200);

/// How long to wait for a reply. Three long jobs on a busy machine take less.
const SOON: Duration = Duration::from_secs(60);

fn side_by_side(fixture: &Fixture<'_>) -> CaseResult {
    let slow = fixture.n_that_takes(Duration::from_millis(10))?;
    let server = fixture.server(&[])?;
    let mut clients = connect_many(&server, 8)?;
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

fn no_mix_up(fixture: &Fixture<'_>) -> CaseResult {
    // The job must still be running when the next clients have connected.
    let n = fixture.n_that_takes(4 * LONG)?;
    let server = fixture.server(&[])?;
    let mut leaver = server.client()?;
    leaver.send(format!("{n}\n").as_bytes())?;
    leaver.wait_until_read()?;
    leaver.reset();
    // The new clients have longer jobs, so that a misdirected reply would come
    // first.
    let mut newcomers = connect_many(&server, 2)?;
    for newcomer in &mut newcomers {
        newcomer.ask(3)?;
        newcomer.send(format!("{}\n", n + 1).as_bytes())?;
    }
    for newcomer in &mut newcomers {
        newcomer.expect(ExpectedReply::Fib(n + 1))?;
        newcomer.ask(4)?;
    }
    Ok(())
}

fn leave(fixture: &Fixture<'_>) -> CaseResult {
    let n = fixture.n_that_takes(LONG / 2)?;
    let server = fixture.server(&[])?;
    // This client keeps its key. A new client would get a key that was freed
    // and, in the starter, the reply for a client that has left.
    let mut stayer = connect(&server, SOON)?;
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

/// Connects clients that wait up to [`SOON`] for each reply.
fn connect_many(
    server: &TestServer<'_>,
    count: usize,
) -> CaseResult<Vec<Client>> {
    (0..count).map(|_| connect(server, SOON)).collect()
}
