//! A time limit around a line.

use std::time::{Duration, Instant};

use conformance::{
    CaseFailure, CaseResult, Client, ExpectedReply, Fixture, Next,
};

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

fn stays(fixture: &Fixture<'_>) -> CaseResult {
    /// How often to look whether the long answer is there.
    const LOOK: Duration = Duration::from_millis(10);
    let n = fixture.n_that_takes(5 * LIMIT / 4)?;
    unless_late(|waits| {
        let server = fixture.server(&[])?;
        waits.begin();
        let mut client = client_of(&server, PATIENCE)?;
        waits.end_by(|| client.send(b"1"))?;
        let silence = client.expect_silence(LIMIT / 5);
        waits.go_on();
        silence?;
        waits.end_by(|| client.send(format!("2\n{n}\n").as_bytes()))?;
        client.expect(ExpectedReply::Fib(12))?;
        // The server waits for bytes again when it has answered: not before
        // the last look that found no answer.
        let end = Instant::now() + PATIENCE;
        loop {
            waits.begin();
            if client.has_input_within(LOOK) || Instant::now() > end {
                break;
            }
        }
        client.expect(ExpectedReply::Fib(n))?;
        waits.end_by(|| client.send(b"ten\n10\n"))?;
        client.expect(ExpectedReply::Error("not-a-number"))?;
        client.expect(ExpectedReply::Fib(10))
    })
}

fn silent(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    let mut client = server.client()?;
    client.ask(10)?;
    match client.next_within(OVER) {
        Next::End | Next::Reset => Ok(()),
        other => Err(not_dropped(&client, &other)),
    }
}

fn drips(fixture: &Fixture<'_>) -> CaseResult {
    const PAUSE: Duration = Duration::from_millis(150);
    unless_late(|waits| {
        let server = fixture.server(&[])?;
        waits.begin();
        let mut client = server.client()?;
        waits.end_by(|| client.ask(10))?;
        let mut waited = Duration::ZERO;
        while waited < OVER {
            // A connection that is closed may refuse it: then it is dropped.
            let is_refused = waits.end_by(|| client.send(b"1")).is_err();
            let next = client.next_within(PAUSE);
            waits.go_on();
            match next {
                Next::End | Next::Reset => return Ok(()),
                Next::Nothing if is_refused => return Ok(()),
                Next::Nothing => waited += PAUSE,
                other => return Err(not_dropped(&client, &other)),
            }
        }
        Err(not_dropped(&client, &Next::Nothing))
    })
}

/// Plays it once more if this side was so late with some bytes that a server
/// might have dropped the client for that alone.
fn unless_late(play: impl Fn(&mut Waits) -> CaseResult) -> CaseResult {
    const TRIES: usize = 10;
    for _ in 0..TRIES {
        let mut waits =
            Waits { since: Instant::now(), longest: Duration::ZERO };
        let verdict = play(&mut waits);
        if waits.longest < LIMIT {
            return verdict;
        }
    }
    let what = "expected this check to send in time\ngot      it kept waiting";
    Err(CaseFailure::new(what))
}

/// How long a server waited for bytes, at most.
struct Waits {
    since: Instant,
    longest: Duration,
}

impl Waits {
    /// From now on it waits.
    fn begin(&mut self) {
        self.since = Instant::now();
    }

    /// It may wait still.
    fn go_on(&mut self) {
        self.longest = self.longest.max(self.since.elapsed());
    }

    /// Ends a wait by sending, with which the next one begins.
    fn end_by<T>(&mut self, send: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let sent = send();
        self.go_on();
        self.since = start;
        sent
    }
}

fn not_dropped(client: &Client, next: &Next) -> CaseFailure {
    let what = match next {
        Next::Nothing => "it open still".to_owned(),
        other => client.describe(other),
    };
    let expected = format!("the connection to end after {LIMIT:?}");
    client.failure(&expected, &what)
}
