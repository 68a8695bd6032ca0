//! One client at a time, each for a thousand requests.

use std::time::{Duration, Instant};

use conformance::{CaseResult, Client, ExpectedReply, Fixture, TestServer};

use crate::exercise::Case;
use crate::talk;

pub(crate) const CASES: &[Case] = &[
    Case::of_server(
        "a thousand requests are answered, and then the connection ends",
        "end-of-file is what a client reads when there is no more",
        a_turn,
    )
    .kept(),
    Case::of_server(
        "the next client's turn comes, though the last one stays",
        "a client that has had its turn may be waited for, but not for ever",
        next_turn,
    )
    .kept(),
    Case::of_server(
        "who has sent more than that loses none of its answers",
        "what does the kernel send when a socket is closed whose input was \
         not read, and what becomes of the output?",
        no_answer_lost,
    ),
    Case::of_server(
        "nor does who sends more while it is sent away",
        "that nothing is there to be read does not say that nothing will come",
        sends_more,
    ),
    Case::of_server(
        "who goes on sending does not keep the next one waiting",
        "a timeout of each read is no limit to all of them",
        goes_on_sending,
    )
    .kept(),
];

/// So many requests are a turn.
const TURN: usize = 1_000;

/// So much more than a turn that a server has not read it all when the turn
/// is over, whatever it reads at a time.
const SURPLUS: usize = 60_000;

const REQUEST: &str = "x\n";
const ANSWER: ExpectedReply = ExpectedReply::Error("not-a-number");

/// The next turn comes within this. A client that has been sent away may be
/// waited for, but not for so long.
const SOON: Duration = Duration::from_secs(4);

/// Less than the answers of a turn: the rest of them is the server's kernel's
/// until the client reads.
const WINDOW_BYTES: usize = 4096;

fn a_turn(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    let mut client = client_of(&server)?;
    for _ in 0..TURN / 2 {
        client.ask(10)?;
    }
    client.send(REQUEST.repeat(TURN / 2).as_bytes())?;
    client.expect_all([ANSWER; TURN / 2])?;
    client.expect_end()
}

fn next_turn(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    let mut first = client_of(&server)?;
    let mut second = client_of(&server)?;
    second.send(b"10\n")?;
    first.send(REQUEST.repeat(TURN).as_bytes())?;
    first.expect_all([ANSWER; TURN])?;
    second.expect(ExpectedReply::Fib(10))
}

fn no_answer_lost(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    let mut first = server.client_with_window(WINDOW_BYTES)?;
    let mut second = client_of(&server)?;
    second.send(b"10\n")?;
    first.send(REQUEST.repeat(TURN + SURPLUS).as_bytes())?;
    // Then the first one's turn is over.
    second.expect(ExpectedReply::Fib(10))?;
    expect_turn(&mut first)
}

fn sends_more(fixture: &Fixture<'_>) -> CaseResult {
    /// In all, more than a turn takes, and less than one waits for a client.
    const PIECES: usize = 5;
    const PAUSE: Duration = Duration::from_millis(20);
    let server = fixture.server(&[])?;
    let mut first = server.client_with_window(WINDOW_BYTES)?;
    first.send(REQUEST.repeat(TURN).as_bytes())?;
    // The turn has begun. A server that reads late would read it all at once.
    first.has_input_within(SOON);
    for _ in 0..PIECES {
        first.is_reset_within(PAUSE);
        // It fails when the connection was reset: then answers are missing.
        let _ = first.send_some(REQUEST.as_bytes());
    }
    expect_turn(&mut first)
}

/// Expects as many answers as a turn has, and then the end.
fn expect_turn(client: &mut Client) -> CaseResult {
    let what = format!("the {TURN} answers of its turn");
    talk::expect_count(client, ANSWER, TURN, SOON, &what)?;
    client.expect_end()
}

fn goes_on_sending(fixture: &Fixture<'_>) -> CaseResult {
    const PAUSE: Duration = Duration::from_millis(20);
    let server = fixture.server(&[])?;
    let mut first = client_of(&server)?;
    let mut second = client_of(&server)?;
    second.send(b"10\n")?;
    first.send(REQUEST.repeat(TURN).as_bytes())?;
    first.expect_all([ANSWER; TURN])?;
    let deadline = Instant::now() + SOON;
    while !second.has_input_within(PAUSE) {
        if Instant::now() >= deadline {
            let what = "nothing, as long as the other went on sending";
            return Err(second.failure("its turn", what));
        }
        // It fails when the first one has been sent away.
        let _ = first.send_some(REQUEST.as_bytes());
    }
    second.expect(ExpectedReply::Fib(10))
}

/// A client that does not wait for long.
fn client_of(server: &TestServer<'_>) -> CaseResult<Client> {
    talk::client_of(server, SOON)
}
