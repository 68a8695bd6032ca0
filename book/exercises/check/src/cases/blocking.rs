//! Cases of the exercise `blocking`: the end of a client's turn.

use std::time::{Duration, Instant};

use conformance::{CaseResult, Client, ExpectedReply, Fixture, TestServer};

use crate::exercise::Case;
use crate::shared;

pub(crate) const CASES: &[Case] = &[
    Case::of_server(
        "a thousand requests are answered, then the connection ends",
        "after the last reply, a client must read end-of-file",
        a_turn,
    )
    .starter_passes(),
    Case::of_server(
        "the next client is served even if the last one stays connected",
        "the server may wait until a client leaves, but not for ever",
        next_turn,
    )
    .starter_passes(),
    Case::of_server(
        "a client that sends more than its turn loses no reply",
        "what does the kernel send when a socket with unread input is \
         closed, and what happens to replies on their way?",
        no_reply_lost,
    ),
    Case::of_server(
        "a client that still sends while its turn ends loses no reply",
        "an empty receive buffer doesn't mean that no more will arrive",
        sends_more,
    ),
    Case::of_server(
        "a client that keeps sending doesn't block the next client",
        "a timeout of each read doesn't limit all reads together",
        keeps_sending,
    )
    .starter_passes(),
];

/// The number of requests in a turn.
const TURN: usize = 1_000;

/// Requests beyond a turn: so many that a server can't have read all of them
/// when the turn ends, however much it reads at a time.
const SURPLUS: usize = 60_000;

const REQUEST: &str = "x\n";
const REPLY: ExpectedReply = ExpectedReply::Error("not-a-number");

/// How long to wait for the next turn. A server may wait for a client to leave,
/// but not this long.
const SOON: Duration = Duration::from_secs(4);

/// The receive window of a slow client: smaller than the replies of a turn, so
/// that the server's kernel keeps the rest until the client reads.
const WINDOW_BYTES: usize = 4096;

fn a_turn(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    let mut client = connect(&server)?;
    for _ in 0..TURN / 2 {
        client.ask(10)?;
    }
    client.send(REQUEST.repeat(TURN / 2).as_bytes())?;
    client.expect_all([REPLY; TURN / 2])?;
    client.expect_end()
}

fn next_turn(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    let mut first = connect(&server)?;
    let mut second = connect(&server)?;
    second.send(b"10\n")?;
    first.send(REQUEST.repeat(TURN).as_bytes())?;
    first.expect_all([REPLY; TURN])?;
    second.expect(ExpectedReply::Fib(10))
}

fn no_reply_lost(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    let mut first = server.client_with_window(WINDOW_BYTES)?;
    let mut second = connect(&server)?;
    second.send(b"10\n")?;
    first.send(REQUEST.repeat(TURN + SURPLUS).as_bytes())?;
    // The second client is served only after the first one's turn.
    second.expect(ExpectedReply::Fib(10))?;
    expect_turn(&mut first)
}

fn sends_more(fixture: &Fixture<'_>) -> CaseResult {
    /// Sending all pieces takes longer than a turn, and less time than a server
    /// waits for a client to leave.
    const PIECES: usize = 5;
    const PAUSE: Duration = Duration::from_millis(20);
    let server = fixture.server(&[])?;
    let mut first = server.client_with_window(WINDOW_BYTES)?;
    first.send(REQUEST.repeat(TURN).as_bytes())?;
    // Wait for the first reply, so that the server doesn't read the turn and
    // the pieces at once.
    first.has_input_within(SOON);
    for _ in 0..PIECES {
        first.is_reset_within(PAUSE);
        // Sending fails if the connection was reset. Replies are lost then,
        // which `expect_turn` reports.
        let _ = first.send_some(REQUEST.as_bytes());
    }
    expect_turn(&mut first)
}

/// Expects the replies of one turn, and then end-of-file.
fn expect_turn(client: &mut Client) -> CaseResult {
    let what = format!("the {TURN} replies of its turn");
    shared::expect_count(client, REPLY, TURN, SOON, &what)?;
    client.expect_end()
}

fn keeps_sending(fixture: &Fixture<'_>) -> CaseResult {
    const PAUSE: Duration = Duration::from_millis(20);
    let server = fixture.server(&[])?;
    let mut first = connect(&server)?;
    let mut second = connect(&server)?;
    second.send(b"10\n")?;
    first.send(REQUEST.repeat(TURN).as_bytes())?;
    first.expect_all([REPLY; TURN])?;
    let deadline = Instant::now() + SOON;
    while !second.has_input_within(PAUSE) {
        if Instant::now() >= deadline {
            let what = "none while the first client keeps sending";
            return Err(second.failure("a reply", what));
        }
        // Sending fails once the server has closed the first connection.
        let _ = first.send_some(REQUEST.as_bytes());
    }
    second.expect(ExpectedReply::Fib(10))
}

/// Connects a client that waits up to [`SOON`] for each reply.
fn connect(server: &TestServer<'_>) -> CaseResult<Client> {
    shared::connect(server, SOON)
}
