//! A lock that threads take turns with.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use conformance::{
    CaseResult, Client, ExpectedReply, Fixture, Next, TestServer, check,
    wait_until,
};
use launch::Signal;
use rustix::param::clock_ticks_per_second;

use crate::exercise::Case;
use crate::group::{self, Stat, entries};

pub(crate) const CASES: &[Case] = &[
    Case::of_server(
        "lines are answered rightly, whoever computes",
        "what crosses to another process and back must come back to the \
         client who asked",
        answers,
    )
    .kept(),
    Case::of_server(
        "a connection ends when its client has left",
        "who else has the client's socket open? a fork holds all that its \
         parent had",
        ends,
    )
    .kept(),
    Case::of_server(
        "a short request takes little longer beside a long one",
        "which lock does the thread of the long client hold while it computes, \
         and for how long?",
        rate,
    ),
    Case::of_server(
        "two long requests do not take turns",
        "two threads of one interpreter never compute at the same time, \
         whatever the switch interval is",
        turns,
    ),
    Case::of_server(
        "no process is left behind when the server is killed",
        "a worker waits for jobs from its parent: how does it learn that the \
         parent is gone? see multiprocessing.parent_process",
        none_left,
    )
    .kept(),
];

/// What does not happen within so long will not happen.
const SOON: Duration = Duration::from_secs(3);

fn answers(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    let mut clients = server.clients(3)?;
    for (client, n) in clients.iter_mut().zip([20, 21, 22]) {
        client.send(format!("{n}\n0\nten\n1\n94\n{n}\n").as_bytes())?;
    }
    for (client, n) in clients.iter_mut().zip([20, 21, 22]) {
        client.expect_all([
            ExpectedReply::Fib(n),
            ExpectedReply::Fib(0),
            ExpectedReply::Error("not-a-number"),
            ExpectedReply::Fib(1),
            ExpectedReply::Error("not-a-number"),
            ExpectedReply::Fib(n),
        ])?;
    }
    Ok(())
}

fn ends(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    let mut client = server.client()?;
    client.ask(10)?;
    client.half_close()?;
    match client.next_within(SOON) {
        Next::End => Ok(()),
        other => {
            let what = client.describe(&other);
            Err(client.failure("end-of-file", &what))
        }
    }
}

fn rate(fixture: &Fixture<'_>) -> CaseResult {
    const WINDOWS: u32 = 5;
    const WINDOW: Duration = Duration::from_millis(300);
    /// Whoever waits for a lock as long as this, each time, has lost nearly
    /// all. A machine that is busy is so in some windows, and not in all.
    const LONG: Duration = Duration::from_millis(20);
    let n = fixture.n_that_takes(2 * WINDOWS * WINDOW)?;
    let server = fixture.server(&[])?;
    warm_up(fixture, &server)?;
    let mut short = server.client()?;
    short.ask(1)?;
    let mut long = server.client()?;
    long.send(format!("{n}\n").as_bytes())?;
    long.wait_until_read()?;
    let before = usage(&server);
    let waits = (0..WINDOWS).map(|_| median_wait(&mut short, WINDOW));
    let waits: Vec<Duration> = waits.collect::<CaseResult<_>>()?;
    let least = waits.into_iter().min().unwrap_or_default();
    check(least < LONG, || {
        format!("expected short waits for the short one\ngot      {least:.1?}")
    })?;
    // A lock that is asked for all the time makes its holder pause for that.
    let used = used_since(&server, &before);
    let busiest =
        used.into_iter().max_by(|one, other| one.0.total_cmp(&other.0));
    expect_no_pauses(busiest)?;
    check(!long.has_input(), || {
        "expected the long one to be computed all the while\n\
         got      an answer before the window had ended"
            .to_owned()
    })
}

/// Has some jobs computed at once, so that whoever starts workers when they
/// are needed has started them.
fn warm_up(fixture: &Fixture<'_>, server: &TestServer<'_>) -> CaseResult {
    let n = fixture.n_that_takes(Duration::from_millis(30))?;
    let mut clients = server.clients(3)?;
    for client in &mut clients {
        client.send(format!("{n}\n").as_bytes())?;
    }
    clients
        .iter_mut()
        .try_for_each(|client| client.expect(ExpectedReply::Fib(n)))
}

/// The median of what short requests take, one after the other. The pause
/// before each is there so that the server waits for it: a thread that need
/// not wait may keep the lock by luck.
fn median_wait(client: &mut Client, window: Duration) -> CaseResult<Duration> {
    const PAUSE: Duration = Duration::from_micros(200);
    let end = Instant::now() + window;
    let mut waits = Vec::new();
    while waits.is_empty() || Instant::now() < end {
        client.expect_silence(PAUSE)?;
        let start = Instant::now();
        client.ask(1)?;
        waits.push(start.elapsed());
    }
    waits.sort();
    Ok(waits[waits.len() / 2])
}

fn turns(fixture: &Fixture<'_>) -> CaseResult {
    /// Threads with less do not compute.
    const SECONDS_MIN: f64 = 0.1;
    let n = fixture.n_that_takes(Duration::from_millis(300))?;
    let server = fixture.server(&[])?;
    warm_up(fixture, &server)?;
    let mut clients = [server.client()?, server.client()?];
    clients.iter_mut().try_for_each(|client| client.ask(1))?;
    let before = usage(&server);
    for client in &mut clients {
        client.send(format!("{n}\n").as_bytes())?;
    }
    wait_until(server.patience(), || clients.iter().any(Client::has_input));
    let used = used_since(&server, &before).into_iter();
    clients
        .iter_mut()
        .try_for_each(|client| client.expect(ExpectedReply::Fib(n)))?;
    expect_no_pauses(used.filter(|(seconds, _)| *seconds > SECONDS_MIN))
}

/// Expects of threads, by their CPU time in seconds and how often they have
/// paused, that they compute without giving a lock away.
fn expect_no_pauses(
    threads: impl IntoIterator<Item = (f64, u64)>,
) -> CaseResult {
    /// A thread that takes turns does so some 100 times in a second.
    const PER_SECOND_MAX: f64 = 40.0;
    let (mut seconds, mut pauses) = (0.0, 0);
    for thread in threads {
        seconds += thread.0;
        pauses += thread.1;
    }
    check(seconds > 0.0, || {
        "expected threads that compute\ngot      none".to_owned()
    })?;
    check(pauses as f64 <= PER_SECOND_MAX * seconds, || {
        format!(
            "expected threads that compute without a pause\n\
             got      {pauses} pauses in {seconds:.1} s of computing"
        )
    })
}

/// What each thread has used since then, as [`usage`] says it.
fn used_since(
    server: &TestServer<'_>,
    before: &HashMap<PathBuf, (f64, u64)>,
) -> Vec<(f64, u64)> {
    let since = |(thread, (cpu, waits)): (PathBuf, (f64, u64))| {
        let then = before.get(&thread).copied().unwrap_or_default();
        (cpu - then.0, waits - then.1)
    };
    usage(server).into_iter().map(since).collect()
}

/// Of each thread, the CPU time in seconds, and how often it has waited.
fn usage(server: &TestServer<'_>) -> HashMap<PathBuf, (f64, u64)> {
    let ticks_per_second = clock_ticks_per_second() as f64;
    let of = |thread: PathBuf| {
        let ticks = Stat::of(&thread).map_or(0, |stat| stat.ticks);
        let waits = group::switches_of(&thread);
        (thread, (ticks as f64 / ticks_per_second, waits))
    };
    let family = group::family(server).into_keys();
    let tasks = family.map(|pid| group::folder(pid).join("task"));
    tasks.flat_map(|tasks| entries(&tasks)).map(of).collect()
}

fn none_left(fixture: &Fixture<'_>) -> CaseResult {
    let n = fixture.n_that_takes(4 * SOON)?;
    let mut server = fixture.server(&[])?;
    let mut long = server.client()?;
    long.ask(1)?;
    let before = computed(&server);
    long.send(format!("{n}\n").as_bytes())?;
    wait_until(server.patience(), || computed(&server) > before + 0.1);
    // When it has gone, they are nobody's children, but have their ids.
    let mut left: Vec<i32> = group::family(&server).into_keys().collect();
    server.signal(Signal::KILL);
    server.process().wait(SOON);
    let are_gone = wait_until(SOON, || {
        left.retain(|&pid| group::is_alive(pid));
        left.is_empty() && group::processes(&server).is_empty()
    });
    check(are_gone, || {
        let count = left.len().max(group::processes(&server).len());
        format!("expected its workers to end\ngot      {count} left")
    })
}

/// The CPU time in seconds of all of its threads.
fn computed(server: &TestServer<'_>) -> f64 {
    usage(server).values().map(|(cpu, _)| cpu).sum()
}
