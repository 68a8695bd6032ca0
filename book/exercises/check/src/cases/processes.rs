//! Cases of the exercise `processes`: workers that are killed.

use std::collections::HashMap;
use std::time::Duration;

use conformance::{
    CaseResult, Client, ExpectedReply, Fixture, Next, TestServer, check,
    wait_until,
};
use launch::Signal;
use rustix::process::{Pid, kill_process};

use crate::exercise::Case;
use crate::procfs::{self, Stat};
use crate::shared::connect;

pub(crate) const CASES: &[Case] = &[
    Case::of_server(
        "the jobs of two clients are computed by two workers",
        "the server itself must not compute, and a job must not wait while \
         a worker is free",
        two_at_once,
    )
    .starter_passes(),
    Case::of_server(
        "a killed worker's client gets `error: worker-lost` and can continue",
        "what does a read of the worker's pipe return when it has died?",
        reports_loss,
    )
    .fails_with("got      nothing in time"),
    Case::of_server(
        "every killed worker is replaced",
        "after a worker has died, what is put back into the pool?",
        are_replaced,
    )
    .fails_with("a new client, "),
    Case::of_server(
        "a dead worker leaves no zombie",
        "the kernel keeps a dead process until its parent has waited for \
         it: see wait(2)",
        no_zombie,
    )
    .fails_with("got      a zombie"),
    Case::of_server(
        "if the server is killed, no worker remains, not even a busy one",
        "how does a worker detect that its server has died, and when?",
        server_killed,
    )
    .starter_passes(),
];

/// A job that takes centuries.
const ENDLESS: &[u8] = b"93\n";

const WORKERS: usize = 2;

/// How long to wait for what requires no computing.
const SOON: Duration = Duration::from_secs(2);

fn two_at_once(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    server.client()?.ask(10)?;
    expect_workers(&server)
}

fn reports_loss(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    let mut client = connect(&server, SOON)?;
    kill_worker_of(&server, &mut client)?;
    client.expect(ExpectedReply::Error("worker-lost"))?;
    client.ask(10)
}

fn are_replaced(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    for killed in 1..=2 * WORKERS {
        let mut client = connect(&server, SOON)?;
        kill_worker_of(&server, &mut client)?;
        wait_until_put_back(&mut client);
        // One request for each worker, so the new one must answer, too.
        for _ in 0..WORKERS {
            connect(&server, SOON)?.ask(10).map_err(|fault| {
                fault.context(format!("a new client, {killed} killed"))
            })?;
        }
    }
    expect_workers(&server)
}

fn no_zombie(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    let mut client = connect(&server, SOON)?;
    let worker = kill_worker_of(&server, &mut client)?;
    let is_gone = wait_until(SOON, || {
        // A server may reap a dead worker only when it needs the next.
        let _ = connect(&server, SOON).and_then(|mut other| other.ask(1));
        Stat::of(&procfs::folder(worker)).is_none()
    });
    check(is_gone, || {
        format!("expected process {worker} to be gone\ngot      a zombie")
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
    let count = || workers.keys().filter(|pid| procfs::is_alive(**pid)).count();
    check(wait_until(SOON, || count() == 0), || {
        format!("expected no worker to remain\ngot      {} of them", count())
    })
}

/// Expects two jobs to be computed at the same time, each in its own process.
fn expect_workers(server: &TestServer<'_>) -> CaseResult {
    let mut clients = server.clients(WORKERS)?;
    let before = descendants(server);
    for client in &mut clients {
        client.send(ENDLESS)?;
    }
    busy(server, &before, WORKERS).map(drop)
}

/// Sends an endless job, and kills the worker that computes it. Returns the
/// worker's process id.
fn kill_worker_of(
    server: &TestServer<'_>,
    client: &mut Client,
) -> CaseResult<i32> {
    let before = descendants(server);
    client.send(ENDLESS)?;
    let worker = busy(server, &before, 1)?[0];
    if let Some(pid) = Pid::from_raw(worker) {
        // Killing fails only if the worker has ended already. The caller
        // checks what follows from that.
        let _ = kill_process(pid, Signal::KILL);
    }
    Ok(worker)
}

/// Sends another request of a client whose worker was killed, and waits until
/// the reply arrives or the connection ends. By then, even a server that puts
/// the dead worker back has done so. Otherwise, it would be chance which worker
/// gets the next job.
fn wait_until_put_back(client: &mut Client) {
    // Sending fails if the server has closed the connection.
    let _ = client.send(b"10\n");
    while let Next::Line(line) = client.next_reply() {
        if ExpectedReply::Fib(10).matches(&line) {
            break;
        }
    }
}

/// Waits for `count` workers that have used CPU time since `before`. Returns
/// their process ids.
fn busy(
    server: &TestServer<'_>,
    before: &HashMap<i32, Stat>,
    count: usize,
) -> CaseResult<Vec<i32>> {
    /// More than starting a worker takes, or handing it a job.
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
    check(are_enough, || {
        format!(
            "expected {count} worker processes that compute\ngot      {}",
            busy.len()
        )
    })?;
    Ok(busy)
}

/// Returns the living descendants of the server by their ids.
fn descendants(server: &TestServer<'_>) -> HashMap<i32, Stat> {
    let mut family = procfs::family(server);
    family.remove(&server.pid().as_raw_nonzero().get());
    family
}
