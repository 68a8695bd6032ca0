//! Requests in a stream that knows no lines.

use std::time::Duration;

use conformance::{
    CaseResult, Client, ExpectedReply, Fixture, Next, TestServer,
};

use crate::exercise::Case;
use crate::talk;

pub(crate) const CASES: &[Case] = &[
    Case::of_server(
        "a request that comes in one piece is answered",
        "a line that is no number is answered with `error: not-a-number`",
        in_one_piece,
    )
    .kept(),
    Case::of_server(
        "a request that comes in two pieces is one request",
        "what does a read return when half a line has come?",
        in_two_pieces,
    ),
    Case::of_server(
        "two requests that come in one piece are two requests",
        "how many lines can a read return?",
        two_in_one_piece,
    ),
    Case::of_server(
        "of a thousand requests, cut anywhere, each is answered in its turn",
        "the end of what was read may be the beginning of a line; and if it \
         takes many seconds, see TCP_NODELAY in tcp(7)",
        cut_anywhere,
    ),
    Case::of_server(
        "a line that does not end fills no memory",
        "how much is kept of a line whose end has not come?",
        endless_line,
    )
    .kept(),
    Case::of_server(
        "a line that is too long costs nobody the answers to earlier ones",
        "what does the kernel send when a socket is closed whose input was \
         not read, and what becomes of the output?",
        earlier_answers,
    ),
];

const NOT_A_NUMBER: ExpectedReply = ExpectedReply::Error("not-a-number");

/// No request here takes any time: an answer comes soon, or never.
const SOON: Duration = Duration::from_secs(3);

fn in_one_piece(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    let mut client = client_of(&server)?;
    client.ask(10)?;
    client.exchange(b"ten\n", NOT_A_NUMBER)?;
    client.ask(0)?;
    client.exchange(b"\n", NOT_A_NUMBER)?;
    client.ask(20)
}

fn in_two_pieces(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    for [first, second] in [["1", "0\n"], ["10", "\n"]] {
        let mut client = client_of(&server)?;
        client.send(first.as_bytes())?;
        client.wait_until_read()?;
        client.exchange(second.as_bytes(), ExpectedReply::Fib(10))?;
        // An answer too many would come before this one.
        client.ask(11)?;
    }
    Ok(())
}

fn two_in_one_piece(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    let mut client = client_of(&server)?;
    client.send(b"10\n11\n")?;
    client.expect_all([ExpectedReply::Fib(10), ExpectedReply::Fib(11)])?;
    client.send(b"x\n12\n")?;
    client.expect_all([NOT_A_NUMBER, ExpectedReply::Fib(12)])
}

fn cut_anywhere(fixture: &Fixture<'_>) -> CaseResult {
    const REQUESTS: u64 = 1_000;
    let server = fixture.server(&[])?;
    let mut client = client_of(&server)?;
    let numbers = || (0..REQUESTS).map(|i| i % 21);
    let text: String = numbers().map(|n| format!("{n}\n")).collect();
    // From a byte at a time to more than a buffer takes.
    for piece in [1, 7, 64, 1021, text.len()] {
        let mut answers = numbers();
        for bytes in text.as_bytes().chunks(piece) {
            let lines = bytes.iter().filter(|&&byte| byte == b'\n').count();
            let answers = answers.by_ref().take(lines).map(ExpectedReply::Fib);
            client.send(bytes)?;
            client.expect_all(answers)?;
        }
    }
    Ok(())
}

fn endless_line(fixture: &Fixture<'_>) -> CaseResult {
    const LINE_BYTES: usize = 24 << 20;
    const GROWTH_BYTES_MAX: u64 = 8 << 20;
    /// Who takes nothing for so long, and says nothing, will not.
    const REST: Duration = Duration::from_secs(2);
    let server = fixture.server(&[])?;
    server.expect_service()?;
    let before = server.usage();
    let mut client = client_of(&server)?;
    let piece = [b'1'; 64 << 10];
    let mut sent = 0;
    while sent < LINE_BYTES && client.can_send_within(REST) {
        // To answer with an error is as good as to leave: what comes is read,
        // so that the server need not wait for that.
        while client.has_input() && is_said(client.next_within(Duration::ZERO))
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

fn earlier_answers(fixture: &Fixture<'_>) -> CaseResult {
    const REQUESTS: usize = 1_000;
    /// Less than the answers: the rest of them is the server's kernel's until
    /// the client reads.
    const WINDOW_BYTES: usize = 4096;
    const LINE_BYTES: usize = 100_000;
    /// It takes a server far less to have the long line.
    const REST: Duration = Duration::from_millis(500);
    let server = fixture.server(&[])?;
    let mut client = server.client_with_window(WINDOW_BYTES)?;
    client.send("x\n".repeat(REQUESTS).as_bytes())?;
    // To end the connection is to answer, too.
    let _ = client.send("1".repeat(LINE_BYTES).as_bytes());
    let _ = client.half_close();
    client.is_reset_within(REST);
    let what = format!("the answers to {REQUESTS} lines");
    talk::expect_count(&mut client, NOT_A_NUMBER, REQUESTS, SOON, &what)
}

/// Whether something was said, and more may be.
fn is_said(next: Next) -> bool {
    matches!(next, Next::Line(_))
}

/// A client that does not wait for long.
fn client_of(server: &TestServer<'_>) -> CaseResult<Client> {
    talk::client_of(server, SOON)
}
