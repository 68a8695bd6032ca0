//! Cases of the exercise `protocol`: lines in a stream of bytes.

use std::time::Duration;

use conformance::{
    CaseResult, Client, ExpectedReply, Fixture, Next, TestServer,
};

use crate::exercise::Case;
use crate::shared;

pub(crate) const CASES: &[Case] = &[
    Case::of_server(
        "a request that arrives in one piece is answered",
        "the reply to a line that isn't a number is `error: not-a-number`",
        in_one_piece,
    )
    .starter_passes(),
    Case::of_server(
        "a request that arrives in two pieces is one request",
        "what does a read return when half a line has arrived?",
        in_two_pieces,
    ),
    Case::of_server(
        "two requests that arrive in one piece are two requests",
        "how many lines can a read return?",
        two_in_one_piece,
    ),
    Case::of_server(
        "a thousand requests, cut anywhere, are answered in order",
        "the end of what was read may be the beginning of a line; and if \
         this takes many seconds, see TCP_NODELAY in tcp(7)",
        cut_anywhere,
    ),
    Case::of_server(
        "a line without an end uses little memory",
        "how much of a line is kept before its end arrives?",
        endless_line,
    )
    .starter_passes(),
    Case::of_server(
        "a line that is too long doesn't lose the replies to earlier lines",
        "what does the kernel send when a socket with unread input is \
         closed, and what happens to replies on their way?",
        earlier_replies,
    ),
];

const NOT_A_NUMBER: ExpectedReply = ExpectedReply::Error("not-a-number");

/// How long to wait for a reply. No request here takes long to compute.
const SOON: Duration = Duration::from_secs(3);

fn in_one_piece(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    let mut client = connect(&server)?;
    client.ask(10)?;
    client.exchange(b"ten\n", NOT_A_NUMBER)?;
    client.ask(0)?;
    client.exchange(b"\n", NOT_A_NUMBER)?;
    client.ask(20)
}

fn in_two_pieces(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    for [first, second] in [["1", "0\n"], ["10", "\n"]] {
        let mut client = connect(&server)?;
        client.send(first.as_bytes())?;
        client.wait_until_read()?;
        client.exchange(second.as_bytes(), ExpectedReply::Fib(10))?;
        // A surplus reply would arrive before this one.
        client.ask(11)?;
    }
    Ok(())
}

fn two_in_one_piece(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    let mut client = connect(&server)?;
    client.send(b"10\n11\n")?;
    client.expect_all([ExpectedReply::Fib(10), ExpectedReply::Fib(11)])?;
    client.send(b"x\n12\n")?;
    client.expect_all([NOT_A_NUMBER, ExpectedReply::Fib(12)])
}

fn cut_anywhere(fixture: &Fixture<'_>) -> CaseResult {
    const REQUESTS: u64 = 1_000;
    let server = fixture.server(&[])?;
    let mut client = connect(&server)?;
    let numbers = || (0..REQUESTS).map(|i| i % 21);
    let text: String = numbers().map(|n| format!("{n}\n")).collect();
    // From a byte at a time to more than fits into a buffer.
    for piece in [1, 7, 64, 1021, text.len()] {
        let mut expected = numbers();
        for bytes in text.as_bytes().chunks(piece) {
            let lines = bytes.iter().filter(|&&byte| byte == b'\n').count();
            let replies = expected.by_ref().take(lines).map(ExpectedReply::Fib);
            client.send(bytes)?;
            client.expect_all(replies)?;
        }
    }
    Ok(())
}

fn endless_line(fixture: &Fixture<'_>) -> CaseResult {
    const LINE_BYTES: usize = 24 << 20;
    const GROWTH_BYTES_MAX: u64 = 8 << 20;
    /// A server that accepts nothing for this long has stopped reading.
    const REST: Duration = Duration::from_secs(2);
    let server = fixture.server(&[])?;
    server.expect_service()?;
    let before = server.usage();
    let mut client = connect(&server)?;
    let piece = [b'1'; 64 << 10];
    let mut sent = 0;
    while sent < LINE_BYTES && client.can_send_within(REST) {
        // A server may reply with errors. They are read, so that the server
        // needn't wait for the client.
        while client.has_input() && is_line(client.next_within(Duration::ZERO))
        {
        }
        match client.send_some(&piece) {
            Ok(count) => sent += count,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => break,
        }
    }
    server.expect_memory_bounded(before, GROWTH_BYTES_MAX)?;
    server.expect_service()
}

fn earlier_replies(fixture: &Fixture<'_>) -> CaseResult {
    const REQUESTS: usize = 1_000;
    /// Smaller than the replies, so that the server's kernel keeps the rest
    /// until the client reads.
    const WINDOW_BYTES: usize = 4096;
    const LINE_BYTES: usize = 100_000;
    /// Much longer than the server needs to receive the long line.
    const REST: Duration = Duration::from_millis(500);
    let server = fixture.server(&[])?;
    let mut client = server.client_with_window(WINDOW_BYTES)?;
    client.send("x\n".repeat(REQUESTS).as_bytes())?;
    // Sending may fail: a server may reply by closing the connection.
    let _ = client.send("1".repeat(LINE_BYTES).as_bytes());
    let _ = client.half_close();
    client.is_reset_within(REST);
    let what = format!("the replies to {REQUESTS} lines");
    shared::expect_count(&mut client, NOT_A_NUMBER, REQUESTS, SOON, &what)
}

/// Returns `true` for a line, after which another may follow.
fn is_line(next: Next) -> bool {
    matches!(next, Next::Line(_))
}

/// Connects a client that waits up to [`SOON`] for each reply.
fn connect(server: &TestServer<'_>) -> CaseResult<Client> {
    shared::connect(server, SOON)
}
