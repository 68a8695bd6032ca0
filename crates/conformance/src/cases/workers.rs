//! Worker processes: what becomes of jobs, and of workers.

use std::fs;
use std::time::{Duration, Instant};

use launch::Signal;
use rustix::process::{Pid, kill_process};

use crate::answer::{Answer, TIMED_OUT, WORKER_LOST};
use crate::case::{Case, Family, Fault, Need, Verdict, check, until};
use crate::stage::{ANY_N, Served, Stage};

const fn case(name: &'static str, play: fn(&Stage<'_>) -> Verdict) -> Case {
    Case::new(Family::Workers, name, play).needs(&[Need::Workers])
}

pub(super) const CASES: &[Case] = &[
    case("an idle worker killed: nobody notices", idle_killed),
    case("a busy worker killed: its client is told `worker-lost`", busy_killed)
        .computes(),
    case("a stopped worker is `timed-out`, and replaced", stopped),
    case("a job that takes too long is `timed-out`, and stopped", too_long)
        .computes(),
    case("a job whose client was reset is stopped", reset_while_computed)
        .computes(),
    case("a queued job of a gone client is never started", reset_in_the_queue)
        .computes(),
    case("500 resets during quick jobs cost no worker", reset_while_quick),
    case("workers that die at start are replaced ever more slowly", back_off)
        .alone(),
    case("the server killed with SIGKILL leaves no worker", server_killed)
        .computes(),
    case("a worker that has died leaves no zombie", no_zombies),
    case("a worker holds no client's socket", no_sockets),
];

const ONE_WORKER: [&str; 4] = ["--workers", "1", ANY_N[0], ANY_N[1]];

/// A job that no one lives to see the end of.
const ENDLESS: &[u8] = b"93\n";

fn idle_killed(stage: &Stage<'_>) -> Verdict {
    let server = stage.server(&["--workers", "2"])?;
    let mut client = server.client()?;
    for _ in 0..5 {
        for worker in workers(&server, 2)? {
            kill(worker, Signal::KILL);
            client.ask(10)?;
        }
    }
    Ok(())
}

fn busy_killed(stage: &Stage<'_>) -> Verdict {
    let server = stage.server(&ONE_WORKER)?;
    let mut client = server.client()?;
    client.send(ENDLESS)?;
    kill(busy_worker(&server)?, Signal::KILL);
    client.expect(WORKER_LOST)?;
    client.ask(10)
}

fn stopped(stage: &Stage<'_>) -> Verdict {
    let flags = ["--workers", "1", "--job-timeout", "500ms"];
    let server = stage.server(&flags)?;
    let mut client = server.client()?;
    // The answer shows that the worker is one by now, and no longer a fork of
    // the server, which would stop with it.
    client.ask(10)?;
    let worker = workers(&server, 1)?[0];
    kill(worker, Signal::STOP);
    client.exchange(b"10\n", TIMED_OUT)?;
    client.ask(10)?;
    expect_gone(stage, &[worker])
}

fn too_long(stage: &Stage<'_>) -> Verdict {
    let flags = [&ONE_WORKER[..], &["--job-timeout", "300ms"]].concat();
    let server = stage.server(&flags)?;
    let mut client = server.client()?;
    let worker = workers(&server, 1)?[0];
    // In the middle of others: the order of replies must hold.
    client.send(b"10\n93\n11\n")?;
    client.expect_all([Answer::Fib(10), TIMED_OUT, Answer::Fib(11)])?;
    expect_gone(stage, &[worker])
}

fn reset_while_computed(stage: &Stage<'_>) -> Verdict {
    let server = stage.server(&ONE_WORKER)?;
    let mut leaver = server.client()?;
    leaver.send(ENDLESS)?;
    let worker = busy_worker(&server)?;
    let mut other = server.client()?;
    leaver.reset();
    other.ask(10)?;
    expect_gone(stage, &[worker])
}

fn reset_in_the_queue(stage: &Stage<'_>) -> Verdict {
    let server = stage.server(&ONE_WORKER)?;
    // Long enough to be seen at work, also if the time was taken while others
    // had the processor.
    let n = stage.job(Duration::from_secs(2))?;
    let mut first = server.patient_client()?;
    first.send(format!("{n}\n").as_bytes())?;
    let worker = busy_worker(&server)?;
    let before = server.vitals();
    let mut leaver = server.client()?;
    leaver.send(ENDLESS)?;
    leaver.until_read()?;
    leaver.reset();
    first.expect(Answer::Fib(n))?;
    // Until its job is done with, its connection is not: who comes now may
    // have the worker first.
    server.expect_fds_back(before)?;
    let still = workers(&server, 1)?;
    check(still == [worker], || {
        "expected the worker to live on: its one job was wanted".to_owned()
    })
}

fn reset_while_quick(stage: &Stage<'_>) -> Verdict {
    const CLIENTS: usize = 500;
    let server = stage.server(&["--workers", "2"])?;
    server.expect_service()?;
    let fds = server.vitals();
    let before = workers(&server, 2)?;
    // Else few would be reset just when their job is computed.
    before.iter().for_each(|&worker| kill(worker, Signal::STOP));
    for _ in 0..CLIENTS {
        let mut client = server.client()?;
        client.send(b"19\n")?;
        client.until_read()?;
        client.reset();
    }
    before.iter().for_each(|&worker| kill(worker, Signal::CONT));
    server.expect_fds_back(fds)?;
    let after = workers(&server, 2)?;
    check(after.iter().all(|worker| before.contains(worker)), || {
        "expected the same two workers: to replace one costs more than the \
         jobs"
            .to_owned()
    })
}

fn back_off(stage: &Stage<'_>) -> Verdict {
    const WORKERS: usize = 6;
    const GROWTH_MIN: u32 = 4;
    const LAST_PAUSE_MIN: Duration = Duration::from_millis(400);
    let server = stage.server(&["--workers", "1"])?;
    let mut dead: Option<(Pid, Instant)> = None;
    let mut pauses = Vec::new();
    while pauses.len() < WORKERS - 1 {
        let is_next = |&pid: &Pid| dead.is_none_or(|(last, _)| pid != last);
        let mut born = None;
        until(stage.patience(), || {
            born = children(&server).into_iter().find(is_next);
            born.is_some()
        });
        let worker = born.ok_or_else(|| {
            Fault::new(format!("expected one more worker after {pauses:?}"))
        })?;
        pauses.extend(dead.map(|(_, at)| at.elapsed()));
        dead = Some((worker, Instant::now()));
        kill(worker, Signal::KILL);
    }
    // What the machine does meanwhile can only make a pause longer. So the
    // shortest is the one to hold the last against.
    let shortest = pauses.iter().min().copied().unwrap_or_default();
    let last = pauses.last().copied().unwrap_or_default();
    check(last >= LAST_PAUSE_MIN.max(shortest * GROWTH_MIN), || {
        format!(
            "expected the last pause to be {LAST_PAUSE_MIN:?} and \
             {GROWTH_MIN} times the shortest at least, got {pauses:?}"
        )
    })?;
    let log = server.log();
    check(log.iter().any(|line| line.contains("worker")), || {
        format!("expected a log line about workers, got {log:?}")
    })?;
    server.client()?.ask(10)
}

fn server_killed(stage: &Stage<'_>) -> Verdict {
    const MOMENT: Duration = Duration::from_secs(2);
    let server = stage.server(&["--workers", "2", ANY_N[0], ANY_N[1]])?;
    let mut client = server.client()?;
    client.send(ENDLESS)?;
    busy_worker(&server)?;
    let workers = workers(&server, 2)?;
    server.signal(Signal::KILL);
    let parent = server.pid();
    let is_left =
        |&worker: &Pid| is_there(&worker) && !is_dead_orphan(worker, parent);
    let all_gone = until(MOMENT, || !workers.iter().any(is_left));
    check(all_gone, || format!("expected no worker left after {MOMENT:?}"))
}

fn no_zombies(stage: &Stage<'_>) -> Verdict {
    let server = stage.server(&["--workers", "2"])?;
    let dead = workers(&server, 2)?;
    dead.iter().for_each(|&worker| kill(worker, Signal::KILL));
    expect_gone(stage, &dead)
}

fn no_sockets(stage: &Stage<'_>) -> Verdict {
    let server = stage.server(&["--workers", "1"])?;
    let mut clients = server.clients(5)?;
    clients.iter_mut().try_for_each(|client| client.ask(10))?;
    // The next one starts while they are connected.
    kill(workers(&server, 1)?[0], Signal::KILL);
    clients.iter_mut().try_for_each(|client| client.ask(10))?;
    for worker in workers(&server, 1)? {
        let sockets = fds(worker)
            .into_iter()
            .filter(|fd| fd.starts_with("socket:"))
            .collect::<Vec<_>>();
        check(sockets.is_empty(), || {
            format!("expected no socket in a worker, got {sockets:?}")
        })?;
    }
    Ok(())
}

/// The server's workers, as soon as there are so many.
fn workers(server: &Served<'_>, count: usize) -> Verdict<Vec<Pid>> {
    let mut found = Vec::new();
    let enough = until(server.patience(), || {
        found = children(server);
        found.len() == count
    });
    check(enough, || format!("expected {count} workers, got {}", found.len()))?;
    Ok(found)
}

/// A worker that computes, as soon as there is one.
fn busy_worker(server: &Served<'_>) -> Verdict<Pid> {
    let mut busy = None;
    until(server.patience(), || {
        busy = children(server).into_iter().find(is_busy);
        busy.is_some()
    });
    busy.ok_or_else(|| Fault::new("expected a busy worker"))
}

/// The children of the server's threads that have not died.
fn children(server: &Served<'_>) -> Vec<Pid> {
    let pid = server.pid().as_raw_nonzero();
    let tasks = fs::read_dir(format!("/proc/{pid}/task"));
    tasks
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|task| {
            fs::read_to_string(task.path().join("children")).ok()
        })
        .flat_map(|text| {
            let pids = text.split_whitespace().map(str::to_owned);
            pids.collect::<Vec<_>>()
        })
        .filter_map(|pid| Pid::from_raw(pid.parse().ok()?))
        .filter(|pid| stat(*pid, 3).is_some_and(|state| state != "Z"))
        .collect()
}

/// Some ticks of CPU time: more than starting takes, and enough to tell one
/// that is in the middle of a job from one that was given it while it died.
fn is_busy(worker: &Pid) -> bool {
    const TICKS: u64 = 15;
    stat(*worker, 14)
        .and_then(|ticks| ticks.parse().ok())
        .is_some_and(|ticks: u64| ticks >= TICKS)
}

fn is_there(worker: &Pid) -> bool {
    stat(*worker, 3).is_some()
}

/// Whether a worker has died and is to be reaped by another than the server.
/// In a container that may be a process that reaps nobody.
fn is_dead_orphan(worker: Pid, server: Pid) -> bool {
    let server = server.as_raw_nonzero().to_string();
    stat(worker, 3).is_some_and(|state| state == "Z")
        && stat(worker, 4).is_some_and(|parent| parent != server)
}

/// Expects them to be gone without a trace: a zombie is one.
fn expect_gone(stage: &Stage<'_>, workers: &[Pid]) -> Verdict {
    let gone = until(stage.patience(), || !workers.iter().any(is_there));
    check(gone, || "expected the worker to be gone, and reaped".to_owned())
}

/// A field of proc(5)'s stat, by its number there.
fn stat(process: Pid, field: usize) -> Option<String> {
    let pid = process.as_raw_nonzero();
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(field - 3).map(str::to_owned)
}

/// What the descriptors of a process are.
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
    // It fails only for one that has ended, and what came of that is looked
    // at.
    let _ = kill_process(process, signal);
}
