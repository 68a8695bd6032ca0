//! Many clients, and the limits that they meet.

use std::iter::{self, repeat_n};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use launch::Resource;

use crate::answer::{Answer, SERVER_FULL};
use crate::case::{Case, Family, Fault, Need, Verdict, check, until};
use crate::client::Client;
use crate::stage::{ANY_N, Served, Stage};
use crate::vitals::Vitals;

const fn case(name: &'static str, play: fn(&Stage<'_>) -> Verdict) -> Case {
    Case::new(Family::Crowds, name, play)
}

const SEVERAL: &[Need] = &[Need::SeveralClients];
const CAP: &[Need] = &[Need::SeveralClients, Need::Flag("--max-connections")];

pub(super) const CASES: &[Case] = &[
    case("one above the cap is told `server-full`, and closed", cap).needs(CAP),
    case("who is refused reads why, even if it has asked already", told_why)
        .needs(CAP),
    case("500 that are refused leave nothing", refused).needs(CAP),
    case("200 that half-close are all answered", half_closed_crowd),
    case("1,000 are served at once", thousand).needs(SEVERAL).alone(),
    case("10,000 are served at once", ten_thousand)
        .needs(&[Need::SeveralClients, Need::LargeCrowds])
        .alone(),
    case("out of fds it does not spin, and recovers in 2 s", out_of_fds)
        .needs(CAP)
        .alone(),
    case("who can be given no thread is told `server-full`", out_of_threads)
        .needs(&[Need::ThreadPerClient])
        .alone(),
    case("20,000 that came and went leave no fd and no thread", churn).alone(),
    case("polite clients are served beside a greedy pipeliner", greedy)
        .needs(SEVERAL)
        .alone(),
    case("a short request waits for few of a greedy client's jobs", few_jobs)
        .needs(SEVERAL)
        .alone(),
    case("a polite client has its turn beside many greedy ones", greedy_crowd)
        .needs(SEVERAL)
        .alone(),
    case("a polite client has its turn beside many quick ones", quick_crowd)
        .needs(SEVERAL)
        .alone(),
    case("beside a greedy pipeliner the polite p99 is within 3x", greedy_p99)
        .needs(&[Need::SeveralClients, Need::Pool])
        .alone(),
];

fn cap(stage: &Stage<'_>) -> Verdict {
    let server = stage.server(&["--max-connections", "3"])?;
    let mut clients = full(&server, 3)?;
    for _ in 0..3 {
        expect_refusal(server.client()?)?;
    }
    // Those inside have not noticed.
    clients.iter_mut().try_for_each(|client| client.ask(20))?;
    drop(clients.pop());
    clients.push(place(&server)?);
    expect_refusal(server.client()?)?;
    clients.iter_mut().try_for_each(|client| client.ask(20))
}

fn told_why(stage: &Stage<'_>) -> Verdict {
    let server = stage.server(&["--max-connections", "1"])?;
    let _inside = full(&server, 1)?;
    for _ in 0..50 {
        let mut client = server.client()?;
        // It fails when the refusal was faster.
        let _ = client.send(b"10\n");
        client.expect(SERVER_FULL)?;
        client.expect_closed()?;
    }
    Ok(())
}

fn refused(stage: &Stage<'_>) -> Verdict {
    let server = stage.server(&["--max-connections", "1"])?;
    let mut inside = full(&server, 1)?;
    expect_refusal(server.client()?)?;
    let baseline = server.vitals();
    for _ in 0..500 {
        expect_refusal(server.client()?)?;
    }
    server.expect_fds_back(baseline)?;
    inside.iter_mut().try_for_each(|client| client.ask(20))?;
    drop(inside);
    place(&server).map(drop)
}

/// As many clients as the server takes, all of them accepted.
fn full(server: &Served<'_>, count: usize) -> Verdict<Vec<Client>> {
    let mut clients = server.clients(count)?;
    clients.iter_mut().try_for_each(|client| client.ask(10))?;
    Ok(clients)
}

fn expect_refusal(mut client: Client) -> Verdict {
    client.expect(SERVER_FULL)?;
    client.expect_end()
}

/// A place that somebody has just left.
fn place(server: &Served<'_>) -> Verdict<Client> {
    const LEAVING: Duration = Duration::from_secs(2);
    let mut placed = None;
    let mut last = None;
    until(LEAVING, || match server.client() {
        Ok(mut client) => match client.ask(10) {
            Ok(()) => {
                placed = Some(client);
                true
            }
            Err(fault) => {
                last = Some(fault);
                false
            }
        },
        Err(fault) => {
            last = Some(fault);
            false
        }
    });
    placed.ok_or_else(|| {
        let fault = last.unwrap_or_else(|| Fault::new("nobody was served"));
        fault.about(format!("{LEAVING:?} after another had left"))
    })
}

fn half_closed_crowd(stage: &Stage<'_>) -> Verdict {
    let server = stage.server(&[])?;
    let mut clients = server.clients(200)?;
    for (client, n) in clients.iter_mut().zip((0..20).cycle()) {
        client.send(format!("{n}\n1\n").as_bytes())?;
        client.half_close()?;
    }
    for (client, n) in clients.iter_mut().zip((0..20).cycle()) {
        client.expect_all([Answer::Fib(n), Answer::Fib(1)])?;
        client.expect_end()?;
    }
    Ok(())
}

fn thousand(stage: &Stage<'_>) -> Verdict {
    at_once(stage, 1_000)
}

fn ten_thousand(stage: &Stage<'_>) -> Verdict {
    at_once(stage, 10_000)
}

fn at_once(stage: &Stage<'_>, count: usize) -> Verdict {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    // The suite's own output, its pipes, and what the harness holds.
    let room = limit.current.unwrap_or(u64::MAX).saturating_sub(100);
    if room < count as u64 {
        return Err(Fault::moot(format!(
            "the fd limit leaves room for {room} clients; raise it with \
             `ulimit -n`"
        )));
    }
    let server = stage.server(&[])?;
    let baseline = {
        server.expect_service()?;
        server.vitals()
    };
    let mut clients = Vec::with_capacity(count);
    for i in 0..count {
        let mut client = server.client()?;
        // The backlog is finite. Who is accepted comes after all before it.
        if i % 200 == 199 {
            client.ask(10)?;
        }
        clients.push(client);
    }
    for client in &mut clients {
        client.send(b"10\n")?;
    }
    clients.iter_mut().try_for_each(|client| client.expect(Answer::Fib(10)))?;
    // And again the other way round, one at a time.
    clients.iter_mut().rev().try_for_each(|client| client.ask(1))?;
    clients.into_iter().for_each(Client::reset);
    server.expect_fds_back(baseline)
}

fn out_of_fds(stage: &Stage<'_>) -> Verdict {
    const FDS: u64 = 40;
    const CLIENTS: usize = 60;
    const WATCHED: Duration = Duration::from_secs(1);
    const CPU_MAX: Duration = Duration::from_millis(200);
    const RECOVERY: Duration = Duration::from_secs(2);
    let launch = stage.launch(&["--max-connections", "1000"]);
    let server = stage.served(launch.limit(Resource::Nofile, FDS))?;
    let mut outside = server.clients(CLIENTS)?;
    for client in &mut outside {
        client.send(b"10\n")?;
    }
    // They are accepted in the order that they came in.
    let mut inside = Vec::new();
    while let Some(first) = outside.first_mut() {
        if !first.has_news_within(Duration::from_millis(300)) {
            break;
        }
        first.expect(Answer::Fib(10))?;
        inside.push(outside.remove(0));
    }
    check(!outside.is_empty(), || {
        format!("expected {FDS} fds not to do for {CLIENTS} clients")
    })?;
    let before = server.vitals();
    // Who is inside is served meanwhile.
    let asked = Instant::now();
    inside.iter_mut().try_for_each(|client| client.ask(1))?;
    outside[0].expect_silence(WATCHED.saturating_sub(asked.elapsed()))?;
    let cpu = server.vitals().cpu.saturating_sub(before.cpu);
    check(cpu <= CPU_MAX, || {
        format!(
            "expected at most {CPU_MAX:?} of CPU time in {WATCHED:?}, got \
             {cpu:?}"
        )
    })?;
    let left = Instant::now();
    drop(inside);
    for mut client in outside {
        client.expect(Answer::Fib(10))?;
    }
    let took = left.elapsed();
    check(took <= RECOVERY, || {
        format!("expected recovery within {RECOVERY:?}, got {took:?}")
    })?;
    server.expect_service()
}

fn out_of_threads(stage: &Stage<'_>) -> Verdict {
    // A process limit doesn't bind root, but a thread needs a stack, and the
    // address space is bounded for everyone.
    const ADDRESS_SPACE_BYTES: u64 = 400 << 20;
    const CLIENTS: usize = 500;
    let launch = stage.launch(&["--max-connections", "1000"]);
    let server =
        stage.served(launch.limit(Resource::As, ADDRESS_SPACE_BYTES))?;
    let mut inside = Vec::new();
    let mut full = false;
    while !full && inside.len() < CLIENTS {
        let mut client = server.client()?;
        if client.ask_for_place()? {
            inside.push(client);
        } else {
            client.expect_closed()?;
            full = true;
        }
    }
    check(full, || {
        format!("expected the threads to run out before {CLIENTS} clients")
    })?;
    inside.iter_mut().try_for_each(|client| client.ask(1))?;
    drop(inside);
    place(&server).map(drop)
}

fn churn(stage: &Stage<'_>) -> Verdict {
    const CLIENTS: usize = 20_000;
    const AT_A_TIME: usize = 8;
    /// Runtimes let a few threads go later than others.
    const MORE_THREADS_MAX: u64 = 4;
    let server = stage.server(&[])?;
    // The first of them make what later ones use again.
    come_and_go(&server, AT_A_TIME, 200)?;
    server.expect_service()?;
    let baseline = settled(&server);
    come_and_go(&server, AT_A_TIME, CLIENTS)?;
    server.expect_service()?;
    server.expect_fds_back(baseline)?;
    let threads_max = baseline.threads + MORE_THREADS_MAX;
    let back =
        until(stage.patience(), || server.vitals().threads <= threads_max);
    check(back, || {
        let (before, after) = (baseline.threads, server.vitals().threads);
        format!("expected {before} threads as before, got {after}")
    })
}

/// What the server holds when it has let its clients go.
fn settled(server: &Served<'_>) -> Vitals {
    let mut vitals = server.vitals();
    until(Duration::from_millis(500), || {
        let now = server.vitals();
        let settled = (now.fds, now.threads) == (vitals.fds, vitals.threads);
        vitals = now;
        settled
    });
    vitals
}

fn come_and_go(server: &Served<'_>, at_a_time: usize, count: usize) -> Verdict {
    // A server's handle stays in its thread.
    let (address, patience) = (server.address(), server.patience());
    let next = AtomicUsize::new(0);
    let visit = || -> Verdict {
        while next.fetch_add(1, Ordering::Relaxed) < count {
            let mut client = Client::connect(address, patience)?;
            client.ask(10)?;
            // By RST, so that no port is left in TIME_WAIT.
            client.reset();
        }
        Ok(())
    };
    thread::scope(|scope| {
        let visitors: Vec<_> =
            (0..at_a_time).map(|_| scope.spawn(visit)).collect();
        visitors
            .into_iter()
            .try_for_each(|visitor| visitor.join().expect("it doesn't panic"))
    })
}

/// How many polite clients there are beside the greedy one.
const POLITE: usize = 10;

fn greedy(stage: &Stage<'_>) -> Verdict {
    const REQUESTS: usize = 20_000;
    const ROUNDS: usize = 10;
    // Two seconds' work for one core.
    let n = stage.job(Duration::from_micros(100))?;
    let server = stage.server(&ANY_N)?;
    let mut polite = server.clients(POLITE)?;
    polite.iter_mut().try_for_each(|client| client.ask(10))?;
    let mut greedy = server.client()?;
    let requests = format!("{n}\n").repeat(REQUESTS);
    greedy.send(&requests.as_bytes()[..requests.len() / 2])?;
    greedy.expect(Answer::Fib(n))?;
    thread::scope(|scope| {
        let rest = &requests.as_bytes()[requests.len() / 2..];
        let answers = repeat_n(Answer::Fib(n), REQUESTS - 1);
        let greedy = scope.spawn(move || greedy.pump(rest, answers));
        for round in 0..ROUNDS {
            polite.iter_mut().try_for_each(|client| client.send(b"1\n"))?;
            polite
                .iter_mut()
                .try_for_each(|client| client.expect(Answer::Fib(1)))?;
            check(!greedy.is_finished(), || {
                format!(
                    "expected {ROUNDS} rounds of replies before the \
                     greedy client's {REQUESTS}, got {round}"
                )
            })?;
        }
        greedy.join().expect("it doesn't panic")
    })
}

fn few_jobs(stage: &Stage<'_>) -> Verdict {
    const REQUESTS: usize = 200;
    const ROUNDS: usize = 20;
    /// The one that runs, and one more each for being noted and for being
    /// accepted; one for a machine with other things to do.
    const JOBS_A_ROUND_MAX: usize = 4;
    let n = stage.job(Duration::from_millis(4))?;
    let server = stage.server(&ANY_N)?;
    let mut known = server.client()?;
    known.ask(10)?;
    // One for each loop, where a loop is what computes.
    let mut greedy = server.clients(stage.subject.long_jobs_that_block())?;
    for client in &mut greedy {
        client.send(format!("{n}\n").repeat(REQUESTS).as_bytes())?;
    }
    greedy.iter_mut().try_for_each(|client| client.expect(Answer::Fib(n)))?;
    let mut jobs = 0;
    for round in 0..ROUNDS {
        take_all(&mut greedy, n)?;
        // Who is new has to be accepted between two jobs as well.
        match round % 2 {
            0 => known.ask(1)?,
            _ => server.client()?.ask(1)?,
        }
        jobs += take_all(&mut greedy, n)?;
    }
    // On average: a single late look at the replies is the machine's doing.
    let jobs_max = JOBS_A_ROUND_MAX * ROUNDS * greedy.len();
    check(jobs <= jobs_max, || {
        format!(
            "expected {ROUNDS} short requests to wait for {jobs_max} of \
             greedy clients' jobs at most, got {jobs}"
        )
    })?;
    // They were at work all the time, and still are.
    greedy.iter_mut().try_for_each(|client| client.expect(Answer::Fib(n)))
}

/// How many jobs of F(n) were done for these clients since they were last
/// asked.
fn take_all(clients: &mut [Client], n: u64) -> Verdict<usize> {
    let taken = clients.iter_mut().map(|one| one.take_all(Answer::Fib(n)));
    taken.sum()
}

fn greedy_crowd(stage: &Stage<'_>) -> Verdict {
    turns_in_crowd(stage, Duration::from_millis(1), 60)
}

fn quick_crowd(stage: &Stage<'_>) -> Verdict {
    turns_in_crowd(stage, Duration::from_micros(5), 3_000)
}

/// Expects that a polite client is answered in turn, beside enough greedy ones
/// to keep every core busy and one waiting: that they get so many replies, in
/// the mean, between its request and its reply. Counted, so that it is no
/// matter how fast the machine is, or how busy.
fn turns_in_crowd(
    stage: &Stage<'_>,
    job: Duration,
    replies_per_round_max: usize,
) -> Verdict {
    const ROUNDS: usize = 20;
    const AT_FIRST: usize = 1_000;
    let replies_max = ROUNDS * replies_per_round_max;
    let n = stage.job(job)?;
    let server = stage.server(&ANY_N)?;
    let mut polite = server.client()?;
    polite.ask(10)?;
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let mut crowd = server.clients(cores + 1)?;
    let request = format!("{n}\n");
    let first = request.repeat(AT_FIRST);
    let rest = request.repeat(replies_max);
    crowd.iter_mut().try_for_each(|greedy| greedy.send(first.as_bytes()))?;
    crowd[0].expect(Answer::Fib(n))?;
    let replies = AtomicUsize::new(0);
    let over = AtomicBool::new(false);
    let answer = || {
        replies.fetch_add(1, Ordering::Relaxed);
        (!over.load(Ordering::Relaxed)).then_some(Answer::Fib(n))
    };
    thread::scope(|scope| {
        let crowd: Vec<_> = crowd
            .iter_mut()
            .map(|greedy| {
                let answers = iter::from_fn(answer).take(replies_max);
                scope.spawn(|| greedy.pump(rest.as_bytes(), answers))
            })
            .collect();
        let asked = (0..ROUNDS).try_for_each(|_| polite.ask(1));
        let replies = replies.load(Ordering::Relaxed);
        over.store(true, Ordering::Relaxed);
        crowd
            .into_iter()
            .try_for_each(|greedy| greedy.join().expect("it doesn't panic"))?;
        asked?;
        check(replies <= replies_max, || {
            format!(
                "expected at most {replies_max} replies to greedy clients \
                 during {ROUNDS} to a polite one, got {replies}"
            )
        })
    })
}

fn greedy_p99(stage: &Stage<'_>) -> Verdict {
    const IN_FLIGHT: usize = 1_000;
    const FACTOR_MAX: u32 = 3;
    /// What the machine's other work may add: no case can be fair about less.
    const NOISE: Duration = Duration::from_millis(5);
    let n = stage.job(Duration::from_micros(500))?;
    let server = stage.server(&ANY_N)?;
    let mut polite = server.clients(POLITE)?;
    polite.iter_mut().try_for_each(|client| client.ask(10))?;
    let alone = polite_p99(&mut polite, n)?;
    let mut greedy = server.client()?;
    let batch = format!("{n}\n").repeat(IN_FLIGHT);
    greedy.send(batch.as_bytes())?;
    greedy.expect(Answer::Fib(n))?;
    let beside = thread::scope(|scope| {
        let polite = scope.spawn(|| polite_p99(&mut polite, n));
        let mut in_flight = IN_FLIGHT - 1;
        while !polite.is_finished() {
            greedy.send(&batch.as_bytes()[..batch.len() / IN_FLIGHT])?;
            in_flight += 1;
            greedy.expect(Answer::Fib(n))?;
            in_flight -= 1;
        }
        check(in_flight > 0, || "expected a greedy client".to_owned())?;
        greedy.reset();
        polite.join().expect("it doesn't panic")
    })?;
    for (alone, beside) in alone.into_iter().zip(beside) {
        check(beside <= alone * FACTOR_MAX + NOISE, || {
            format!(
                "expected a p99 within {FACTOR_MAX}x of {alone:?}, got \
                 {beside:?}"
            )
        })?;
    }
    Ok(())
}

/// Each polite client's p99, one request in flight each.
fn polite_p99(clients: &mut [Client], n: u64) -> Verdict<Vec<Duration>> {
    const REQUESTS: usize = 200;
    let ask = |client: &mut Client| -> Verdict<Duration> {
        let mut times = Vec::with_capacity(REQUESTS);
        for _ in 0..REQUESTS {
            let start = Instant::now();
            client.ask(n)?;
            times.push(start.elapsed());
        }
        times.sort_unstable();
        Ok(times[REQUESTS * 99 / 100])
    };
    thread::scope(|scope| {
        let clients: Vec<_> = clients
            .iter_mut()
            .map(|client| scope.spawn(move || ask(client)))
            .collect();
        clients
            .into_iter()
            .map(|client| client.join().expect("it doesn't panic"))
            .collect()
    })
}
