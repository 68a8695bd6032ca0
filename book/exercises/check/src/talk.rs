//! Conversations that several exercises have.

use std::time::Duration;

use conformance::{
    CaseResult, Client, ExpectedReply, Fixture, Next, TestServer,
};

/// A client that waits so long for what must come.
pub(crate) fn client_of(
    server: &TestServer<'_>,
    patience: Duration,
) -> CaseResult<Client> {
    Ok(Client::connect(server.address(), patience)?)
}

/// Expects an answer within so long, whatever the client's patience is.
pub(crate) fn expect_within(
    client: &mut Client,
    answer: ExpectedReply,
    timeout: Duration,
) -> CaseResult {
    match client.next_within(timeout) {
        Next::Line(line) if answer.matches(&line) => Ok(()),
        other => {
            let what = client.describe(&other);
            Err(client.failure(&answer.to_string(), &what))
        }
    }
}

/// Expects so many answers, each within so long; `what` they are, in the words
/// of a failure, which says how many have come.
pub(crate) fn expect_count(
    client: &mut Client,
    answer: ExpectedReply,
    count: usize,
    timeout: Duration,
    what: &str,
) -> CaseResult {
    for answers in 0..count {
        match client.next_within(timeout) {
            Next::Line(line) if answer.matches(&line) => {}
            other => {
                let got = client.describe(&other);
                let got = format!("{got} after {answers} of them");
                return Err(client.failure(what, &got));
            }
        }
    }
    Ok(())
}

/// Has a client ask for something short, while a job of so long is computed
/// for another. Expects its answer to come first.
pub(crate) fn short_beside_long(
    fixture: &Fixture<'_>,
    job: Duration,
    patience: Duration,
) -> CaseResult {
    let n = fixture.n_that_takes(job)?;
    let server = fixture.server(&[])?;
    let mut long = client_of(&server, patience)?;
    let mut short = client_of(&server, patience)?;
    short.ask(1)?;
    long.send(format!("{n}\n").as_bytes())?;
    long.wait_until_read()?;
    short.ask(2)?;
    match long.has_input() {
        false => long.expect(ExpectedReply::Fib(n)),
        true => Err(short.failure(
            "an answer before that of the long request",
            "it afterwards",
        )),
    }
}
