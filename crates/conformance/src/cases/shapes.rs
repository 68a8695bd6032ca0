//! Requests split into segments, batched and pipelined; the order of replies;
//! and whether one client delays another.

use std::time::{Duration, Instant};

use crate::case::{Ability, Case, CaseResult, Family, Need, check};
use crate::client::{Client, Next};
use crate::fixture::{ANY_N, Fixture};
use crate::reply::{ExpectedReply, LINE_TOO_LONG, NOT_A_NUMBER, TOO_LARGE};

const fn case(name: &'static str, run: fn(&Fixture<'_>) -> CaseResult) -> Case {
    Case::new(Family::Shapes, name, run)
}

pub(super) const CASES: &[Case] = &[
    case("a request may arrive in segments of one byte", one_byte_segments),
    case("three requests may be split at any byte", split_at_every_byte),
    case("1,000 requests in one write get replies in order", one_write),
    case("100,000 requests in flight get replies in order", deep_pipeline),
    case("good and bad lines mixed get one reply each", mixed),
    case(
        "replies to short requests after a long job stay in order",
        long_job_first,
    )
    .computes(),
    case(
        "a short request before a long job does not wait for it",
        long_job_last,
    )
    .computes(),
    case("a client that reads late gets every reply, in order", late_reader),
    case("urgent data does not delay the requests after it", urgent)
        .computes()
        .proves(Ability::ReadPastUrgentData),
    case("a reply does not wait for the ACK of the previous one", late_ack)
        .alone(),
    case("no client gets another client's replies", own_replies)
        .needs(&[Need::SeveralClients]),
    case("a second client is served while the first is idle", beside_idle)
        .proves(Ability::ServeBesideIdle),
    case(
        "`1` is answered while another client's long job runs",
        beside_long_job,
    )
    .computes()
    .proves(Ability::AnswerBesideLongJob),
    case(
        "a waiting client is served when the one before it leaves",
        one_after_another,
    ),
];

fn one_byte_segments(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    let mut client = server.client()?;
    for byte in b" 020 \r\n" {
        client.send(&[*byte])?;
        // Without a wait, the kernel would merge the segments.
        client.wait_until_read()?;
    }
    client.expect(ExpectedReply::Fib(20))
}

fn split_at_every_byte(fixture: &Fixture<'_>) -> CaseResult {
    let requests = b"7\n1x\r\n 20 \r\n";
    let replies = [ExpectedReply::Fib(7), NOT_A_NUMBER, ExpectedReply::Fib(20)];
    let server = fixture.server(&[])?;
    let mut client = server.client()?;
    for at in 0..=requests.len() {
        let (first, second) = requests.split_at(at);
        let complete = first.iter().filter(|&&byte| byte == b'\n').count();
        let (before, after) = replies.split_at(complete);
        // The reply to `3` shows that the server has read the first part,
        // which is in the same segment.
        let lead = [&b"3\n"[..], first].concat();
        let send_both_parts = |client: &mut Client| {
            client.exchange(&lead, ExpectedReply::Fib(3))?;
            client.expect_all(before.iter().copied())?;
            client.send(second)?;
            client.expect_all(after.iter().copied())
        };
        send_both_parts(&mut client).map_err(|failure| {
            failure.context(format!("split at byte {at}"))
        })?;
    }
    Ok(())
}

fn one_write(fixture: &Fixture<'_>) -> CaseResult {
    let numbers = (0..1_000).map(|i| i % 16);
    let requests: String = numbers.clone().map(|n| format!("{n}\n")).collect();
    let server = fixture.server(&[])?;
    let mut client = server.client()?;
    client.send(requests.as_bytes())?;
    client.expect_all(numbers.map(ExpectedReply::Fib))
}

fn deep_pipeline(fixture: &Fixture<'_>) -> CaseResult {
    let numbers = (0..100_000).map(|i| i % 7);
    let requests: String = numbers.clone().map(|n| format!("{n}\n")).collect();
    let server = fixture.server(&[])?;
    let mut client = server.client()?;
    client.pump(requests.as_bytes(), numbers.map(ExpectedReply::Fib))?;
    client.half_close()?;
    client.expect_end()
}

fn mixed(fixture: &Fixture<'_>) -> CaseResult {
    let long = [b'7'; 200];
    let table: [(&[u8], ExpectedReply); 8] = [
        (b"1", ExpectedReply::Fib(1)),
        (b"", NOT_A_NUMBER),
        (b"20\r", ExpectedReply::Fib(20)),
        (&long, LINE_TOO_LONG),
        (b"0", ExpectedReply::Fib(0)),
        (b"99999", TOO_LARGE),
        (b"\xff", NOT_A_NUMBER),
        (b" 2 ", ExpectedReply::Fib(2)),
    ];
    let lines = table.map(|(line, _)| [line, b"\n"].concat()).concat();
    let replies = table.map(|(_, reply)| reply);
    let server = fixture.server(&[])?;
    let mut client = server.client()?;
    for _ in 0..50 {
        client.send(&lines)?;
    }
    for _ in 0..50 {
        client.expect_all(replies)?;
    }
    // The next reply is to this request: there were no extra ones.
    client.ask(10)
}

fn long_job_first(fixture: &Fixture<'_>) -> CaseResult {
    let long = fixture.n_that_takes(Duration::from_millis(200))?;
    let server = fixture.server(&ANY_N)?;
    let mut client = server.client()?;
    client.send(format!("{long}\n1\n10\n").as_bytes())?;
    client.send(b"20\nx\n")?;
    client.expect_all([long, 1, 10, 20].map(ExpectedReply::Fib))?;
    client.expect(NOT_A_NUMBER)
}

fn long_job_last(fixture: &Fixture<'_>) -> CaseResult {
    let long = fixture.n_that_takes(Duration::from_millis(500))?;
    let server = fixture.server(&ANY_N)?;
    let mut client = server.client()?;
    client.send(format!("1\n{long}\n").as_bytes())?;
    client.expect(ExpectedReply::Fib(1))?;
    let short_reply_time = Instant::now();
    client.expect(ExpectedReply::Fib(long))?;
    // A server that holds back the first reply sends both together.
    let apart = short_reply_time.elapsed();
    check(apart >= Duration::from_millis(100), || {
        format!(
            "expected the short request's reply before the long job's, got \
             them {apart:?} apart"
        )
    })
}

fn late_reader(fixture: &Fixture<'_>) -> CaseResult {
    // Error lines are longer than requests, so they fill all buffers. Then the
    // server must stop reading, and continue when the client reads.
    let server = fixture.server(&[])?;
    let mut client = server.client_with_window(4096)?;
    let batch = b"x\n3\n".repeat(4096);
    let sent = server.send_until_stuck(&mut client, &batch)?;
    // Completes the batch that was sent in part.
    let rest = &batch[sent % batch.len()..];
    let lines = (sent + rest.len()) / 2;
    let replies = [NOT_A_NUMBER, ExpectedReply::Fib(3)];
    let replies = replies.into_iter().cycle().take(lines);
    client.pump(rest, replies)?;
    client.ask(10)
}

fn urgent(fixture: &Fixture<'_>) -> CaseResult {
    const ROUNDS: usize = 5;
    let job = fixture.n_that_takes(Duration::from_millis(10))?;
    let server = fixture.server(&ANY_N)?;
    let mut client = server.client()?;
    let send_around_urgent_data = |client: &mut Client| {
        // While the job runs, the server can't read. So everything below has
        // arrived before the next read, which stops short at the urgent byte.
        client.send(format!("1\n{job}\n").as_bytes())?;
        client.expect(ExpectedReply::Fib(1))?;
        client.send(b"2\n")?;
        client.send_urgent(b'!')?;
        client.send(b"3\n4\n")
    };
    for _ in 0..ROUNDS {
        send_around_urgent_data(&mut client)?;
        client.expect_all([job, 2].map(ExpectedReply::Fib))?;
        let patience = fixture.patience_for(Ability::ReadPastUrgentData);
        if !client.has_input_within(patience) {
            let expected = ExpectedReply::Fib(3).to_string();
            let got = "nothing, with urgent data before the request";
            return Err(client.failure(&expected, got).lacks_ability());
        }
        // All replies before the next round: a second urgent byte would turn
        // the first into ordinary data.
        client.expect_all([3, 4].map(ExpectedReply::Fib))?;
    }
    send_around_urgent_data(&mut client)?;
    client.half_close()?;
    client.expect_all([job, 2, 3, 4].map(ExpectedReply::Fib))?;
    client.expect_end()
}

fn late_ack(fixture: &Fixture<'_>) -> CaseResult {
    const ROUNDS: usize = 10;
    /// Less than the 40 ms of a delayed ACK, and far more than the job takes.
    const HELD_BACK: Duration = Duration::from_millis(30);
    let job = fixture.n_that_takes(Duration::from_millis(2))?;
    let server = fixture.server(&ANY_N)?;
    let mut client = server.client()?;
    let requests = format!("1\n{job}\n");
    let mut held_back = 0;
    for _ in 0..ROUNDS {
        client.acknowledge_late()?;
        // The first reply is sent before the job runs, and is not yet
        // acknowledged when the second is ready.
        let start = Instant::now();
        client.exchange(requests.as_bytes(), ExpectedReply::Fib(1))?;
        client.expect(ExpectedReply::Fib(job))?;
        held_back += usize::from(start.elapsed() >= HELD_BACK);
    }
    // A busy machine delays some of the replies, but not half of them.
    check(held_back <= ROUNDS / 2, || {
        format!(
            "expected replies that do not wait for an ACK (TCP_NODELAY), got \
             {held_back} of {ROUNDS} after more than {HELD_BACK:?}"
        )
    })
}

fn own_replies(fixture: &Fixture<'_>) -> CaseResult {
    const ROUNDS: usize = 50;
    let server = fixture.server(&[])?;
    let mut clients = server.clients(20)?;
    for _ in 0..ROUNDS {
        for (n, client) in (1..).zip(&mut clients) {
            client.send(format!("{n}\n{n}\n").as_bytes())?;
        }
        for (n, client) in (1..).zip(&mut clients) {
            client
                .expect_all([ExpectedReply::Fib(n), ExpectedReply::Fib(n)])?;
        }
    }
    Ok(())
}

fn beside_idle(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    let mut idle = server.client()?;
    // The reply shows that the client has been accepted; now it is idle.
    idle.ask(10)?;
    let mut second = server.client()?;
    second.send(b"1\n")?;
    match second.next_within(fixture.patience_for(Ability::ServeBesideIdle)) {
        Next::Line(line) if ExpectedReply::Fib(1).matches(&line) => {
            idle.ask(10)
        }
        Next::Nothing => {
            let got = "nothing while another client was idle";
            let expected = ExpectedReply::Fib(1).to_string();
            Err(second.failure(&expected, got).lacks_ability())
        }
        next @ (Next::Line(_) | Next::End | Next::Reset) => {
            let got = second.describe(&next);
            Err(second.failure(&ExpectedReply::Fib(1).to_string(), &got))
        }
    }
}

fn beside_long_job(fixture: &Fixture<'_>) -> CaseResult {
    let long = fixture.n_that_takes(Duration::from_millis(500))?;
    let server = fixture.server(&ANY_N)?;
    let mut busy = Vec::new();
    for _ in 0..fixture.subject.long_jobs_that_block() {
        let mut client = server.client()?;
        client.send(format!("1\n{long}\n").as_bytes())?;
        // The reply to `1` shows that this client's long job is about to run.
        // If an earlier client's reply arrives first, that client's long job
        // has delayed the `1`.
        busy.push(client);
        expect_last_served_first(&mut busy, 1)?;
    }
    let mut short = server.client()?;
    short.send(b"1\n")?;
    busy.push(short);
    expect_last_served_first(&mut busy, 1)?;
    // Every long job gets its reply.
    busy.pop();
    busy.iter_mut()
        .try_for_each(|client| client.expect(ExpectedReply::Fib(long)))
}

/// Checks that the last of these clients gets F(n) before any other client
/// receives anything.
fn expect_last_served_first(clients: &mut [Client], n: u64) -> CaseResult {
    let (last, others) = clients.split_last_mut().expect("there is one");
    let expected = ExpectedReply::Fib(n);
    let deadline = Instant::now() + last.patience();
    while !last.has_input_within(Duration::from_millis(2)) {
        let overtaken = others.iter().any(Client::has_input);
        if overtaken || Instant::now() >= deadline {
            let got = "nothing before another client's long job was done";
            return Err(last
                .failure(&expected.to_string(), got)
                .lacks_ability());
        }
    }
    let overtaken = others.iter().any(Client::has_input);
    last.expect(expected)?;
    if overtaken {
        let got = "it only after another client's long job was done";
        return Err(last.failure(&expected.to_string(), got).lacks_ability());
    }
    Ok(())
}

fn one_after_another(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    let mut first = server.client()?;
    first.ask(10)?;
    let mut waiting = server.clients(3)?;
    for client in &mut waiting {
        client.send(b"20\n")?;
    }
    drop(first);
    for mut client in waiting {
        client.expect(ExpectedReply::Fib(20))?;
    }
    server.expect_service()
}
