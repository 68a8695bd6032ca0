//! An executor that polls only who was woken.

use std::time::{Duration, Instant};

use conformance::{
    CaseResult, Client, ExpectedReply, Fixture, TestServer, check,
};

use crate::exercise::Case;
use crate::group;
use crate::talk::expect_within;

pub(crate) const CASES: &[Case] = &[
    Case::of_server(
        "clients are answered side by side, each in order",
        "while one client is silent, the others have their turn",
        side_by_side,
    )
    .kept(),
    Case::of_server(
        "silent clients cost no time",
        "whom does the executor poll while nobody was woken, and when does it \
         sleep?",
        silent,
    ),
    Case::of_server(
        "whoever speaks after a silence is answered",
        "a task that is pending must have left its waker where its event is \
         told",
        after_a_silence,
    )
    .kept(),
    Case::of_server(
        "an answer costs no more where others are silent",
        "an event is about one socket: which task waits for that?",
        crowd,
    ),
];

/// What must come comes sooner, even on a busy machine.
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
    const LOOKS: usize = 80;
    const PAUSE: Duration = Duration::from_millis(10);
    /// To look every 10 ms whether somebody speaks is not to sleep.
    const SWITCHES_MAX: u64 = LOOKS as u64 / 2;
    let server = fixture.server(&[])?;
    let mut clients = greeted(&server, 20)?;
    let before = group::switches(&server);
    let mut running = 0;
    for _ in 0..LOOKS {
        clients[0].expect_silence(PAUSE)?;
        running += usize::from(is_running(&server));
    }
    check(running < LOOKS / 4, || {
        format!(
            "expected it to sleep while all are silent\n\
             got      it running in {running} looks at it of {LOOKS}"
        )
    })?;
    let switches = group::switches(&server).saturating_sub(before);
    check(switches < SWITCHES_MAX, || {
        format!(
            "expected it to sleep while all are silent\n\
             got      {switches} times that it woke up"
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
        // Those who are left are as many, and their sockets are others.
        clients.remove(3);
        clients.extend(greeted(&server, 1)?);
    }
    Ok(())
}

fn crowd(fixture: &Fixture<'_>) -> CaseResult {
    /// At two descriptors each, they are less than a limit of 1,024.
    const CROWD: usize = 400;
    const ROUNDS: usize = 30;
    /// Some clock ticks: of less than that, much may be chance.
    const LITTLE: Duration = Duration::from_millis(50);
    /// To sleep before each answer, and be woken, costs up to five times what
    /// it costs where all speak. To ask the crowd costs ten times that.
    const FACTOR_MAX: u32 = 6;
    let server = fixture.server(&[])?;
    let mut clients = greeted(&server, CROWD)?;
    // A server that does not sleep uses time until its clients get round to
    // speak. In a crowd, that is next to nothing for each of the answers.
    let together = dialogue(&server, &mut clients, CROWD, ROUNDS)?;
    // The first and the last are left, so that the server must go from one to
    // the other.
    let silent: Vec<Client> = clients.drain(1..CROWD - 1).collect();
    let turns = ROUNDS * CROWD / clients.len();
    let beside = dialogue(&server, &mut clients, 1, turns)?;
    check(beside < FACTOR_MAX * together.max(LITTLE), || {
        format!(
            "expected answers to cost little more than where all speak, \
             {together:?} of CPU time\ngot      {beside:?} beside {} silent \
             clients",
            silent.len()
        )
    })
}

/// Has the clients be answered by turns, so many at a time. Says what CPU time
/// that took.
fn dialogue(
    server: &TestServer<'_>,
    clients: &mut [Client],
    at_a_time: usize,
    rounds: usize,
) -> CaseResult<Duration> {
    // A hundred times as long as it need take.
    let deadline = Instant::now() + 8 * SOON;
    let before = server.usage().cpu;
    for _ in 0..rounds {
        for speakers in clients.chunks_mut(at_a_time) {
            speakers.iter_mut().try_for_each(|s| s.send(b"1\n"))?;
            speakers.iter_mut().try_for_each(|s| expect(s, 1))?;
        }
        if Instant::now() > deadline {
            let what = "them too late: does it sleep while there is work?";
            return Err(clients[0].failure("soon an answer each time", what));
        }
    }
    Ok(server.usage().cpu - before)
}

/// Clients that have been answered once, and are silent now.
fn greeted(server: &TestServer<'_>, count: usize) -> CaseResult<Vec<Client>> {
    let mut clients = server.clients(count)?;
    for client in &mut clients {
        client.send(b"2\n")?;
        expect(client, 2)?;
    }
    Ok(clients)
}

/// Whether a thread of the server runs, or would if it had a core.
fn is_running(server: &TestServer<'_>) -> bool {
    statuses(server, "State:").iter().any(|state| state.starts_with('R'))
}

/// What proc(5) says behind this key, of each thread of the server.
fn statuses(server: &TestServer<'_>, key: &str) -> Vec<String> {
    let threads = group::threads(server).into_iter();
    threads.filter_map(|thread| group::status(&thread, key)).collect()
}

fn expect(client: &mut Client, n: u64) -> CaseResult {
    expect_within(client, ExpectedReply::Fib(n), SOON)
}
