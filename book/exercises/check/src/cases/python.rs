//! Cases of the exercise `python`: a lock that all threads share.

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
use crate::procfs::{self, Stat, entries};

pub(crate) const CASES: &[Case] = &[
    Case::of_server(
        "every line gets the right reply",
        "a result that comes back from another process must go to the \
         client that sent the request",
        answers,
    )
    .starter_passes(),
    Case::of_server(
        "a connection ends when its client has left",
        "what else has the client's socket open? a fork inherits all open \
         files of its parent",
        ends,
    )
    .starter_passes(),
    Case::of_server(
        "a short request takes little longer beside a long one",
        "which lock does the thread of the long client hold while it computes, \
         and for how long?",
        rate,
    ),
    Case::of_server(
        "two long requests are computed at the same time",
        "two threads of one interpreter never compute at the same time, \
         whatever the switch interval is",
        turns,
    ),
    Case::of_server(
        "if the server is killed, no process remains",
        "a worker waits for jobs from its parent: how does it detect that \
         the parent has died? see multiprocessing.parent_process",
        none_left,
    )
    .starter_passes(),
];

/// How long to wait for what requires no computing.
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
    /// A client that waits this long each time has lost nearly all of its rate.
    /// A busy machine causes that in some windows, but not in all of them.
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
    let windows = (0..WINDOWS).map(|_| median_wait(&mut short, WINDOW));
    let windows: Vec<_> = windows.collect::<CaseResult<_>>()?;
    let least = windows.iter().map(|(median, _)| *median).min();
    let least = least.unwrap_or_default();
    check(least < LONG, || {
        format!(
            "expected a median wait below {LONG:?} for short requests\n\
             got      {least:.1?}"
        )
    })?;
    // A thread that holds a lock must pause whenever another requests it.
    let requests: u64 = windows.iter().map(|(_, count)| count).sum();
    let used = used_since(&server, &before);
    let busiest = used.into_iter().max_by(|a, b| a.0.total_cmp(&b.0));
    let pauses = busiest.map_or(0, |(_, pauses)| pauses);
    check(2 * pauses <= requests, || {
        format!(
            "expected a thread that computes without a pause\n\
             got      {pauses} pauses during {requests} short requests"
        )
    })?;
    check(!long.has_input(), || {
        "expected the long request to be computed all the time\n\
         got      its reply before the last window had ended"
            .to_owned()
    })
}

/// Has several jobs computed at the same time, so that a server that starts
/// workers on demand has started them.
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

/// Returns the median time of short requests, sent one after another, and their
/// number. A pause before each lets the server's thread block: a thread that
/// never blocks may happen to keep the lock.
fn median_wait(
    client: &mut Client,
    window: Duration,
) -> CaseResult<(Duration, u64)> {
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
    Ok((waits[waits.len() / 2], waits.len() as u64))
}

fn turns(fixture: &Fixture<'_>) -> CaseResult {
    /// Threads with less CPU time didn't compute.
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

/// Expects threads to have computed without handing over a lock. Each item is a
/// thread's CPU time in seconds and the number of its pauses.
fn expect_no_pauses(
    threads: impl IntoIterator<Item = (f64, u64)>,
) -> CaseResult {
    /// A thread that shares a lock hands it over about 100 times per second.
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

/// Returns the usage of each thread since `before`; see [`usage`].
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

/// Returns each thread's CPU time in seconds, and how often it has blocked.
fn usage(server: &TestServer<'_>) -> HashMap<PathBuf, (f64, u64)> {
    let ticks_per_second = clock_ticks_per_second() as f64;
    let of = |thread: PathBuf| {
        let ticks = Stat::of(&thread).map_or(0, |stat| stat.ticks);
        let waits = procfs::switches_of(&thread);
        (thread, (ticks as f64 / ticks_per_second, waits))
    };
    let family = procfs::family(server).into_keys();
    let tasks = family.map(|pid| procfs::folder(pid).join("task"));
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
    // Processes whose parent has died still have the same ids.
    let mut left: Vec<i32> = procfs::family(&server).into_keys().collect();
    server.signal(Signal::KILL);
    server.process().wait(SOON);
    let are_gone = wait_until(SOON, || {
        left.retain(|&pid| procfs::is_alive(pid));
        left.is_empty() && procfs::processes(&server).is_empty()
    });
    check(are_gone, || {
        let count = left.len().max(procfs::processes(&server).len());
        format!("expected the workers to end\ngot      {count} left")
    })
}

/// Returns the CPU time in seconds of all of the server's threads.
fn computed(server: &TestServer<'_>) -> f64 {
    usage(server).values().map(|(cpu, _)| cpu).sum()
}
