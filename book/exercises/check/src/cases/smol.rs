//! Cases of the exercise `smol`: a time limit for a line.

use std::time::{Duration, Instant};

use conformance::{
    CaseFailure, CaseResult, Client, ExpectedReply, Fixture, Next,
};

use crate::exercise::Case;
use crate::shared::connect;

pub(crate) const CASES: &[Case] = &[
    Case::of_server(
        "a client may stay, however long its requests take to compute",
        "the limit is for reading one line: not for answering it, nor for \
         all lines together",
        stays,
    )
    .starter_passes(),
    Case::of_server(
        "a client that sends nothing is dropped",
        "if no byte arrives, which future does the limit wrap?",
        silent,
    )
    .starter_passes(),
    Case::of_server(
        "a client that sends a byte now and then is dropped",
        "how often is the limit restarted while one line is read?",
        drips,
    ),
];

/// How long a client may take for a line.
const LIMIT: Duration = Duration::from_millis(500);

/// How long a long job may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// After this time, a limit is over even on the busiest machine.
const OVER: Duration = LIMIT.saturating_mul(4);

fn stays(fixture: &Fixture<'_>) -> CaseResult {
    /// How long to wait at a time for the long reply.
    const PAUSE: Duration = Duration::from_millis(10);
    let n = fixture.n_that_takes(5 * LIMIT / 4)?;
    unless_late(|waits| {
        let server = fixture.server(&[])?;
        waits.begin();
        let mut client = connect(&server, PATIENCE)?;
        waits.end_by(|| client.send(b"1"))?;
        let silence = client.expect_silence(LIMIT / 5);
        waits.update();
        silence?;
        waits.end_by(|| client.send(format!("2\n{n}\n").as_bytes()))?;
        client.expect(ExpectedReply::Fib(12))?;
        // The server waits for bytes again once it has replied: not before the
        // last `has_input_within` that found no reply.
        let end = Instant::now() + PATIENCE;
        loop {
            waits.begin();
            if client.has_input_within(PAUSE) || Instant::now() > end {
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
            // Sending may fail once the server has closed the connection.
            let has_failed = waits.end_by(|| client.send(b"1")).is_err();
            let next = client.next_within(PAUSE);
            waits.update();
            match next {
                Next::End | Next::Reset => return Ok(()),
                Next::Nothing if has_failed => return Ok(()),
                Next::Nothing => waited += PAUSE,
                other => return Err(not_dropped(&client, &other)),
            }
        }
        Err(not_dropped(&client, &Next::Nothing))
    })
}

/// Repeats a test if this side was so late with some bytes that even a correct
/// server might have dropped the client.
fn unless_late(test: impl Fn(&mut Waits) -> CaseResult) -> CaseResult {
    const TRIES: usize = 10;
    for _ in 0..TRIES {
        let mut waits =
            Waits { since: Instant::now(), longest: Duration::ZERO };
        let verdict = test(&mut waits);
        if waits.longest < LIMIT {
            return verdict;
        }
    }
    let what = "expected this check to send in time\n\
                got      late bytes in every try: is the machine overloaded?";
    Err(CaseFailure::new(what))
}

/// The longest time that a server may have waited for bytes.
struct Waits {
    since: Instant,
    longest: Duration,
}

impl Waits {
    /// Records that a wait begins now.
    fn begin(&mut self) {
        self.since = Instant::now();
    }

    /// Records that the current wait may last until now.
    fn update(&mut self) {
        self.longest = self.longest.max(self.since.elapsed());
    }

    /// Ends the current wait by sending bytes. The next wait begins.
    fn end_by<T>(&mut self, send: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let sent = send();
        self.update();
        self.since = start;
        sent
    }
}

fn not_dropped(client: &Client, next: &Next) -> CaseFailure {
    let what = match next {
        Next::Nothing => "an open connection".to_owned(),
        other => client.describe(other),
    };
    let expected = format!("the connection to be closed after {LIMIT:?}");
    client.failure(&expected, &what)
}
