//! A time limit around a line.

use std::time::Duration;

use conformance::{Answer, Client, Next, Stage, Verdict};

use crate::exercise::Case;
use crate::talk::client_of;

pub(crate) const CASES: &[Case] = &[
    Case::of_server(
        "who sends whole lines may stay, however long they take to compute",
        "the limit is for reading a line, not for answering it, nor for all \
         lines together",
        stays,
    )
    .kept(),
    Case::of_server(
        "who sends nothing is dropped",
        "which future does the limit stand around, if not a byte comes?",
        silent,
    )
    .kept(),
    Case::of_server(
        "who drips a byte now and then is dropped",
        "how often does the limit begin anew while one line is read?",
        drips,
    ),
];

/// How long a client may take for a line.
const LIMIT: Duration = Duration::from_millis(500);

/// A long answer may take so long, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// So long after it began, a limit is over on the busiest machine.
const OVER: Duration = LIMIT.saturating_mul(4);

fn stays(stage: &Stage<'_>) -> Verdict {
    let n = stage.job(5 * LIMIT / 4)?;
    let server = stage.server(&[])?;
    let mut client = client_of(&server, PATIENCE)?;
    client.send(b"1")?;
    client.expect_silence(LIMIT / 5)?;
    client.exchange(b"2\n", Answer::Fib(12))?;
    client.ask(n)?;
    client.exchange(b"ten\n", Answer::Error("not-a-number"))?;
    client.ask(10)
}

fn silent(stage: &Stage<'_>) -> Verdict {
    let server = stage.server(&[])?;
    let mut client = server.client()?;
    client.ask(10)?;
    match client.next_within(OVER) {
        Next::End | Next::Reset => Ok(()),
        other => Err(not_dropped(&client, &other)),
    }
}

fn drips(stage: &Stage<'_>) -> Verdict {
    const PAUSE: Duration = Duration::from_millis(150);
    let server = stage.server(&[])?;
    let mut client = server.client()?;
    client.ask(10)?;
    let mut waited = Duration::ZERO;
    while waited < OVER {
        // A connection that is closed may refuse it: then it is dropped.
        let is_refused = client.send(b"1").is_err();
        match client.next_within(PAUSE) {
            Next::End | Next::Reset => return Ok(()),
            Next::Nothing if is_refused => return Ok(()),
            Next::Nothing => waited += PAUSE,
            other => return Err(not_dropped(&client, &other)),
        }
    }
    Err(not_dropped(&client, &Next::Nothing))
}

fn not_dropped(client: &Client, next: &Next) -> conformance::Fault {
    let what = match next {
        Next::Nothing => "it open still".to_owned(),
        other => client.describe(other),
    };
    let expected = format!("the connection to end after {LIMIT:?}");
    client.failure(&expected, &what)
}
