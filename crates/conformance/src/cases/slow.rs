//! Clients that take long, and the idle clock.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use crate::answer::{Answer, LINE_TOO_LONG};
use crate::case::{Ability, Case, Family, Need, Verdict, check};
use crate::client::{Client, Next};
use crate::stage::{ANY_N, Served, Stage};

const fn case(name: &'static str, play: fn(&Stage<'_>) -> Verdict) -> Case {
    Case::new(Family::SlowAndIdle, name, play)
}

const IDLE_TIMEOUT: &[Need] = &[Need::Flag("--idle-timeout")];

/// The idle timeout of the cases that wait for it.
const IDLE: Duration = Duration::from_secs(1);
const IDLE_FLAGS: [&str; 2] = ["--idle-timeout", "1s"];

/// How much later than at the timeout a client may be dropped: the machine
/// is busy with other cases.
const LATE: Duration = Duration::from_millis(1_500);

/// An idle timeout that jobs and queues outlast.
const SHORT_IDLE: Duration = Duration::from_millis(500);
const SHORT_IDLE_FLAGS: [&str; 4] =
    ["--idle-timeout", "500ms", ANY_N[0], ANY_N[1]];

pub(super) const CASES: &[Case] = &[
    case("who never reads is held in bounded memory", never_reads),
    case("who never reads does not keep others from being served", beside)
        .needs(&[Need::SeveralClients]),
    case("who never reads is dropped at the idle timeout", drop_never_reads)
        .needs(IDLE_TIMEOUT),
    case("who never says a word is dropped at the idle timeout", mute)
        .needs(IDLE_TIMEOUT),
    case("who falls silent is dropped at the idle timeout", silent)
        .needs(IDLE_TIMEOUT),
    case("single bytes of an endless line are no sign of life", drip)
        .needs(IDLE_TIMEOUT),
    case("bytes of a line that is too long are no sign of life", long_drip)
        .needs(IDLE_TIMEOUT),
    case("a flood without a line end is no sign of life either", flood)
        .needs(IDLE_TIMEOUT),
    case("a client that asks now and then is never dropped", active)
        .needs(IDLE_TIMEOUT),
    case("bad lines are a sign of life", bad_but_active).needs(IDLE_TIMEOUT),
    case("who waits for a long answer is never dropped", waits)
        .computes()
        .needs(IDLE_TIMEOUT),
    case("who half-closed and waits is never dropped", waits_half_closed)
        .computes()
        .needs(IDLE_TIMEOUT),
    case("who waits behind another's long job is never dropped", queues)
        .computes()
        .needs(IDLE_TIMEOUT),
    case("who waits in a long queue of jobs is never dropped", crowd_queues)
        .needs(IDLE_TIMEOUT)
        .alone(),
    case("who reads slowly, but reads, is not dropped", slow_reader)
        .needs(IDLE_TIMEOUT),
    case("an idle timeout of 0 drops nobody", no_timeout).needs(IDLE_TIMEOUT),
];

/// Connects and asks, without reading, for as long as anyone takes it. That
/// is far less than a million requests, if the server minds its memory.
fn never_reading(server: &Served<'_>) -> Verdict<Client> {
    let mut client = server.client_with_window(4096)?;
    // An error line is longer than its request, and costs nothing.
    server.get_stuck_on(&mut client, &b"x\n".repeat(8192))?;
    Ok(client)
}

fn never_reads(stage: &Stage<'_>) -> Verdict {
    const GROWTH_BYTES_MAX: u64 = 8 << 20;
    let server = stage.server(&[])?;
    server.expect_service()?;
    let before = server.vitals();
    let stuck = never_reading(&server)?;
    server.expect_memory_bounded(before, GROWTH_BYTES_MAX)?;
    stuck.reset();
    server.expect_service()
}

fn beside(stage: &Stage<'_>) -> Verdict {
    let server = stage.server(&[])?;
    let mut early = server.client()?;
    early.ask(10)?;
    let _stuck = never_reading(&server)?;
    for _ in 0..20 {
        early.ask(10)?;
        server.expect_service()?;
    }
    Ok(())
}

fn drop_never_reads(stage: &Stage<'_>) -> Verdict {
    const WAIT: Duration = Duration::from_millis(50);
    let server = stage.server(&IDLE_FLAGS)?;
    let mut client = server.client_with_window(4096)?;
    let batch = b"x\n".repeat(8192);
    let mut sent = 0;
    let start = Instant::now();
    let mut moved = start;
    // Its unread requests make the end a reset.
    while !client.is_reset_within(Duration::ZERO) {
        if client.has_room_within(WAIT) {
            sent += client.send_some(&batch[sent % batch.len()..]).unwrap_or(0);
            moved = Instant::now();
        }
        // With each probe of the closed window, the server's kernel may find
        // room for a few more replies, which is movement. The probes come at
        // longer and longer intervals.
        check(moved.elapsed() < 5 * IDLE + LATE, || {
            format!("expected it to be dropped after {IDLE:?}, but it was not")
        })?;
    }
    not_early(&client, start)?;
    server.expect_service()
}

fn mute(stage: &Stage<'_>) -> Verdict {
    let server = stage.server(&IDLE_FLAGS)?;
    let start = Instant::now();
    let mut client = server.client()?;
    expect_drop(&mut client, start)?;
    server.expect_service()
}

fn silent(stage: &Stage<'_>) -> Verdict {
    let server = stage.server(&IDLE_FLAGS)?;
    let mut client = server.client()?;
    client.ask(10)?;
    let start = Instant::now();
    client.ask(20)?;
    expect_drop(&mut client, start)?;
    server.expect_service()
}

fn drip(stage: &Stage<'_>) -> Verdict {
    let server = stage.server(&IDLE_FLAGS)?;
    let mut client = server.client()?;
    let start = Instant::now();
    client.ask(10)?;
    expect_drop_while_dripping(&mut client, start)
}

fn flood(stage: &Stage<'_>) -> Verdict {
    let server = stage.server(&SHORT_IDLE_FLAGS)?;
    let mut client = server.client()?;
    client.exchange(&[b'x'; 4_096], LINE_TOO_LONG)?;
    let start = Instant::now();
    while start.elapsed() < SHORT_IDLE * 2 + LATE {
        // A server that had read all before it left has sent FIN; and behind a
        // closed window the client sends nothing that RST could answer.
        let mut has_ended = client.has_news();
        if client.has_room_within(Duration::from_millis(50)) {
            has_ended |= match client.send_some(&[b'x'; 4_096]) {
                Ok(_) => false,
                Err(error) => error.kind() != ErrorKind::WouldBlock,
            };
        }
        if has_ended {
            client.expect_closed()?;
            return server.expect_service();
        }
    }
    let expected = "an end at the idle timeout";
    Err(client.failure(expected, "a server that goes on reading"))
}

fn long_drip(stage: &Stage<'_>) -> Verdict {
    let server = stage.server(&IDLE_FLAGS)?;
    let mut client = server.client()?;
    let start = Instant::now();
    client.exchange(&[b'1'; 100], LINE_TOO_LONG)?;
    expect_drop_while_dripping(&mut client, start)
}

fn active(stage: &Stage<'_>) -> Verdict {
    lively(stage, b"10\n", Answer::Fib(10))
}

fn bad_but_active(stage: &Stage<'_>) -> Verdict {
    lively(stage, b"\n", crate::answer::NOT_A_NUMBER)
}

/// Asks more often than the idle timeout, for longer than the idle timeout.
fn lively(stage: &Stage<'_>, request: &[u8], answer: Answer) -> Verdict {
    let server = stage.server(&IDLE_FLAGS)?;
    let mut client = server.client()?;
    let start = Instant::now();
    while start.elapsed() < 2 * IDLE + IDLE / 2 {
        client.exchange(request, answer)?;
        client.expect_silence(IDLE / 4)?;
    }
    client.exchange(request, answer)
}

fn waits(stage: &Stage<'_>) -> Verdict {
    let long = stage.job(2 * SHORT_IDLE)?;
    let server = stage.server(&SHORT_IDLE_FLAGS)?;
    let mut client = server.client()?;
    client.ask(long)?;
    // The clock starts anew with the reply: there is time for another.
    client.ask(10)
}

fn waits_half_closed(stage: &Stage<'_>) -> Verdict {
    let long = stage.job(2 * SHORT_IDLE)?;
    let server = stage.server(&SHORT_IDLE_FLAGS)?;
    let mut client = server.client()?;
    client.send(format!("{long}\n10\n").as_bytes())?;
    client.half_close()?;
    client.expect_all([long, 10].map(Answer::Fib))?;
    client.expect_end()
}

fn queues(stage: &Stage<'_>) -> Verdict {
    let long = stage.job(2 * SHORT_IDLE)?;
    let server = stage.server(&SHORT_IDLE_FLAGS)?;
    let blocking = stage.subject.long_jobs_that_block();
    // It is accepted, where there is a place for it, before the long job.
    let mut early = server.client()?;
    if stage.subject.serves_several() {
        early.ask(10)?;
    } else {
        drop(early);
        early = server.client()?;
    }
    let mut busy = server.clients(blocking)?;
    if !stage.subject.serves_several() {
        // Whoever came first is served first.
        std::mem::swap(&mut early, &mut busy[0]);
    }
    for client in &mut busy {
        client.send(format!("1\n{long}\n").as_bytes())?;
    }
    busy[0].expect(Answer::Fib(1))?;
    // Its request waits in the kernel, where the server can't see it.
    early.send(b"20\n")?;
    let mut late = server.client()?;
    late.send(b"20\n")?;
    let (first, others) = busy.split_first_mut().expect("at least one");
    first.expect(Answer::Fib(long))?;
    first.half_close()?;
    for client in others {
        client.expect_all([1, long].map(Answer::Fib))?;
    }
    early.expect(Answer::Fib(20))?;
    early.half_close()?;
    early.expect_end()?;
    late.expect(Answer::Fib(20))
}

fn crowd_queues(stage: &Stage<'_>) -> Verdict {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let at_a_time = match stage.subject.lacks(Ability::AnswerBesideLongJob) {
        Some(_) => 1,
        None => cores,
    };
    let job = stage.job(SHORT_IDLE)?;
    let server = stage.server(&SHORT_IDLE_FLAGS)?;
    // The last of them waits for longer than the idle timeout before its
    // turn comes.
    let mut clients = server.clients(2 * at_a_time + 1)?;
    for client in &mut clients {
        client.send(format!("{job}\n").as_bytes())?;
        client.half_close()?;
    }
    for client in &mut clients {
        client.expect(Answer::Fib(job))?;
        client.expect_end()?;
    }
    Ok(())
}

fn slow_reader(stage: &Stage<'_>) -> Verdict {
    const PIECE_BYTES: usize = 256 * 1024;
    const PAUSE: Duration = Duration::from_millis(50);
    let server = stage.server(&IDLE_FLAGS)?;
    let mut client = server.client_with_window(PIECE_BYTES)?;
    let batch = b"x\n".repeat(8192);
    let mut sent = 0;
    // Slow enough for the server to get stuck on it, and fast enough for the
    // kernel to take replies from the server within each timeout.
    let start = Instant::now();
    while start.elapsed() < 3 * IDLE {
        let mut dropped = client.is_reset_within(PAUSE);
        while !dropped && client.has_room_within(Duration::ZERO) {
            match client.send_some(&batch[sent % batch.len()..]) {
                Ok(count) => sent += count,
                Err(_) => dropped = true,
            }
        }
        dropped = dropped || client.read_piece(PIECE_BYTES).is_none();
        check(!dropped, || {
            let after = start.elapsed();
            format!("expected it to be served, but it was dropped ({after:?})")
        })?;
    }
    Ok(())
}

fn no_timeout(stage: &Stage<'_>) -> Verdict {
    let server = stage.server(&["--idle-timeout", "0"])?;
    let mut client = server.client()?;
    client.expect_silence(IDLE)?;
    client.ask(10)?;
    client.expect_silence(IDLE)?;
    client.ask(10)
}

/// Expects the end at the idle timeout, which was at work since `start`.
fn expect_drop(client: &mut Client, start: Instant) -> Verdict {
    match client.next_within(IDLE + LATE) {
        Next::End | Next::Reset => {}
        other => {
            let what = client.describe(&other);
            let expected = format!("an end after {IDLE:?} of silence");
            return Err(client.failure(&expected, &what));
        }
    }
    not_early(client, start)
}

fn not_early(client: &Client, start: Instant) -> Verdict {
    let after = start.elapsed();
    check(after >= IDLE, String::new).map_err(|_| {
        let what = format!("it after {after:?}");
        client.failure(&format!("an end after {IDLE:?}"), &what)
    })
}

/// The same for a client that meanwhile sends ten bytes in each timeout.
fn expect_drop_while_dripping(client: &mut Client, start: Instant) -> Verdict {
    loop {
        match client.next_within(IDLE / 10) {
            Next::End | Next::Reset => return not_early(client, start),
            Next::Nothing if start.elapsed() < IDLE + LATE => {
                // It fails when the server has just closed, which comes next.
                let _ = client.send(b"1");
            }
            other => {
                let what = client.describe(&other);
                let expected = format!("an end after {IDLE:?}");
                return Err(client.failure(&expected, &what));
            }
        }
    }
}
