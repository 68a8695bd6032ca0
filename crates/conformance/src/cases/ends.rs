//! The ways that a conversation ends.

use std::time::Duration;

use crate::answer::{Answer, NOT_A_NUMBER};
use crate::case::{Case, Family, Need, Verdict, check, until};
use crate::client::Client;
use crate::stage::{ANY_N, Served, Stage};

const fn case(name: &'static str, play: fn(&Stage<'_>) -> Verdict) -> Case {
    Case::new(Family::Ends, name, play)
}

pub(super) const CASES: &[Case] = &[
    case("who half-closes with 100 requests pending gets all", half_close),
    case("who half-closes during a long job gets its reply", half_close_long)
        .computes(),
    case("who half-closes at once gets an end and no byte", half_close_idle),
    case("an unfinished last line is dropped", unfinished_line),
    case("an unfinished line too long is told off once", unfinished_long),
    case("an end in the middle of a crowd disturbs nobody", beside_others)
        .needs(&[Need::SeveralClients]),
    case("5,000 clients that leave at once leave nothing", leave_at_once),
    case("a reset before the request disturbs nobody", reset_before),
    case("a reset during a reply disturbs nobody", reset_during),
    case("a reset after a reply disturbs nobody", reset_after),
    case("who closes without reading disturbs nobody", close_unread),
    case("who leaves during a long job disturbs nobody", leave_long_job)
        .computes(),
    case(
        "a queued job of a client that was reset is never begun",
        reset_queued,
    )
    .needs(&[Need::Pool, Need::Flag("--workers")])
    .computes(),
];

fn half_close(stage: &Stage<'_>) -> Verdict {
    let server = stage.server(&[])?;
    let mut client = server.client()?;
    client.send("20\n".repeat(100).as_bytes())?;
    client.half_close()?;
    client.expect_all([Answer::Fib(20); 100])?;
    client.expect_end()
}

fn half_close_long(stage: &Stage<'_>) -> Verdict {
    let long = stage.job(Duration::from_millis(300))?;
    let server = stage.server(&ANY_N)?;
    let mut client = server.client()?;
    client.send(format!("1\n{long}\n2\n").as_bytes())?;
    client.expect(Answer::Fib(1))?;
    client.half_close()?;
    client.expect_all([long, 2].map(Answer::Fib))?;
    client.expect_end()
}

fn half_close_idle(stage: &Stage<'_>) -> Verdict {
    let server = stage.server(&[])?;
    let mut fresh = server.client()?;
    fresh.half_close()?;
    fresh.expect_end()?;
    let mut used = server.client()?;
    used.ask(10)?;
    used.half_close()?;
    used.expect_end()
}

fn unfinished_line(stage: &Stage<'_>) -> Verdict {
    let server = stage.server(&[])?;
    for unfinished in ["1", "10", "10\r", "x", " "] {
        let mut alone = server.client()?;
        alone.send(unfinished.as_bytes())?;
        alone.half_close()?;
        alone.expect_end()?;
        drop(alone);
        let mut behind = server.client()?;
        behind.send(format!("20\nx\n{unfinished}").as_bytes())?;
        behind.half_close()?;
        behind.expect_all([Answer::Fib(20), NOT_A_NUMBER])?;
        behind.expect_end()?;
    }
    Ok(())
}

fn unfinished_long(stage: &Stage<'_>) -> Verdict {
    let server = stage.server(&[])?;
    let mut client = server.client()?;
    client.send(&[b'1'; 1_000])?;
    client.half_close()?;
    client.expect(crate::answer::LINE_TOO_LONG)?;
    client.expect_end()
}

fn beside_others(stage: &Stage<'_>) -> Verdict {
    let server = stage.server(&[])?;
    let mut clients = server.clients(30)?;
    let round = |clients: &mut Vec<Client>| {
        clients.iter_mut().try_for_each(|client| client.ask(10))
    };
    round(&mut clients)?;
    while clients.len() > 3 {
        let at = clients.len() / 2;
        clients.remove(at).reset();
        drop(clients.remove(at));
        clients.remove(0).half_close()?;
        round(&mut clients)?;
    }
    Ok(())
}

fn leave_at_once(stage: &Stage<'_>) -> Verdict {
    crowd(stage, 5_000, |_| Ok(()))
}

fn reset_before(stage: &Stage<'_>) -> Verdict {
    crowd(stage, 100, |mut client| {
        client.send(b"20\n20")?;
        client.reset();
        Ok(())
    })?;
    crowd(stage, 100, |client| {
        client.reset();
        Ok(())
    })
}

fn reset_during(stage: &Stage<'_>) -> Verdict {
    // Replies that fill the buffers: the server is in the middle of them.
    let requests = b"x\n".repeat(50_000);
    crowd(stage, 20, |mut client| {
        client.send(&requests)?;
        client.expect(NOT_A_NUMBER)?;
        client.reset();
        Ok(())
    })
}

fn reset_after(stage: &Stage<'_>) -> Verdict {
    crowd(stage, 100, |mut client| {
        client.ask(10)?;
        client.reset();
        Ok(())
    })
}

fn close_unread(stage: &Stage<'_>) -> Verdict {
    // The first reply to arrive is answered with RST, the next write fails.
    // Who doesn't ignore SIGPIPE ends there.
    let requests = "20\nx\n".repeat(500);
    crowd(stage, 50, |mut client| client.send(requests.as_bytes()))
}

fn leave_long_job(stage: &Stage<'_>) -> Verdict {
    let long = stage.job(Duration::from_millis(100))?;
    let server = stage.server(&ANY_N)?;
    let baseline = baseline(&server)?;
    let request = format!("1\n{long}\n{long}\n");
    let leave: [fn(Client); 3] = [drop, Client::reset, |mut client| {
        // It fails only if the server has closed, which the next one shows.
        let _ = client.half_close();
        client.reset();
    }];
    for leave in leave {
        let mut client = server.client()?;
        client.exchange(request.as_bytes(), Answer::Fib(1))?;
        leave(client);
        server.expect_service()?;
    }
    server.expect_fds_back(baseline)
}

fn reset_queued(stage: &Stage<'_>) -> Verdict {
    let server = stage.server(&["--workers", "1", ANY_N[0], ANY_N[1]])?;
    // Long enough for the leaver to have left before it ends, also if the
    // suite is kept waiting meanwhile.
    let n = stage.job(Duration::from_secs(2))?;
    let mut first = server.patient_client()?;
    first.ask(10)?;
    let idle = server.vitals().cpu;
    first.send(format!("{n}\n").as_bytes())?;
    let busy = Duration::from_millis(100);
    let is_busy =
        until(stage.patience(), || server.vitals().cpu >= idle + busy);
    check(is_busy, || "expected the one worker to be busy".to_owned())?;
    let before = server.vitals();
    let mut leaver = server.client()?;
    // A job that no one lives to see the end of.
    leaver.send(b"93\n")?;
    leaver.until_read()?;
    leaver.reset();
    first.expect(Answer::Fib(n))?;
    // Until its job is done with, its connection is not: who comes now may
    // have the worker first.
    server.expect_fds_back(before)?;
    server.client()?.ask(30)
}

/// Expects that clients which leave like this, one after another, leave
/// nothing behind and disturb nobody.
fn crowd(
    stage: &Stage<'_>,
    count: usize,
    mut visit: impl FnMut(Client) -> Verdict,
) -> Verdict {
    let server = stage.server(&[])?;
    let baseline = baseline(&server)?;
    for i in 0..count {
        visit(server.client()?)?;
        // The backlog is finite: who comes in a moment must find room.
        if i % 500 == 499 {
            server.expect_service()?;
        }
    }
    server.expect_service()?;
    server.expect_fds_back(baseline)
}

/// What the server holds when its first client has come and gone: what it
/// makes at its first client is no leak.
fn baseline(server: &Served<'_>) -> Verdict<crate::vitals::Vitals> {
    let mut client = server.client()?;
    client.ask(10)?;
    client.half_close()?;
    client.expect_end()?;
    Ok(server.vitals())
}
