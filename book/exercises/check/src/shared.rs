//! Helpers that the cases of several exercises share.

use std::time::Duration;

use conformance::{
    CaseResult, Client, ExpectedReply, Fixture, Next, TestServer,
};

/// Connects a client that waits up to `patience` for each reply.
pub(crate) fn connect(
    server: &TestServer<'_>,
    patience: Duration,
) -> CaseResult<Client> {
    Ok(Client::connect(server.address(), patience)?)
}

/// Expects a reply within `timeout`, whatever the client's patience is.
pub(crate) fn expect_within(
    client: &mut Client,
    reply: ExpectedReply,
    timeout: Duration,
) -> CaseResult {
    match client.next_within(timeout) {
        Next::Line(line) if reply.matches(&line) => Ok(()),
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
    reply: ExpectedReply,
    count: usize,
    timeout: Duration,
    what: &str,
) -> CaseResult {
    for arrived in 0..count {
        match client.next_within(timeout) {
            Next::Line(line) if reply.matches(&line) => {}
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
    fixture: &Fixture<'_>,
    job: Duration,
    patience: Duration,
) -> CaseResult {
    let n = fixture.n_that_takes(job)?;
    let server = fixture.server(&[])?;
    let mut long = connect(&server, patience)?;
    let mut short = connect(&server, patience)?;
    short.ask(1)?;
    long.send(format!("{n}\n").as_bytes())?;
    long.wait_until_read()?;
    short.ask(2)?;
    if long.has_input() {
        return Err(short.failure(
            "a reply before that of the long request",
            "a reply after it",
        ));
    }
    long.expect(ExpectedReply::Fib(n))
}
