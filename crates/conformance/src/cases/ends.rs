//! How connections end: half-close, reset, close, and unfinished lines.

use std::time::Duration;

use crate::case::{Case, CaseResult, Family, Need, check, wait_until};
use crate::client::Client;
use crate::fixture::{ANY_N, Fixture, TestServer};
use crate::reply::{ExpectedReply, NOT_A_NUMBER};

const fn case(name: &'static str, run: fn(&Fixture<'_>) -> CaseResult) -> Case {
    Case::new(Family::Ends, name, run)
}

pub(super) const CASES: &[Case] = &[
    case(
        "a client that half-closes with 100 requests pending gets all replies",
        half_close,
    ),
    case(
        "a client that half-closes during a long job gets its reply",
        half_close_long,
    )
    .computes(),
    case(
        "a client that half-closes at once gets end-of-file and no byte",
        half_close_idle,
    ),
    case("an unfinished last line is dropped", unfinished_line),
    case(
        "an unfinished line that is too long gets `line-too-long` once",
        unfinished_long,
    ),
    case("clients that leave do not disturb the other clients", beside_others)
        .needs(&[Need::SeveralClients]),
    case(
        "5,000 clients that connect and leave at once leak nothing",
        leave_at_once,
    ),
    case("the server survives a reset before a reply", reset_before),
    case("the server survives a reset during a reply", reset_during),
    case("the server survives a reset after a reply", reset_after),
    case(
        "the server survives a client that closes with replies unread",
        close_unread,
    ),
    case(
        "the server survives a client that leaves during a long job",
        leave_long_job,
    )
    .computes(),
    case(
        "a queued job never starts after its client resets the connection",
        reset_queued,
    )
    .needs(&[Need::Pool, Need::Flag("--workers")])
    .computes(),
];

fn half_close(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    let mut client = server.client()?;
    client.send("20\n".repeat(100).as_bytes())?;
    client.half_close()?;
    client.expect_all([ExpectedReply::Fib(20); 100])?;
    client.expect_end()
}

fn half_close_long(fixture: &Fixture<'_>) -> CaseResult {
    let long = fixture.n_that_takes(Duration::from_millis(300))?;
    let server = fixture.server(&ANY_N)?;
    let mut client = server.client()?;
    client.send(format!("1\n{long}\n2\n").as_bytes())?;
    client.expect(ExpectedReply::Fib(1))?;
    client.half_close()?;
    client.expect_all([long, 2].map(ExpectedReply::Fib))?;
    client.expect_end()
}

fn half_close_idle(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    let mut fresh = server.client()?;
    fresh.half_close()?;
    fresh.expect_end()?;
    let mut used = server.client()?;
    used.ask(10)?;
    used.half_close()?;
    used.expect_end()
}

fn unfinished_line(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    for unfinished in ["1", "10", "10\r", "x", " "] {
        let mut alone = server.client()?;
        alone.send(unfinished.as_bytes())?;
        alone.half_close()?;
        alone.expect_end()?;
        drop(alone);
        let mut behind = server.client()?;
        behind.send(format!("20\nx\n{unfinished}").as_bytes())?;
        behind.half_close()?;
        behind.expect_all([ExpectedReply::Fib(20), NOT_A_NUMBER])?;
        behind.expect_end()?;
    }
    Ok(())
}

fn unfinished_long(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    let mut client = server.client()?;
    client.send(&[b'1'; 1_000])?;
    client.half_close()?;
    client.expect(crate::reply::LINE_TOO_LONG)?;
    client.expect_end()
}

fn beside_others(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    let mut clients = server.clients(30)?;
    let round = |clients: &mut Vec<Client>| {
        clients.iter_mut().try_for_each(|client| client.ask(10))
    };
    round(&mut clients)?;
    while clients.len() > 3 {
        let at = clients.len() / 2;
        clients.remove(at).reset();
        drop(clients.remove(at));
        clients.remove(0).half_close()?;
        round(&mut clients)?;
    }
    Ok(())
}

fn leave_at_once(fixture: &Fixture<'_>) -> CaseResult {
    expect_no_leak(fixture, 5_000, |_| Ok(()))
}

fn reset_before(fixture: &Fixture<'_>) -> CaseResult {
    expect_no_leak(fixture, 100, |mut client| {
        client.send(b"20\n20")?;
        client.reset();
        Ok(())
    })?;
    expect_no_leak(fixture, 100, |client| {
        client.reset();
        Ok(())
    })
}

fn reset_during(fixture: &Fixture<'_>) -> CaseResult {
    // The replies fill all buffers, so the server is in the middle of a reply.
    let requests = b"x\n".repeat(50_000);
    expect_no_leak(fixture, 20, |mut client| {
        client.send(&requests)?;
        client.expect(NOT_A_NUMBER)?;
        client.reset();
        Ok(())
    })
}

fn reset_after(fixture: &Fixture<'_>) -> CaseResult {
    expect_no_leak(fixture, 100, |mut client| {
        client.ask(10)?;
        client.reset();
        Ok(())
    })
}

fn close_unread(fixture: &Fixture<'_>) -> CaseResult {
    // The client's kernel answers the first reply with RST. The server's next
    // write then raises SIGPIPE, which ends a server that doesn't ignore it.
    let requests = "20\nx\n".repeat(500);
    expect_no_leak(fixture, 50, |mut client| client.send(requests.as_bytes()))
}

fn leave_long_job(fixture: &Fixture<'_>) -> CaseResult {
    let long = fixture.n_that_takes(Duration::from_millis(100))?;
    let server = fixture.server(&ANY_N)?;
    let baseline = baseline(&server)?;
    let request = format!("1\n{long}\n{long}\n");
    let ways_to_leave: [fn(Client); 3] = [drop, Client::reset, |mut client| {
        // Fails only if the server has closed the connection.
        let _ = client.half_close();
        client.reset();
    }];
    for leave in ways_to_leave {
        let mut client = server.client()?;
        client.exchange(request.as_bytes(), ExpectedReply::Fib(1))?;
        leave(client);
        server.expect_service()?;
    }
    server.expect_fds_released(baseline)
}

fn reset_queued(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&["--workers", "1", ANY_N[0], ANY_N[1]])?;
    // Long enough for the other client to leave before the job ends, even if
    // the machine is busy.
    let n = fixture.n_that_takes(Duration::from_secs(2))?;
    let mut first = server.patient_client()?;
    first.ask(10)?;
    let idle = server.usage().cpu;
    first.send(format!("{n}\n").as_bytes())?;
    let busy = Duration::from_millis(100);
    let is_busy =
        wait_until(fixture.patience(), || server.usage().cpu >= idle + busy);
    check(is_busy, || "expected the one worker to be busy".to_owned())?;
    let before = server.usage();
    let mut leaver = server.client()?;
    // This job would run for centuries.
    leaver.send(b"93\n")?;
    leaver.wait_until_read()?;
    leaver.reset();
    first.expect(ExpectedReply::Fib(n))?;
    // The connection that was reset is closed only when its job has been
    // discarded. Before that, the next request could get the worker first.
    server.expect_fds_released(before)?;
    server.client()?.ask(30)
}

/// Connects `count` clients, one after another, and passes each to `visit`.
/// Checks that the server still serves and leaks no file descriptor.
fn expect_no_leak(
    fixture: &Fixture<'_>,
    count: usize,
    mut visit: impl FnMut(Client) -> CaseResult,
) -> CaseResult {
    let server = fixture.server(&[])?;
    let baseline = baseline(&server)?;
    for i in 0..count {
        visit(server.client()?)?;
        // The backlog is finite. This waits until the server has emptied it.
        if i % 500 == 499 {
            server.expect_service()?;
        }
    }
    server.expect_service()?;
    server.expect_fds_released(baseline)
}

/// Returns the server's resources after its first client has left: what the
/// server allocates for its first client is not a leak.
fn baseline(
    server: &TestServer<'_>,
) -> CaseResult<crate::usage::ResourceUsage> {
    let mut client = server.client()?;
    client.ask(10)?;
    client.half_close()?;
    client.expect_end()?;
    Ok(server.usage())
}
