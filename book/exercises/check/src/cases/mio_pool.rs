//! An answer that comes when its client has left.

use std::time::Duration;

use conformance::{Answer, Client, Served, Stage, Verdict};

use crate::exercise::Case;
use crate::talk::{client_of, short_beside_long};

pub(crate) const CASES: &[Case] = &[
    Case::of_server(
        "clients get their answers, each in order",
        "an answer belongs to the client that asked",
        side_by_side,
    )
    .kept(),
    Case::of_server(
        "a short request does not wait for another's long one",
        "nothing may be computed on the loop's thread",
        |stage| short_beside_long(stage, 3 * LONG, SOON),
    )
    .kept(),
    Case::of_server(
        "nobody gets the answer to one who has left",
        "a key is given away again: what else would tell the two clients \
         apart?",
        one_who_left,
    )
    .fails_by("F("),
    Case::of_server(
        "who has left leaves nothing behind",
        "when the answer is there, at the latest, a client's place is free",
        leave,
    )
    .kept(),
];

/// A job that is still computed when its client has long left.
const LONG: Duration = Duration::from_millis(200);

/// What must come comes sooner, though it may be three long jobs and the
/// machine busy.
const SOON: Duration = Duration::from_secs(60);

fn side_by_side(stage: &Stage<'_>) -> Verdict {
    let slow = stage.job(Duration::from_millis(10))?;
    let server = stage.server(&[])?;
    let mut clients = clients_of(&server, 8)?;
    let numbers = |client: usize| [client as u64, slow, 20, 30 - client as u64];
    for (client, number) in clients.iter_mut().zip(0..) {
        let lines = numbers(number).map(|n| format!("{n}\n")).concat();
        client.send(lines.as_bytes())?;
        client.half_close()?;
    }
    for (client, number) in clients.iter_mut().zip(0..) {
        client.expect_all(numbers(number).map(Answer::Fib))?;
        client.expect_end()?;
    }
    Ok(())
}

fn one_who_left(stage: &Stage<'_>) -> Verdict {
    // It must still be computed when the next ones have come.
    let n = stage.job(4 * LONG)?;
    let server = stage.server(&[])?;
    let mut leaver = server.client()?;
    leaver.send(format!("{n}\n").as_bytes())?;
    leaver.until_read()?;
    leaver.reset();
    // Who comes now asks for more, so that the other answer would come first.
    let mut comers = clients_of(&server, 2)?;
    for comer in &mut comers {
        comer.ask(3)?;
        comer.send(format!("{}\n", n + 1).as_bytes())?;
    }
    for comer in &mut comers {
        comer.expect(Answer::Fib(n + 1))?;
        comer.ask(4)?;
    }
    Ok(())
}

fn leave(stage: &Stage<'_>) -> Verdict {
    let n = stage.job(LONG / 2)?;
    let server = stage.server(&[])?;
    // Whoever stays keeps their key. A newcomer would get one that was given
    // back, and with it, in the starter, an answer to one who has left.
    let mut stayer = client_of(&server, SOON)?;
    stayer.ask(1)?;
    let before = server.vitals();
    for mut leaver in server.clients(20)? {
        leaver.ask(1)?;
    }
    for mut leaver in server.clients(4)? {
        leaver.send(format!("{n}\n").as_bytes())?;
        leaver.until_read()?;
        leaver.reset();
    }
    server.expect_few_fds(before)?;
    stayer.ask(2)
}

/// So many clients with time to wait.
fn clients_of(server: &Served<'_>, count: usize) -> Verdict<Vec<Client>> {
    (0..count).map(|_| client_of(server, SOON)).collect()
}
