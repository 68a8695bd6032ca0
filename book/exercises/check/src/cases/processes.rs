//! Worker processes, some of which are killed.

use std::collections::HashMap;
use std::time::Duration;

use conformance::{
    CaseFailure, CaseResult, Client, ExpectedReply, Fixture, Next, TestServer,
    check, wait_until,
};
use launch::Signal;
use rustix::process::{Pid, kill_process};

use crate::exercise::Case;
use crate::group::{self, Stat};
use crate::talk::client_of;

pub(crate) const CASES: &[Case] = &[
    Case::of_server(
        "two clients' jobs are computed by two workers",
        "the server itself must not compute, and a job must not wait for a \
         worker that is free",
        two_at_once,
    )
    .kept(),
    Case::of_server(
        "whose worker is killed is told `error: worker-lost`, and may go on",
        "what does a read of the worker's pipe return when it has died?",
        is_told,
    )
    .fails_by("got      nothing in time"),
    Case::of_server(
        "each worker that is killed is replaced",
        "who puts what into the pool, after a worker has died?",
        are_replaced,
    )
    .fails_by("a new client, "),
    Case::of_server(
        "a worker that has died leaves no zombie",
        "the kernel keeps what is left of a process for its parent to look \
         at: see wait(2)",
        no_zombie,
    )
    .fails_by("got      a zombie"),
    Case::of_server(
        "the server killed with SIGKILL leaves no worker, not even a busy one",
        "how does a worker learn that its server has gone, and when?",
        server_killed,
    )
    .kept(),
];

/// A job that nobody lives to see the end of.
const ENDLESS: &[u8] = b"93\n";

const WORKERS: usize = 2;

/// What takes no computing comes within this, or not at all.
const SOON: Duration = Duration::from_secs(2);

fn two_at_once(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    server.client()?.ask(10)?;
    expect_workers(&server)
}

fn is_told(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    let mut client = client_of(&server, SOON)?;
    kill_worker_of(&server, &mut client)?;
    client.expect(ExpectedReply::Error("worker-lost"))?;
    client.ask(10)
}

fn are_replaced(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    for killed in 1..=2 * WORKERS {
        let mut client = client_of(&server, SOON)?;
        kill_worker_of(&server, &mut client)?;
        see_place_filled(&mut client);
        // Each of them has done something: the dead one's place was filled.
        for _ in 0..WORKERS {
            client_of(&server, SOON)?.ask(10).map_err(|fault| {
                fault.context(format!("a new client, {killed} killed"))
            })?;
        }
    }
    expect_workers(&server)
}

fn no_zombie(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    let mut client = client_of(&server, SOON)?;
    let worker = kill_worker_of(&server, &mut client)?;
    let is_gone = wait_until(SOON, || {
        // One may die and be reaped when the next is needed.
        let _ = client_of(&server, SOON).and_then(|mut other| other.ask(1));
        Stat::of(&group::folder(worker)).is_none()
    });
    check(is_gone, || {
        format!("expected no process {worker} any more\ngot      a zombie")
    })
}

fn server_killed(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    let mut client = server.client()?;
    let before = descendants(&server);
    client.send(ENDLESS)?;
    busy(&server, &before, 1)?;
    let workers = descendants(&server);
    server.signal(Signal::KILL);
    let left = || workers.keys().filter(|pid| group::is_alive(**pid)).count();
    check(wait_until(SOON, || left() == 0), || {
        format!("expected no worker any more\ngot      {} of them", left())
    })
}

/// Expects that two jobs are computed at once, each in a process of its own.
fn expect_workers(server: &TestServer<'_>) -> CaseResult {
    let mut clients = server.clients(WORKERS)?;
    let before = descendants(server);
    for client in &mut clients {
        client.send(ENDLESS)?;
    }
    busy(server, &before, WORKERS).map(drop)
}

/// Has the client ask for what takes long, and kills the worker that is busy
/// with it.
fn kill_worker_of(
    server: &TestServer<'_>,
    client: &mut Client,
) -> CaseResult<i32> {
    let before = descendants(server);
    client.send(ENDLESS)?;
    let worker = busy(server, &before, 1)?[0];
    if let Some(pid) = Pid::from_raw(worker) {
        // It fails only for one that has ended, and what comes of that is
        // looked at.
        let _ = kill_process(pid, Signal::KILL);
    }
    Ok(worker)
}

/// Has a client whose worker was killed ask for more, and waits until it is
/// answered, or sent away. By then a server that puts the dead one back has
/// done so. Else it would be chance whom the next clients' jobs go to.
fn see_place_filled(client: &mut Client) {
    // It fails where the client has been sent away.
    let _ = client.send(b"10\n");
    while let Next::Line(line) = client.next_reply() {
        if ExpectedReply::Fib(10).matches(&line) {
            break;
        }
    }
}

/// So many workers that have computed for a while since then.
fn busy(
    server: &TestServer<'_>,
    before: &HashMap<i32, Stat>,
    count: usize,
) -> CaseResult<Vec<i32>> {
    /// More than it takes to start, and than it takes to be told of a job.
    const TICKS: u64 = 15;
    let mut busy = Vec::new();
    let are_enough = wait_until(3 * SOON, || {
        busy = descendants(server)
            .into_iter()
            .filter(|(pid, process)| {
                let before = before.get(pid).map_or(0, |before| before.ticks);
                process.ticks.saturating_sub(before) >= TICKS
            })
            .map(|(pid, _)| pid)
            .collect();
        busy.len() >= count
    });
    match are_enough {
        true => Ok(busy),
        false => Err(CaseFailure::new(format!(
            "expected {count} worker processes that compute\ngot      {}",
            busy.len()
        ))),
    }
}

/// The children of the server, and theirs, by their ids; but for the dead.
fn descendants(server: &TestServer<'_>) -> HashMap<i32, Stat> {
    let mut family = group::family(server);
    family.remove(&server.pid().as_raw_nonzero().get());
    family
}
