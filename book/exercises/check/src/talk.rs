//! Conversations that several exercises have.

use std::time::Duration;

use conformance::{Answer, Client, Next, Served, Stage, Verdict};

/// A client that waits so long for what must come.
pub(crate) fn client_of(
    server: &Served<'_>,
    patience: Duration,
) -> Verdict<Client> {
    Ok(Client::connect(server.address(), patience)?)
}

/// Expects an answer within so long, whatever the client's patience is.
pub(crate) fn expect_within(
    client: &mut Client,
    answer: Answer,
    timeout: Duration,
) -> Verdict {
    match client.next_within(timeout) {
        Next::Line(line) if answer.is(&line) => Ok(()),
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
    answer: Answer,
    count: usize,
    timeout: Duration,
    what: &str,
) -> Verdict {
    for answers in 0..count {
        match client.next_within(timeout) {
            Next::Line(line) if answer.is(&line) => {}
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
    stage: &Stage<'_>,
    job: Duration,
    patience: Duration,
) -> Verdict {
    let n = stage.job(job)?;
    let server = stage.server(&[])?;
    let mut long = client_of(&server, patience)?;
    let mut short = client_of(&server, patience)?;
    short.ask(1)?;
    long.send(format!("{n}\n").as_bytes())?;
    long.until_read()?;
    short.ask(2)?;
    match long.has_news() {
        false => long.expect(Answer::Fib(n)),
        true => Err(short.failure(
            "an answer before that of the long request",
            "it afterwards",
        )),
    }
}
