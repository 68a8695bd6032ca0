//! Replies that do not fit into a socket.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use conformance::{
    CaseResult, Client, ExpectedReply, Fixture, TestServer, check,
};

use crate::exercise::{Case, PATIENCE};
use crate::talk::expect_within;

pub(crate) const CASES: &[Case] = &[
    Case::of_server(
        "pipelined requests are answered in order",
        "a read may bring many lines, and a part of one",
        pipelined,
    )
    .kept(),
    Case::of_server(
        "a client that reads late gets all its answers, in order",
        "how much was written when a write would block, and which event says \
         that there is room again?",
        late,
    )
    .fails_by("in time"),
    Case::of_server(
        "from a client that never reads, no more than so much is read",
        "who has replies to take should not be asked for more requests",
        never,
    )
    .kept(),
    Case::of_server(
        "others are answered while a client does not read",
        "whoever waits for room must not wait in the loop",
        others,
    )
    .kept(),
];

/// Requests whose answers differ, in no short cycle, so that none can stand for
/// another; and which take no computing, in any language.
const BATCH: &str = "0\n1\n3\n0\n3\n1\n1\n0\n3\n3\n0\n0\n1\n";

/// How many requests are whole in so many bytes of repeated batches.
fn requests(bytes: usize) -> usize {
    let lines = |text: &str| text.matches('\n').count();
    let (whole, rest) = (bytes / BATCH.len(), bytes % BATCH.len());
    whole * lines(BATCH) + lines(&BATCH[..rest])
}

/// What repeated batches are answered with.
fn answers() -> impl Iterator<Item = ExpectedReply> {
    let numbers = BATCH.lines().map(|line| line.parse().expect("a number"));
    numbers.map(ExpectedReply::Fib).cycle()
}

fn pipelined(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    let batches = BATCH.repeat(1000);
    let answers = answers().take(requests(batches.len()));
    server.client()?.pump(batches.as_bytes(), answers)
}

fn late(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    let mut client = server.client_with_small_buffers(WINDOW_BYTES)?;
    let sent = fill(&server, &mut client, 3 * REST)?;
    let mut answers = answers();
    for answer in answers.by_ref().take(requests(sent)) {
        expect_within(&mut client, answer, SOON)?;
    }
    // It is read from again: the batch that was cut goes on, and another one.
    let rest = [&BATCH[sent % BATCH.len()..], BATCH].concat();
    client.send(rest.as_bytes())?;
    let count = requests(sent + rest.len()) - requests(sent);
    for answer in answers.take(count) {
        expect_within(&mut client, answer, SOON)?;
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
            "expected the server to read no more, as long as nobody reads its \
             replies\ngot      {sent} bytes of requests read"
        )
    })?;
    server.expect_memory_bounded(before, MEMORY_BYTES_MAX)?;
    // Who has ended holds no memory either.
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

/// A client's kernel holds so much of the replies, or little more.
const WINDOW_BYTES: usize = 4 * 1024;

/// More than two kernels hold of such a client's requests, and a server that
/// minds what it holds. The client's kernel has its fixed buffer. The server's
/// has one that may grow to many MiB, but only as fast as the server reads; and
/// that has read as many requests as its kernel has room for replies, which the
/// client keeps small.
const BYTES_MAX: usize = 4 << 20;

/// What must come comes sooner, even on a busy machine.
const SOON: Duration = Duration::from_secs(3);

/// Who does nothing for so long is likely to wait. It may be for the kernel,
/// which sends again what was lost, each time a little later.
const REST: Duration = Duration::from_millis(300);

/// Has the client send batch after batch, without reading, until the server
/// takes no more and rests for so long, or has taken a great deal. Says how
/// many bytes.
fn fill(
    server: &TestServer<'_>,
    client: &mut Client,
    rest: Duration,
) -> CaseResult<usize> {
    const FULL: Duration = Duration::from_millis(100);
    let expected = "the server to wait for a client that does not read";
    // It may be slow, too, or get little of a busy machine. But it goes on.
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
            let what = "it does not rest, and reads no requests either";
            return Err(client.failure(expected, what));
        }
    }
    Ok(sent)
}
