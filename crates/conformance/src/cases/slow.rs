//! Slow and idle clients, and the idle timeout.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use crate::case::{Ability, Case, CaseResult, Family, Need, check};
use crate::client::{Client, Next};
use crate::fixture::{ANY_N, Fixture, TestServer};
use crate::reply::{ExpectedReply, LINE_TOO_LONG};

const fn case(name: &'static str, run: fn(&Fixture<'_>) -> CaseResult) -> Case {
    Case::new(Family::SlowAndIdle, name, run)
}

const IDLE_TIMEOUT: &[Need] = &[Need::Flag("--idle-timeout")];

/// The idle timeout in cases that wait for it to expire.
const IDLE: Duration = Duration::from_secs(1);
const IDLE_FLAGS: [&str; 2] = ["--idle-timeout", "1s"];

/// How long after the timeout a client may be dropped at the latest: other
/// cases keep the machine busy.
const LATENESS_MAX: Duration = Duration::from_millis(1_500);

/// An idle timeout that is shorter than jobs and queues.
const SHORT_IDLE: Duration = Duration::from_millis(500);
const SHORT_IDLE_FLAGS: [&str; 4] =
    ["--idle-timeout", "500ms", ANY_N[0], ANY_N[1]];

pub(super) const CASES: &[Case] = &[
    case("a client that never reads costs bounded memory", never_reads),
    case(
        "a client that never reads has at most 256 KiB in the send queue",
        send_queue,
    )
    .needs(IDLE_TIMEOUT)
    .alone(),
    case(
        "a client that never reads does not keep others from being served",
        served_beside,
    )
    .needs(&[Need::SeveralClients]),
    case(
        "a client that never reads is dropped at the idle timeout",
        drop_never_reads,
    )
    .needs(IDLE_TIMEOUT),
    case(
        "a client without any request is dropped at the idle timeout",
        never_requests,
    )
    .needs(IDLE_TIMEOUT),
    case("a client that goes silent is dropped at the idle timeout", silent)
        .needs(IDLE_TIMEOUT),
    case("single bytes of an endless line do not reset the idle timeout", drip)
        .needs(IDLE_TIMEOUT),
    case(
        "bytes of a line that is too long do not reset the idle timeout",
        long_drip,
    )
    .needs(IDLE_TIMEOUT),
    case("a flood of bytes without LF does not reset the idle timeout", flood)
        .needs(IDLE_TIMEOUT),
    case("a client with regular requests is never dropped", active)
        .needs(IDLE_TIMEOUT),
    case("bad lines reset the idle timeout", bad_but_active)
        .needs(IDLE_TIMEOUT),
    case("a client that waits for a slow reply is never dropped", waits)
        .computes()
        .needs(IDLE_TIMEOUT),
    case(
        "a client that has half-closed and waits is never dropped",
        waits_half_closed,
    )
    .computes()
    .needs(IDLE_TIMEOUT),
    case(
        "a client that waits behind another's long job is never dropped",
        behind_long_job,
    )
    .computes()
    .needs(IDLE_TIMEOUT),
    case(
        "a client that waits in a long queue of jobs is never dropped",
        in_long_queue,
    )
    .needs(IDLE_TIMEOUT)
    .alone(),
    case("a client that reads slowly is never dropped", slow_reader)
        .needs(IDLE_TIMEOUT),
    case("an idle timeout of 0 disables the timeout", no_timeout)
        .needs(IDLE_TIMEOUT),
];

/// Connects a client that sends requests without reading until the server is
/// stuck. A server that bounds its memory is stuck after far fewer than a
/// million requests.
fn stuck_client(server: &TestServer<'_>) -> CaseResult<Client> {
    let mut client = server.client_with_window(4096)?;
    // An error line is longer than its request, and needs no computation.
    server.send_until_stuck(&mut client, &b"x\n".repeat(8192))?;
    Ok(client)
}

fn never_reads(fixture: &Fixture<'_>) -> CaseResult {
    const GROWTH_BYTES_MAX: u64 = 8 << 20;
    let server = fixture.server(&[])?;
    server.expect_service()?;
    let before = server.usage();
    let stuck = stuck_client(&server)?;
    server.expect_memory_bounded(before, GROWTH_BYTES_MAX)?;
    stuck.reset();
    server.expect_service()
}

fn send_queue(fixture: &Fixture<'_>) -> CaseResult {
    const QUEUE_BYTES_MAX: u64 = 256 * 1024;
    let server = fixture.server(&[])?;
    let _stuck = stuck_client(&server)?;
    let queue = server.send_queue_bytes();
    check(queue > 0, || "expected replies in the send queue".to_owned())?;
    check(queue <= QUEUE_BYTES_MAX, || {
        format!("expected at most {QUEUE_BYTES_MAX} bytes, got {queue}")
    })
}

fn served_beside(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    let mut early = server.client()?;
    early.ask(10)?;
    let _stuck = stuck_client(&server)?;
    for _ in 0..20 {
        early.ask(10)?;
        server.expect_service()?;
    }
    Ok(())
}

fn drop_never_reads(fixture: &Fixture<'_>) -> CaseResult {
    const WAIT: Duration = Duration::from_millis(50);
    let server = fixture.server(&IDLE_FLAGS)?;
    let mut client = server.client_with_window(4096)?;
    let batch = b"x\n".repeat(8192);
    let mut sent = 0;
    let start = Instant::now();
    let mut last_progress = start;
    // The server has requests unread, so closing the connection resets it.
    while !client.is_reset_within(Duration::ZERO) {
        if client.can_send_within(WAIT) {
            sent += client.send_some(&batch[sent % batch.len()..]).unwrap_or(0);
            last_progress = Instant::now();
        }
        // Each time the server's kernel probes the closed window, it may find
        // room for a few more replies, which counts as progress. The intervals
        // between these probes grow.
        check(last_progress.elapsed() < 5 * IDLE + LATENESS_MAX, || {
            format!(
                "expected the client to be dropped after {IDLE:?}, but it is \
                 still connected"
            )
        })?;
    }
    expect_not_early(&client, start)?;
    server.expect_service()
}

fn never_requests(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&IDLE_FLAGS)?;
    let start = Instant::now();
    let mut client = server.client()?;
    expect_drop(&mut client, start)?;
    server.expect_service()
}

fn silent(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&IDLE_FLAGS)?;
    let mut client = server.client()?;
    client.ask(10)?;
    let start = Instant::now();
    client.ask(20)?;
    expect_drop(&mut client, start)?;
    server.expect_service()
}

fn drip(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&IDLE_FLAGS)?;
    let mut client = server.client()?;
    let start = Instant::now();
    client.ask(10)?;
    expect_drop_while_dripping(&mut client, start)
}

fn flood(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&SHORT_IDLE_FLAGS)?;
    let mut client = server.client()?;
    client.exchange(&[b'x'; 4_096], LINE_TOO_LONG)?;
    let start = Instant::now();
    while start.elapsed() < SHORT_IDLE * 2 + LATENESS_MAX {
        // Sending alone doesn't show the end: a server that has read everything
        // sends FIN, and behind a closed window the client sends nothing that
        // the server's kernel could answer with RST.
        let mut has_ended = client.has_input();
        if client.can_send_within(Duration::from_millis(50)) {
            has_ended |= match client.send_some(&[b'x'; 4_096]) {
                Ok(_) => false,
                Err(error) => error.kind() != ErrorKind::WouldBlock,
            };
        }
        if has_ended {
            client.expect_closed()?;
            return server.expect_service();
        }
    }
    let expected = "the end of the connection at the idle timeout";
    Err(client.failure(expected, "a server that still reads"))
}

fn long_drip(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&IDLE_FLAGS)?;
    let mut client = server.client()?;
    let start = Instant::now();
    client.exchange(&[b'1'; 100], LINE_TOO_LONG)?;
    expect_drop_while_dripping(&mut client, start)
}

fn active(fixture: &Fixture<'_>) -> CaseResult {
    expect_not_dropped(fixture, b"10\n", ExpectedReply::Fib(10))
}

fn bad_but_active(fixture: &Fixture<'_>) -> CaseResult {
    expect_not_dropped(fixture, b"\n", crate::reply::NOT_A_NUMBER)
}

/// Checks that a client with a request every quarter of the idle timeout is
/// still connected after two and a half timeouts.
fn expect_not_dropped(
    fixture: &Fixture<'_>,
    request: &[u8],
    reply: ExpectedReply,
) -> CaseResult {
    let server = fixture.server(&IDLE_FLAGS)?;
    let mut client = server.client()?;
    let start = Instant::now();
    while start.elapsed() < 2 * IDLE + IDLE / 2 {
        client.exchange(request, reply)?;
        client.expect_silence(IDLE / 4)?;
    }
    client.exchange(request, reply)
}

fn waits(fixture: &Fixture<'_>) -> CaseResult {
    let long = fixture.n_that_takes(2 * SHORT_IDLE)?;
    let server = fixture.server(&SHORT_IDLE_FLAGS)?;
    let mut client = server.client()?;
    client.ask(long)?;
    // The reply restarts the timeout, so there is time for another request.
    client.ask(10)
}

fn waits_half_closed(fixture: &Fixture<'_>) -> CaseResult {
    let long = fixture.n_that_takes(2 * SHORT_IDLE)?;
    let server = fixture.server(&SHORT_IDLE_FLAGS)?;
    let mut client = server.client()?;
    client.send(format!("{long}\n10\n").as_bytes())?;
    client.half_close()?;
    client.expect_all([long, 10].map(ExpectedReply::Fib))?;
    client.expect_end()
}

fn behind_long_job(fixture: &Fixture<'_>) -> CaseResult {
    let long = fixture.n_that_takes(2 * SHORT_IDLE)?;
    let server = fixture.server(&SHORT_IDLE_FLAGS)?;
    let blocking = fixture.subject.long_jobs_that_block();
    // If the model serves several clients, this one is accepted before the
    // long job starts.
    let mut early = server.client()?;
    if fixture.subject.serves_several() {
        early.ask(10)?;
    } else {
        drop(early);
        early = server.client()?;
    }
    let mut busy = server.clients(blocking)?;
    if !fixture.subject.serves_several() {
        // The client that connected first is served first, so it must be the
        // one with the long job.
        std::mem::swap(&mut early, &mut busy[0]);
    }
    for client in &mut busy {
        client.send(format!("1\n{long}\n").as_bytes())?;
    }
    busy[0].expect(ExpectedReply::Fib(1))?;
    // This request waits in the kernel, where the server can't see it.
    early.send(b"20\n")?;
    let mut late = server.client()?;
    late.send(b"20\n")?;
    let (first, others) = busy.split_first_mut().expect("at least one");
    first.expect(ExpectedReply::Fib(long))?;
    first.half_close()?;
    for client in others {
        client.expect_all([1, long].map(ExpectedReply::Fib))?;
    }
    early.expect(ExpectedReply::Fib(20))?;
    early.half_close()?;
    early.expect_end()?;
    late.expect(ExpectedReply::Fib(20))
}

fn in_long_queue(fixture: &Fixture<'_>) -> CaseResult {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let lacked = fixture.subject.lacks(Ability::AnswerBesideLongJob);
    let at_a_time = if lacked.is_some() { 1 } else { cores };
    let n = fixture.n_that_takes(SHORT_IDLE)?;
    let server = fixture.server(&SHORT_IDLE_FLAGS)?;
    // The last client waits for longer than the idle timeout before its job
    // starts.
    let mut clients = server.clients(2 * at_a_time + 1)?;
    for client in &mut clients {
        client.send(format!("{n}\n").as_bytes())?;
        client.half_close()?;
    }
    for client in &mut clients {
        client.expect(ExpectedReply::Fib(n))?;
        client.expect_end()?;
    }
    Ok(())
}

fn slow_reader(fixture: &Fixture<'_>) -> CaseResult {
    const PIECE_BYTES: usize = 256 * 1024;
    const PAUSE: Duration = Duration::from_millis(50);
    let server = fixture.server(&IDLE_FLAGS)?;
    let mut client = server.client_with_window(PIECE_BYTES)?;
    let batch = b"x\n".repeat(8192);
    let mut sent = 0;
    // Slow enough for the server to be stuck, but fast enough for the kernel
    // to accept replies from the server within each timeout.
    let start = Instant::now();
    while start.elapsed() < 3 * IDLE {
        let mut dropped = client.is_reset_within(PAUSE);
        while !dropped && client.can_send_within(Duration::ZERO) {
            match client.send_some(&batch[sent % batch.len()..]) {
                Ok(count) => sent += count,
                Err(_) => dropped = true,
            }
        }
        dropped = dropped || client.read_piece(PIECE_BYTES).is_none();
        check(!dropped, || {
            let after = start.elapsed();
            format!("expected the client to be served, dropped after {after:?}")
        })?;
    }
    Ok(())
}

fn no_timeout(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&["--idle-timeout", "0"])?;
    let mut client = server.client()?;
    client.expect_silence(IDLE)?;
    client.ask(10)?;
    client.expect_silence(IDLE)?;
    client.ask(10)
}

/// Checks that the server drops the client at the idle timeout, which started
/// at `start` at the earliest.
fn expect_drop(client: &mut Client, start: Instant) -> CaseResult {
    match client.next_within(IDLE + LATENESS_MAX) {
        Next::End | Next::Reset => expect_not_early(client, start),
        next @ (Next::Line(_) | Next::Nothing) => {
            let got = client.describe(&next);
            Err(client.failure(&expected_drop(), &got))
        }
    }
}

/// Checks that the idle timeout has passed since `start`.
fn expect_not_early(client: &Client, start: Instant) -> CaseResult {
    let elapsed = start.elapsed();
    if elapsed < IDLE {
        let got = format!("it after {elapsed:?}");
        return Err(client.failure(&expected_drop(), &got));
    }
    Ok(())
}

fn expected_drop() -> String {
    format!("the end of the connection after {IDLE:?} without a request")
}

/// Like [`expect_drop`], while the client sends ten single bytes per timeout.
fn expect_drop_while_dripping(
    client: &mut Client,
    start: Instant,
) -> CaseResult {
    loop {
        match client.next_within(IDLE / 10) {
            Next::End | Next::Reset => return expect_not_early(client, start),
            Next::Nothing if start.elapsed() < IDLE + LATENESS_MAX => {
                // Fails if the server has just closed the connection; the next
                // iteration then sees the end.
                let _ = client.send(b"1");
            }
            next @ (Next::Line(_) | Next::Nothing) => {
                let got = client.describe(&next);
                return Err(client.failure(&expected_drop(), &got));
            }
        }
    }
}
