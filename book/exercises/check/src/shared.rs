//! Helpers that the cases of several exercises share.

use std::time::Duration;

use conformance::{Answer, Client, Next, Served, Stage, Verdict};

/// Connects a client that waits up to `patience` for each reply.
pub(crate) fn connect(
    server: &Served<'_>,
    patience: Duration,
) -> Verdict<Client> {
    Ok(Client::connect(server.address(), patience)?)
}

/// Expects a reply within `timeout`, whatever the client's patience is.
pub(crate) fn expect_within(
    client: &mut Client,
    reply: Answer,
    timeout: Duration,
) -> Verdict {
    match client.next_within(timeout) {
        Next::Line(line) if reply.is(&line) => Ok(()),
        other => {
            let what = client.describe(&other);
            Err(client.failure(&reply.to_string(), &what))
        }
    }
}

/// Expects the same reply `count` times, each within `timeout`. A failure calls
/// the replies `what`, and reports how many have arrived.
pub(crate) fn expect_count(
    client: &mut Client,
    reply: Answer,
    count: usize,
    timeout: Duration,
    what: &str,
) -> Verdict {
    for arrived in 0..count {
        match client.next_within(timeout) {
            Next::Line(line) if reply.is(&line) => {}
            other => {
                let got = client.describe(&other);
                let got = format!("{got} after {arrived} of them");
                return Err(client.failure(what, &got));
            }
        }
    }
    Ok(())
}

/// Sends a short request while a job of length `job` is computed for another
/// client. Expects the reply to the short request to arrive first.
pub(crate) fn short_beside_long(
    stage: &Stage<'_>,
    job: Duration,
    patience: Duration,
) -> Verdict {
    let n = stage.job(job)?;
    let server = stage.server(&[])?;
    let mut long = connect(&server, patience)?;
    let mut short = connect(&server, patience)?;
    short.ask(1)?;
    long.send(format!("{n}\n").as_bytes())?;
    long.until_read()?;
    short.ask(2)?;
    if long.has_news() {
        return Err(short.failure(
            "a reply before that of the long request",
            "a reply after it",
        ));
    }
    long.expect(Answer::Fib(n))
}
