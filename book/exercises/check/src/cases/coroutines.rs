//! Cases of the exercise `coroutines`: an executor that polls only woken tasks.

use std::time::{Duration, Instant};

use conformance::{
    CaseResult, Client, ExpectedReply, Fixture, TestServer, check,
};

use crate::exercise::Case;
use crate::procfs;
use crate::shared::expect_within;

pub(crate) const CASES: &[Case] = &[
    Case::of_server(
        "clients are served concurrently, each in order",
        "a client that sends nothing must not block the others",
        side_by_side,
    )
    .starter_passes(),
    Case::of_server(
        "silent clients cost no CPU time",
        "what does the executor poll while no task was woken, and when does \
         it sleep?",
        silent,
    ),
    Case::of_server(
        "a client that sends after a silence is answered",
        "before a task returns `Pending`, it must register its waker for the \
         event that it waits for",
        after_a_silence,
    )
    .starter_passes(),
    Case::of_server(
        "a reply costs no more while other clients are silent",
        "an event belongs to one socket: which task waits for that socket?",
        crowd,
    ),
];

/// How long to wait for a reply. On the busiest machine, it takes less.
const SOON: Duration = Duration::from_secs(4);

fn side_by_side(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    let mut clients = server.clients(20)?;
    for _ in 0..10 {
        for client in &mut clients {
            client.send(b"1\n7\n10\n")?;
        }
        for client in clients.iter_mut().rev() {
            [1, 7, 10].into_iter().try_for_each(|n| expect(client, n))?;
        }
    }
    Ok(())
}

fn silent(fixture: &Fixture<'_>) -> CaseResult {
    const SAMPLES: usize = 80;
    const PAUSE: Duration = Duration::from_millis(10);
    /// A server that polls its sockets every 10 ms exceeds this.
    const SWITCHES_MAX: u64 = SAMPLES as u64 / 2;
    let server = fixture.server(&[])?;
    let mut clients = greeted(&server, 20)?;
    let before = procfs::switches(&server);
    let mut running = 0;
    for _ in 0..SAMPLES {
        clients[0].expect_silence(PAUSE)?;
        running += usize::from(is_running(&server));
    }
    check(running < SAMPLES / 4, || {
        format!(
            "expected the server to sleep while all clients are silent\n\
             got      it running in {running} of {SAMPLES} samples"
        )
    })?;
    let switches = procfs::switches(&server).saturating_sub(before);
    check(switches < SWITCHES_MAX, || {
        format!(
            "expected the server to sleep while all clients are silent\n\
             got      {switches} wake-ups"
        )
    })
}

fn after_a_silence(fixture: &Fixture<'_>) -> CaseResult {
    const SILENCE: Duration = Duration::from_millis(200);
    let server = fixture.server(&[])?;
    let mut clients = greeted(&server, 20)?;
    clients[0].expect_silence(SILENCE)?;
    for n in 0..5 {
        for client in clients.iter_mut().rev() {
            client.send(format!("{n}\n").as_bytes())?;
            expect(client, n)?;
        }
        // One client leaves and another comes, so their number stays the same
        // while their sockets change.
        clients.remove(3);
        clients.extend(greeted(&server, 1)?);
    }
    Ok(())
}

fn crowd(fixture: &Fixture<'_>) -> CaseResult {
    /// At two descriptors per client, this stays below a limit of 1,024.
    const CROWD: usize = 400;
    const ROUNDS: usize = 30;
    /// Several clock ticks: a shorter CPU time is measured too coarsely.
    const LITTLE: Duration = Duration::from_millis(50);
    /// Sleeping and waking before each reply costs up to five times as much as
    /// replying while all clients send. Polling the crowd costs ten times that.
    const FACTOR_MAX: u32 = 6;
    let server = fixture.server(&[])?;
    let mut clients = greeted(&server, CROWD)?;
    // A server that doesn't sleep uses CPU time until its clients send again.
    // In a crowd, that is a negligible share of each reply.
    let together = dialogue(&server, &mut clients, CROWD, ROUNDS)?;
    // The first and the last client remain, so that a server that scans its
    // clients must pass all others.
    let silent: Vec<Client> = clients.drain(1..CROWD - 1).collect();
    let turns = ROUNDS * CROWD / clients.len();
    let beside = dialogue(&server, &mut clients, 1, turns)?;
    check(beside < FACTOR_MAX * together.max(LITTLE), || {
        format!(
            "expected replies to cost little more than when all clients \
             send: {together:?} of CPU time\n\
             got      {beside:?} beside {} silent clients",
            silent.len()
        )
    })
}

/// Has groups of `at_a_time` clients send and receive in turn, until every
/// client has got `rounds` replies. Returns the CPU time that the server used.
fn dialogue(
    server: &TestServer<'_>,
    clients: &mut [Client],
    at_a_time: usize,
    rounds: usize,
) -> CaseResult<Duration> {
    // A hundred times as long as it should take.
    let deadline = Instant::now() + 8 * SOON;
    let before = server.usage().cpu;
    for _ in 0..rounds {
        for group in clients.chunks_mut(at_a_time) {
            group.iter_mut().try_for_each(|c| c.send(b"1\n"))?;
            group.iter_mut().try_for_each(|c| expect(c, 1))?;
        }
        if Instant::now() > deadline {
            let what = "late replies: does the server sleep while it has work?";
            return Err(clients[0].failure("every reply at once", what));
        }
    }
    Ok(server.usage().cpu - before)
}

/// Connects clients that have got one reply, and are silent now.
fn greeted(server: &TestServer<'_>, count: usize) -> CaseResult<Vec<Client>> {
    let mut clients = server.clients(count)?;
    for client in &mut clients {
        client.send(b"2\n")?;
        expect(client, 2)?;
    }
    Ok(clients)
}

/// Returns `true` if a thread of the server is running or runnable.
fn is_running(server: &TestServer<'_>) -> bool {
    statuses(server, "State:").iter().any(|state| state.starts_with('R'))
}

/// Returns the value of a key in the `status` file of each server thread; see
/// proc(5).
fn statuses(server: &TestServer<'_>, key: &str) -> Vec<String> {
    let threads = procfs::threads(server).into_iter();
    threads.filter_map(|thread| procfs::status(&thread, key)).collect()
}

fn expect(client: &mut Client, n: u64) -> CaseResult {
    expect_within(client, ExpectedReply::Fib(n), SOON)
}
