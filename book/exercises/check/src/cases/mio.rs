//! Cases of the exercise `mio`: replies that don't fit into a socket.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use conformance::{
    CaseResult, Client, ExpectedReply, Fixture, TestServer, check,
};

use crate::exercise::{Case, PATIENCE};
use crate::shared::expect_within;

pub(crate) const CASES: &[Case] = &[
    Case::of_server(
        "pipelined requests are answered in order",
        "a read may return several lines and a part of another",
        pipelined,
    )
    .starter_passes(),
    Case::of_server(
        "a client that reads late gets all its replies in order",
        "how much was written when a write would block, and which event \
         reports that there is room again?",
        late,
    )
    .fails_with("in time"),
    Case::of_server(
        "the server reads only a limited amount from a client that never reads",
        "don't read more requests while there are replies to write",
        never,
    )
    .starter_passes(),
    Case::of_server(
        "others are served while one client doesn't read",
        "waiting for one socket must not block the loop",
        others,
    )
    .starter_passes(),
];

/// Requests whose replies differ and have no short cycle, so that one can't be
/// mistaken for another. They take no computing in any language.
const BATCH: &str = "0\n1\n3\n0\n3\n1\n1\n0\n3\n3\n0\n0\n1\n";

/// Returns how many complete requests the first `bytes` bytes of repeated
/// batches contain.
fn requests(bytes: usize) -> usize {
    let lines = |text: &str| text.matches('\n').count();
    let (whole, rest) = (bytes / BATCH.len(), bytes % BATCH.len());
    whole * lines(BATCH) + lines(&BATCH[..rest])
}

/// Returns the replies to repeated batches.
fn replies() -> impl Iterator<Item = ExpectedReply> {
    let numbers = BATCH.lines().map(|line| line.parse().expect("a number"));
    numbers.map(ExpectedReply::Fib).cycle()
}

fn pipelined(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    let batches = BATCH.repeat(1000);
    let replies = replies().take(requests(batches.len()));
    server.client()?.pump(batches.as_bytes(), replies)
}

fn late(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    let mut client = server.client_with_small_buffers(WINDOW_BYTES)?;
    let sent = fill(&server, &mut client, 3 * REST)?;
    let mut replies = replies();
    for reply in replies.by_ref().take(requests(sent)) {
        expect_within(&mut client, reply, SOON)?;
    }
    // The server must read again: the rest of the batch that was cut, and one
    // more.
    let rest = [&BATCH[sent % BATCH.len()..], BATCH].concat();
    client.send(rest.as_bytes())?;
    let count = requests(sent + rest.len()) - requests(sent);
    for reply in replies.take(count) {
        expect_within(&mut client, reply, SOON)?;
    }
    Ok(())
}

fn never(fixture: &Fixture<'_>) -> CaseResult {
    const MEMORY_BYTES_MAX: u64 = 4 << 20;
    let server = fixture.server(&[])?;
    let mut client = server.client_with_small_buffers(WINDOW_BYTES)?;
    client.ask(1)?;
    let before = server.usage();
    let sent = fill(&server, &mut client, REST)?;
    check(sent < BYTES_MAX, || {
        format!(
            "expected the server to stop reading while its replies are not \
             read\ngot      {sent} bytes of requests read"
        )
    })?;
    server.expect_memory_bounded(before, MEMORY_BYTES_MAX)?;
    // A server that has crashed uses no memory either, so it must still serve.
    server.expect_service()
}

fn others(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    let mut other = server.client()?;
    let mut client = server.client_with_small_buffers(WINDOW_BYTES)?;
    fill(&server, &mut client, REST)?;
    for n in 0..10 {
        other.send(format!("{n}\n").as_bytes())?;
        expect_within(&mut other, ExpectedReply::Fib(n), SOON)?;
    }
    server.expect_service()
}

/// The receive window of a slow client: its kernel keeps about as many bytes of
/// the replies.
const WINDOW_BYTES: usize = 4 * 1024;

/// More than both kernels and a server with back-pressure keep of such a
/// client's requests. The client's kernel has a buffer of fixed size. The
/// server's kernel has one that may grow to many MiB, but only as fast as the
/// server reads. And the server can't read more requests than its kernel has
/// room for replies, which the client keeps small.
const BYTES_MAX: usize = 4 << 20;

/// How long to wait for a reply. On the busiest machine, it takes less.
const SOON: Duration = Duration::from_secs(3);

/// A server that does nothing for this long probably waits. It may wait for the
/// kernel, which resends lost segments at growing intervals.
const REST: Duration = Duration::from_millis(300);

/// Sends batches without reading until the server accepts no more and is idle
/// for `rest`, or has accepted [`BYTES_MAX`]. Returns the number of bytes sent.
fn fill(
    server: &TestServer<'_>,
    client: &mut Client,
    rest: Duration,
) -> CaseResult<usize> {
    const FULL: Duration = Duration::from_millis(100);
    let expected = "the server to wait for a client that does not read";
    // A server that is slow, or on a busy machine, still makes progress.
    let mut deadline = Instant::now() + PATIENCE;
    let batches = BATCH.repeat(1000);
    let mut sent = 0;
    while sent < BYTES_MAX {
        if client.can_send_within(FULL) {
            let next = &batches.as_bytes()[sent % BATCH.len()..];
            match client.send_some(next) {
                Ok(count) => {
                    sent += count;
                    deadline = Instant::now() + PATIENCE;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => {
                    let what = format!("sending failed: {error}");
                    return Err(client.failure(expected, &what));
                }
            }
            continue;
        }
        let cpu = server.usage().cpu;
        if !client.can_send_within(rest) && server.usage().cpu == cpu {
            break;
        }
        if Instant::now() > deadline {
            let what = "it busy, but reading no requests";
            return Err(client.failure(expected, what));
        }
    }
    Ok(sent)
}
