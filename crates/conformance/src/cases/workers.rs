//! Worker processes that die, stop or take too long, and their jobs.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use launch::Signal;
use rustix::process::{Pid, kill_process};

use crate::case::{
    Case, CaseFailure, CaseResult, Family, Need, check, wait_until,
};
use crate::client::Client;
use crate::fixture::{ANY_N, Fixture, TestServer};
use crate::reply::{ExpectedReply, TIMED_OUT, WORKER_LOST};
use crate::usage::stat;

const fn case(name: &'static str, run: fn(&Fixture<'_>) -> CaseResult) -> Case {
    Case::new(Family::Workers, name, run).needs(&[Need::Workers])
}

pub(super) const CASES: &[Case] = &[
    case("killing an idle worker affects no client", idle_killed),
    case("killing a busy worker gives its client `worker-lost`", busy_killed)
        .computes(),
    case("a stopped worker gives `timed-out` and is replaced", stopped),
    case(
        "a job that takes too long gives `timed-out` and is stopped",
        too_long,
    )
    .computes(),
    case(
        "a job whose client resets the connection is stopped",
        reset_while_computed,
    )
    .computes(),
    case(
        "a worker starts no queued job after its client resets the connection",
        reset_in_the_queue,
    )
    .computes(),
    case("500 resets during quick jobs kill no worker", reset_while_quick),
    case(
        "workers that die at start are replaced at growing intervals",
        back_off,
    )
    .alone(),
    case("no worker outlives a server killed with SIGKILL", server_killed)
        .computes(),
    case("a dead worker leaves no zombie", no_zombies),
    case("no worker has a client's socket open", no_sockets),
    case("workers are started where there is no /proc", without_proc),
    case(
        "a server that was started with SIGCHLD ignored reaps its workers",
        children_ignored,
    ),
];

const ONE_WORKER: [&str; 4] = ["--workers", "1", ANY_N[0], ANY_N[1]];

/// A request whose job would run for centuries.
const ENDLESS: &[u8] = b"93\n";

fn idle_killed(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&["--workers", "2"])?;
    let mut client = server.client()?;
    for _ in 0..5 {
        for worker in workers(&server, 2)? {
            kill(worker, Signal::KILL);
            client.ask(10)?;
        }
    }
    Ok(())
}

fn busy_killed(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&ONE_WORKER)?;
    let mut client = server.client()?;
    client.send(ENDLESS)?;
    kill(busy_worker(&server)?, Signal::KILL);
    client.expect(WORKER_LOST)?;
    client.ask(10)
}

fn stopped(fixture: &Fixture<'_>) -> CaseResult {
    let flags = ["--workers", "1", "--job-timeout", "500ms"];
    let server = fixture.server(&flags)?;
    let mut client = server.client()?;
    // The reply shows that the worker has executed its program and is no longer
    // a fork of the server, which would stop with it.
    client.ask(10)?;
    let worker = workers(&server, 1)?[0];
    kill(worker, Signal::STOP);
    client.exchange(b"10\n", TIMED_OUT)?;
    client.ask(10)?;
    expect_gone(fixture, &[worker])
}

fn too_long(fixture: &Fixture<'_>) -> CaseResult {
    let flags = [&ONE_WORKER[..], &["--job-timeout", "300ms"]].concat();
    let server = fixture.server(&flags)?;
    let mut client = server.client()?;
    let worker = workers(&server, 1)?[0];
    // The job is between others, because replies must stay in order.
    client.send(b"10\n93\n11\n")?;
    client.expect_all([
        ExpectedReply::Fib(10),
        TIMED_OUT,
        ExpectedReply::Fib(11),
    ])?;
    expect_gone(fixture, &[worker])
}

fn reset_while_computed(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&ONE_WORKER)?;
    let mut leaver = server.client()?;
    leaver.send(ENDLESS)?;
    let worker = busy_worker(&server)?;
    let mut other = server.client()?;
    leaver.reset();
    other.ask(10)?;
    expect_gone(fixture, &[worker])
}

fn reset_in_the_queue(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&ONE_WORKER)?;
    // Long enough to see the worker use CPU time, even if the cost of jobs was
    // measured on a busy machine.
    let n = fixture.n_that_takes(Duration::from_secs(2))?;
    let mut first = server.patient_client()?;
    first.send(format!("{n}\n").as_bytes())?;
    let worker = busy_worker(&server)?;
    let before = server.usage();
    let mut leaver = server.client()?;
    leaver.send(ENDLESS)?;
    leaver.wait_until_read()?;
    leaver.reset();
    first.expect(ExpectedReply::Fib(n))?;
    // The connection that was reset is closed only when its job has been
    // discarded. Before that, the next request could get the worker first.
    server.expect_fds_released(before)?;
    let still = workers(&server, 1)?;
    check(still == [worker], || {
        "expected the worker to stay alive: its only job was wanted".to_owned()
    })
}

fn reset_while_quick(fixture: &Fixture<'_>) -> CaseResult {
    const CLIENTS: usize = 500;
    let server = fixture.server(&["--workers", "2"])?;
    server.expect_service()?;
    let fds = server.usage();
    let before = workers(&server, 2)?;
    // While the workers are stopped, every reset finds its job pending.
    before.iter().for_each(|&worker| kill(worker, Signal::STOP));
    let mut clients = server.clients(CLIENTS)?;
    clients.iter_mut().try_for_each(|client| client.send(b"19\n"))?;
    clients.iter().try_for_each(Client::wait_until_read)?;
    clients.into_iter().for_each(Client::reset);
    before.iter().for_each(|&worker| kill(worker, Signal::CONT));
    server.expect_fds_released(fds)?;
    let after = workers(&server, 2)?;
    check(after.iter().all(|worker| before.contains(worker)), || {
        "expected the same two workers: replacing one costs more than the \
         jobs"
            .to_owned()
    })
}

fn back_off(fixture: &Fixture<'_>) -> CaseResult {
    const WORKERS: usize = 6;
    const GROWTH_MIN: u32 = 4;
    const LAST_PAUSE_MIN: Duration = Duration::from_millis(400);
    let server = fixture.server(&["--workers", "1"])?;
    let mut killed: Option<(Pid, Instant)> = None;
    let mut pauses = Vec::new();
    while pauses.len() < WORKERS - 1 {
        let is_new = |&pid: &Pid| killed.is_none_or(|(last, _)| pid != last);
        let mut started = None;
        wait_until(fixture.patience(), || {
            started = server.children().into_iter().find(is_new);
            started.is_some()
        });
        let worker = started.ok_or_else(|| {
            CaseFailure::new(format!(
                "expected another worker after pauses of {pauses:?}"
            ))
        })?;
        pauses.extend(killed.map(|(_, at)| at.elapsed()));
        killed = Some((worker, Instant::now()));
        kill(worker, Signal::KILL);
    }
    // A busy machine can only make a pause longer. So the shortest is the one
    // to compare the last with.
    let shortest = pauses.iter().min().copied().unwrap_or_default();
    let last = pauses.last().copied().unwrap_or_default();
    check(last >= LAST_PAUSE_MIN.max(shortest * GROWTH_MIN), || {
        format!(
            "expected the last pause to be at least {LAST_PAUSE_MIN:?} and \
             {GROWTH_MIN} times the shortest, got {pauses:?}"
        )
    })?;
    let log = server.log();
    check(log.iter().any(|line| line.contains("worker")), || {
        format!("expected a log line about workers, got {log:?}")
    })?;
    server.client()?.ask(10)
}

fn server_killed(fixture: &Fixture<'_>) -> CaseResult {
    const TIMEOUT: Duration = Duration::from_secs(2);
    let server = fixture.server(&["--workers", "2", ANY_N[0], ANY_N[1]])?;
    let mut client = server.client()?;
    client.send(ENDLESS)?;
    busy_worker(&server)?;
    let workers = workers(&server, 2)?;
    server.signal(Signal::KILL);
    let parent = server.pid();
    let is_left =
        |&worker: &Pid| exists(&worker) && !is_dead_orphan(worker, parent);
    let are_gone = wait_until(TIMEOUT, || !workers.iter().any(is_left));
    check(are_gone, || format!("expected no worker left after {TIMEOUT:?}"))
}

fn no_zombies(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&["--workers", "2"])?;
    let dead = workers(&server, 2)?;
    dead.iter().for_each(|&worker| kill(worker, Signal::KILL));
    expect_gone(fixture, &dead)
}

fn no_sockets(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&["--workers", "1"])?;
    let mut clients = server.clients(5)?;
    clients.iter_mut().try_for_each(|client| client.ask(10))?;
    // The next worker starts while the clients are connected.
    kill(workers(&server, 1)?[0], Signal::KILL);
    clients.iter_mut().try_for_each(|client| client.ask(10))?;
    for worker in workers(&server, 1)? {
        let sockets = fds(worker)
            .into_iter()
            .filter(|fd| fd.starts_with("socket:"))
            .collect::<Vec<_>>();
        check(sockets.is_empty(), || {
            format!("expected no open socket in a worker, got {sockets:?}")
        })?;
    }
    Ok(())
}

fn without_proc(fixture: &Fixture<'_>) -> CaseResult {
    const HIDE_PROC: &str = "mount -t tmpfs none /proc && exec \"$0\" \"$@\"";
    let can_unshare = Command::new("unshare")
        .args(["-m", "sh", "-c", "mount -t tmpfs none /proc"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !can_unshare {
        return Err(CaseFailure::not_applicable(
            "this process may not hide /proc (unshare -m)".to_owned(),
        ));
    }
    let launch = fixture.launch(&["--workers", "1"]);
    let hidden = launch.through(&["unshare", "-m", "sh", "-c", HIDE_PROC]);
    fixture.start(hidden)?.client()?.ask(20)
}

fn children_ignored(fixture: &Fixture<'_>) -> CaseResult {
    let launch = fixture.launch(&["--workers", "1"]).ignore(&[Signal::CHILD]);
    let server = fixture.start(launch)?;
    let mut client = server.client()?;
    let worker = workers(&server, 1)?[0];
    kill(worker, Signal::KILL);
    expect_gone(fixture, &[worker])?;
    client.ask(10)?;
    // Where SIGCHLD is ignored, the kernel reaps children, and wait(2) fails.
    let log = server.log();
    check(!log.iter().any(|line| line.contains("No child process")), || {
        format!("expected the server to get its worker's status, got {log:?}")
    })
}

/// Waits until the server has `count` workers, and returns them.
fn workers(server: &TestServer<'_>, count: usize) -> CaseResult<Vec<Pid>> {
    let mut found = Vec::new();
    let are_enough = wait_until(server.patience(), || {
        found = server.children();
        found.len() == count
    });
    check(are_enough, || {
        format!("expected {count} workers, got {}", found.len())
    })?;
    Ok(found)
}

/// Waits until a worker computes, and returns it.
fn busy_worker(server: &TestServer<'_>) -> CaseResult<Pid> {
    let mut busy = None;
    wait_until(server.patience(), || {
        busy = server.children().into_iter().find(is_busy);
        busy.is_some()
    });
    busy.ok_or_else(|| CaseFailure::new("expected a busy worker"))
}

/// Returns `true` if the worker has used enough CPU time to be in the middle of
/// a job: more than a worker needs to start, or to receive a job while it dies.
fn is_busy(worker: &Pid) -> bool {
    const TICKS: u64 = 15;
    stat(*worker, 14)
        .and_then(|ticks| ticks.parse().ok())
        .is_some_and(|ticks: u64| ticks >= TICKS)
}

/// Returns `true` if the process runs or is a zombie.
fn exists(worker: &Pid) -> bool {
    stat(*worker, 3).is_some()
}

/// Returns `true` if a worker is a zombie and its parent is no longer the
/// server. In a container, the new parent may be a process that never reaps.
fn is_dead_orphan(worker: Pid, server: Pid) -> bool {
    let server = server.as_raw_nonzero().to_string();
    stat(worker, 3).is_some_and(|state| state == "Z")
        && stat(worker, 4).is_some_and(|parent| parent != server)
}

/// Checks that the workers have ended and have been reaped.
fn expect_gone(fixture: &Fixture<'_>, workers: &[Pid]) -> CaseResult {
    let gone = wait_until(fixture.patience(), || !workers.iter().any(exists));
    check(gone, || "expected the worker to end and to be reaped".to_owned())
}

/// Returns what the file descriptors of a process refer to.
fn fds(process: Pid) -> Vec<String> {
    let pid = process.as_raw_nonzero();
    let entries = fs::read_dir(format!("/proc/{pid}/fd"));
    let links = entries.into_iter().flatten().flatten();
    links
        .filter_map(|fd| fs::read_link(fd.path()).ok())
        .map(|link| link.to_string_lossy().into_owned())
        .collect()
}

fn kill(process: Pid, signal: Signal) {
    // Fails only if the process has ended; the case checks the consequences.
    let _ = kill_process(process, signal);
}
