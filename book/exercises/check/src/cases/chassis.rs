//! What becomes of clients when a server is told to stop.

use std::time::Duration;

use conformance::{
    CaseResult, Client, ExpectedReply, Fixture, Next, TestServer, check,
    wait_until,
};
use launch::Signal;

use crate::exercise::Case;
use crate::talk;

pub(crate) const CASES: &[Case] = &[
    Case::of_server(
        "idle clients are told of the stop by end-of-file, and it exits with 0",
        "a thread that waits for a request must be woken: by what?",
        idle,
    )
    .kept(),
    Case::of_server(
        "who has sent half a line is told of the stop, and nothing else",
        "a number that is cut off by an end is another number",
        half_a_line,
    )
    .kept(),
    Case::of_server(
        "who waits for an answer gets it, and then the end",
        "who sees to it that the process lives until the answer is sent?",
        waits_for_an_answer,
    ),
    Case::of_server(
        "meanwhile its port is closed, and idle clients are sent away",
        "in which order does the stop deal with the listener, with those who \
         wait for a request and with those who wait for an answer?",
        meanwhile,
    ),
    Case::of_server(
        "of a client that has left, nothing is left",
        "a socket is closed when its last descriptor is",
        nothing_left,
    )
    .kept(),
];

/// Long enough to be told to stop in the middle of it, and for others to be
/// sent away before it is done.
const LONG: Duration = Duration::from_secs(1);

/// What takes no computing comes within this, or never.
const SOON: Duration = Duration::from_secs(3);

/// An idle server has stopped within this.
const IDLE_STOP: Duration = Duration::from_secs(2);

/// A server that waits for a while, instead of for its clients, has gone
/// before this is over: else it would be too late when it is idle.
const LONGER: Duration = Duration::from_millis(2500);

/// A long job may take so long, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn idle(fixture: &Fixture<'_>) -> CaseResult {
    let mut server = fixture.server(&[])?;
    let mut clients = idle_clients(&server)?;
    server.signal(Signal::TERM);
    clients.iter_mut().try_for_each(Client::expect_end)?;
    server.expect_exit(0, IDLE_STOP).map(drop)
}

fn half_a_line(fixture: &Fixture<'_>) -> CaseResult {
    let mut server = fixture.server(&[])?;
    let mut client = server.client()?;
    client.ask(10)?;
    client.send(b"1")?;
    client.wait_until_read()?;
    server.signal(Signal::TERM);
    client.expect_end()?;
    server.expect_exit(0, IDLE_STOP).map(drop)
}

fn waits_for_an_answer(fixture: &Fixture<'_>) -> CaseResult {
    let mut server = fixture.server(&[])?;
    let (mut client, n) = busy_client(fixture, &server, LONGER)?;
    server.signal(Signal::TERM);
    client.expect(ExpectedReply::Fib(n))?;
    match client.next_within(SOON) {
        Next::End => {}
        other => {
            let what = client.describe(&other);
            return Err(client.failure("end-of-file", &what));
        }
    }
    server.expect_exit(0, SOON).map(drop)
}

fn meanwhile(fixture: &Fixture<'_>) -> CaseResult {
    let mut server = fixture.server(&[])?;
    let mut idle = idle_clients(&server)?;
    let (mut busy, n) = busy_client(fixture, &server, LONG)?;
    server.signal(Signal::TERM);
    idle.iter_mut().try_for_each(Client::expect_end)?;
    let is_closed = wait_until(SOON, || client_of(&server).is_err());
    check(is_closed, || {
        "expected the port to be closed\ngot      a connection".to_owned()
    })?;
    if busy.has_input() {
        let what = busy.next_within(Duration::ZERO);
        let got = format!("first of all {}", busy.describe(&what));
        let expected = "others to be sent away before this one's answer";
        return Err(busy.failure(expected, &got));
    }
    busy.expect(ExpectedReply::Fib(n))?;
    server.expect_exit(0, SOON).map(drop)
}

fn nothing_left(fixture: &Fixture<'_>) -> CaseResult {
    const CLIENTS: usize = 20;
    /// Whatever a server keeps for a while, it keeps less than this.
    const FEW: u64 = 5;
    let server = fixture.server(&[])?;
    server.expect_service()?;
    let before = server.usage();
    for _ in 0..CLIENTS {
        let mut client = client_of(&server)?;
        client.send(b"10\n")?;
        client.half_close()?;
        client.expect(ExpectedReply::Fib(10))?;
        client.expect_end()?;
    }
    let mut left = (0, 0);
    let is_little = wait_until(SOON, || {
        let now = server.usage();
        let threads = now.threads.saturating_sub(before.threads);
        left = (now.fds.saturating_sub(before.fds), threads);
        left.0 < FEW && left.1 < FEW
    });
    check(is_little, || {
        let (fds, threads) = left;
        format!(
            "expected nothing to be left of {CLIENTS} clients\ngot      \
             {fds} descriptors and {threads} threads"
        )
    })?;
    // Of one that has ended, nothing is left either.
    server.expect_service()
}

/// Clients that have been answered, and ask no more.
fn idle_clients(server: &TestServer<'_>) -> CaseResult<Vec<Client>> {
    const CLIENTS: usize = 3;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let mut client = client_of(server)?;
        client.ask(10)?;
        clients.push(client);
    }
    Ok(clients)
}

/// A client that waits for an answer which is being computed.
fn busy_client(
    fixture: &Fixture<'_>,
    server: &TestServer<'_>,
    job: Duration,
) -> CaseResult<(Client, u64)> {
    /// Some ticks of the clock: more than it takes to read a request.
    const BEGUN: Duration = Duration::from_millis(50);
    let n = fixture.n_that_takes(job)?;
    let mut client = talk::client_of(server, PATIENCE)?;
    let before = server.usage().cpu;
    client.send(format!("{n}\n").as_bytes())?;
    let has_begun = wait_until(fixture.patience(), || {
        server.usage().cpu.saturating_sub(before) >= BEGUN
    });
    check(has_begun, || format!("expected it to compute F({n})"))?;
    Ok((client, n))
}

/// A client that does not wait for long.
fn client_of(server: &TestServer<'_>) -> CaseResult<Client> {
    talk::client_of(server, SOON)
}
