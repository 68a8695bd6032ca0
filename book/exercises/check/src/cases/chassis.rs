//! Cases of the exercise `chassis`: what a server does with its clients when it
//! stops.

use std::time::Duration;

use conformance::{
    CaseResult, Client, ExpectedReply, Fixture, Next, TestServer, check,
    wait_until,
};
use launch::Signal;

use crate::exercise::Case;
use crate::shared;

pub(crate) const CASES: &[Case] = &[
    Case::of_server(
        "idle clients get end-of-file, and the server exits with 0",
        "what can wake a thread that waits for a request?",
        idle,
    )
    .starter_passes(),
    Case::of_server(
        "a client that has sent half a line gets end-of-file and no reply",
        "a number that is cut short is a different number",
        half_a_line,
    )
    .starter_passes(),
    Case::of_server(
        "a client that waits for a reply gets it, then end-of-file",
        "what keeps the process alive until the reply is sent?",
        waits_for_a_reply,
    ),
    Case::of_server(
        "a stop closes the port and idle clients before the last reply",
        "in which order does a stop end the listener, the connections \
         without a request, and those with one?",
        idle_clients_first,
    ),
    Case::of_server(
        "a client that has left leaves no descriptor and no thread",
        "a socket is closed when its last descriptor is closed",
        nothing_left,
    )
    .starter_passes(),
];

/// Long enough that the stop begins and idle clients are closed before the job
/// is done.
const LONG: Duration = Duration::from_secs(1);

/// How long to wait for what requires no computing.
const SOON: Duration = Duration::from_secs(3);

/// How long an idle server may take to stop.
const IDLE_STOP: Duration = Duration::from_secs(2);

/// A job that outlasts any fixed pause before exiting. A server that pauses
/// instead of waiting for its clients exits before the job is done, or else
/// takes longer than [`IDLE_STOP`] when it is idle.
const LONGER: Duration = Duration::from_millis(2500);

/// How long a long job may take on a busy machine.
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

fn waits_for_a_reply(fixture: &Fixture<'_>) -> CaseResult {
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

fn idle_clients_first(fixture: &Fixture<'_>) -> CaseResult {
    let mut server = fixture.server(&[])?;
    let mut idle = idle_clients(&server)?;
    let (mut busy, n) = busy_client(fixture, &server, LONG)?;
    server.signal(Signal::TERM);
    idle.iter_mut().try_for_each(Client::expect_end)?;
    let is_closed = wait_until(SOON, || connect(&server).is_err());
    check(is_closed, || {
        "expected the port to be closed\ngot      a connection".to_owned()
    })?;
    if busy.has_input() {
        let what = busy.next_within(Duration::ZERO);
        let got = format!("{} before that", busy.describe(&what));
        let expected = "idle clients to get end-of-file before this reply";
        return Err(busy.failure(expected, &got));
    }
    busy.expect(ExpectedReply::Fib(n))?;
    server.expect_exit(0, SOON).map(drop)
}

fn nothing_left(fixture: &Fixture<'_>) -> CaseResult {
    const CLIENTS: usize = 20;
    /// A server may keep some descriptors or threads for a while, but fewer
    /// than this.
    const FEW: u64 = 5;
    let server = fixture.server(&[])?;
    server.expect_service()?;
    let before = server.usage();
    for _ in 0..CLIENTS {
        let mut client = connect(&server)?;
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
    // A server that has crashed leaves nothing either, so it must still serve.
    server.expect_service()
}

/// Connects clients that have got a reply, and send no more requests.
fn idle_clients(server: &TestServer<'_>) -> CaseResult<Vec<Client>> {
    const CLIENTS: usize = 3;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let mut client = connect(server)?;
        client.ask(10)?;
        clients.push(client);
    }
    Ok(clients)
}

/// Connects a client whose request is being computed, and returns the number.
fn busy_client(
    fixture: &Fixture<'_>,
    server: &TestServer<'_>,
    job: Duration,
) -> CaseResult<(Client, u64)> {
    /// Several clock ticks: more CPU time than reading a request takes.
    const BEGUN: Duration = Duration::from_millis(50);
    let n = fixture.n_that_takes(job)?;
    let mut client = shared::connect(server, PATIENCE)?;
    let before = server.usage().cpu;
    client.send(format!("{n}\n").as_bytes())?;
    let has_begun = wait_until(fixture.patience(), || {
        server.usage().cpu.saturating_sub(before) >= BEGUN
    });
    check(has_begun, || format!("expected the server to compute F({n})"))?;
    Ok((client, n))
}

/// Connects a client that waits up to [`SOON`] for each reply.
fn connect(server: &TestServer<'_>) -> CaseResult<Client> {
    shared::connect(server, SOON)
}
