//! The segments and the batches that requests come in.

use std::time::{Duration, Instant};

use crate::answer::{Answer, LINE_TOO_LONG, NOT_A_NUMBER, TOO_LARGE};
use crate::case::{Ability, Case, Family, Need, Verdict, check};
use crate::client::{Client, Next};
use crate::stage::{ANY_N, Stage};

const fn case(name: &'static str, play: fn(&Stage<'_>) -> Verdict) -> Case {
    Case::new(Family::Shapes, name, play)
}

pub(super) const CASES: &[Case] = &[
    case("a request may come in segments of one byte", one_byte_segments),
    case("three requests may be split at every byte", split_at_every_byte),
    case("1,000 requests in one write get replies in order", one_write),
    case("100,000 requests in flight get replies in order", deep_pipeline),
    case("good and bad lines mixed get one reply each", mixed),
    case("short requests behind a long job wait for it", long_job_first)
        .computes(),
    case("a short request before a long job does not", long_job_last)
        .computes(),
    case("who reads late gets every reply, in order", late_reader),
    case("urgent data does not stall the requests behind it", urgent)
        .computes()
        .shows(Ability::ReadPastUrgentData),
    case("a reply does not wait for the last one's ACK", late_ack).alone(),
    case("nobody gets another client's replies", strangers)
        .needs(&[Need::SeveralClients]),
    case("a second client is served while one is idle", beside_idle)
        .shows(Ability::ServeBesideIdle),
    case("`1` is answered while another's long job runs", beside_long_job)
        .computes()
        .shows(Ability::AnswerBesideLongJob),
    case("a client waits for the one before it at most", one_after_another),
];

fn one_byte_segments(stage: &Stage<'_>) -> Verdict {
    let server = stage.server(&[])?;
    let mut client = server.client()?;
    for byte in b" 020 \r\n" {
        client.send(&[*byte])?;
        // Or the kernel would put them together again.
        client.until_read()?;
    }
    client.expect(Answer::Fib(20))
}

fn split_at_every_byte(stage: &Stage<'_>) -> Verdict {
    let requests = b"7\n1x\r\n 20 \r\n";
    let answers = [Answer::Fib(7), NOT_A_NUMBER, Answer::Fib(20)];
    let server = stage.server(&[])?;
    let mut client = server.client()?;
    for at in 0..=requests.len() {
        let (first, second) = requests.split_at(at);
        let complete = first.iter().filter(|&&byte| byte == b'\n').count();
        let (before, after) = answers.split_at(complete);
        // The reply to `3` shows that the first part has been read: it came
        // in the same segment.
        let lead = [&b"3\n"[..], first].concat();
        let play = |client: &mut Client| {
            client.exchange(&lead, Answer::Fib(3))?;
            client.expect_all(before.iter().copied())?;
            client.send(second)?;
            client.expect_all(after.iter().copied())
        };
        play(&mut client)
            .map_err(|fault| fault.about(format!("split at byte {at}")))?;
    }
    Ok(())
}

fn one_write(stage: &Stage<'_>) -> Verdict {
    let numbers = (0..1_000).map(|i| i % 16);
    let requests: String = numbers.clone().map(|n| format!("{n}\n")).collect();
    let server = stage.server(&[])?;
    let mut client = server.client()?;
    client.send(requests.as_bytes())?;
    client.expect_all(numbers.map(Answer::Fib))
}

fn deep_pipeline(stage: &Stage<'_>) -> Verdict {
    let numbers = (0..100_000).map(|i| i % 7);
    let requests: String = numbers.clone().map(|n| format!("{n}\n")).collect();
    let server = stage.server(&[])?;
    let mut client = server.client()?;
    client.pump(requests.as_bytes(), numbers.map(Answer::Fib))?;
    client.half_close()?;
    client.expect_end()
}

fn mixed(stage: &Stage<'_>) -> Verdict {
    let long = [b'7'; 200];
    let table: [(&[u8], Answer); 8] = [
        (b"1", Answer::Fib(1)),
        (b"", NOT_A_NUMBER),
        (b"20\r", Answer::Fib(20)),
        (&long, LINE_TOO_LONG),
        (b"0", Answer::Fib(0)),
        (b"99999", TOO_LARGE),
        (b"\xff", NOT_A_NUMBER),
        (b" 2 ", Answer::Fib(2)),
    ];
    let lines = table.map(|(line, _)| [line, b"\n"].concat()).concat();
    let answers = table.map(|(_, answer)| answer);
    let server = stage.server(&[])?;
    let mut client = server.client()?;
    for _ in 0..50 {
        client.send(&lines)?;
    }
    for _ in 0..50 {
        client.expect_all(answers)?;
    }
    // One reply each, and none on top.
    client.ask(10)
}

fn long_job_first(stage: &Stage<'_>) -> Verdict {
    let long = stage.job(Duration::from_millis(200))?;
    let server = stage.server(&ANY_N)?;
    let mut client = server.client()?;
    client.send(format!("{long}\n1\n10\n").as_bytes())?;
    client.send(b"20\nx\n")?;
    client.expect_all([long, 1, 10, 20].map(Answer::Fib))?;
    client.expect(NOT_A_NUMBER)
}

fn long_job_last(stage: &Stage<'_>) -> Verdict {
    let long = stage.job(Duration::from_millis(500))?;
    let server = stage.server(&ANY_N)?;
    let mut client = server.client()?;
    client.send(format!("1\n{long}\n").as_bytes())?;
    client.expect(Answer::Fib(1))?;
    let short_came = Instant::now();
    client.expect(Answer::Fib(long))?;
    // Had it been held back, both would have come together.
    let apart = short_came.elapsed();
    check(apart >= Duration::from_millis(100), || {
        format!(
            "expected the short reply before the long job, got both {apart:?} \
             apart"
        )
    })
}

fn late_reader(stage: &Stage<'_>) -> Verdict {
    // Error lines are long: what fills every buffer on the way makes the
    // server stop reading, and later it has to go on.
    let server = stage.server(&[])?;
    let mut client = server.client_with_window(4096)?;
    let batch = b"x\n3\n".repeat(4096);
    let sent = server.get_stuck_on(&mut client, &batch)?;
    // What was cut in the middle is completed.
    let rest = &batch[sent % batch.len()..];
    let lines = (sent + rest.len()) / 2;
    let answers = (0..lines).map(|i| match i % 2 {
        0 => NOT_A_NUMBER,
        _ => Answer::Fib(3),
    });
    client.pump(rest, answers)?;
    client.ask(10)
}

fn urgent(stage: &Stage<'_>) -> Verdict {
    const ROUNDS: usize = 5;
    let job = stage.job(Duration::from_millis(10))?;
    let server = stage.server(&ANY_N)?;
    let mut client = server.client()?;
    let send_around_a_mark = |client: &mut Client| {
        // While this one's job runs, its server can't read: so all that
        // follows is there at once, and a read stops short at the mark.
        client.send(format!("1\n{job}\n").as_bytes())?;
        client.expect(Answer::Fib(1))?;
        client.send(b"2\n")?;
        client.send_urgent(b'!')?;
        client.send(b"3\n4\n")
    };
    for _ in 0..ROUNDS {
        send_around_a_mark(&mut client)?;
        client.expect_all([job, 2].map(Answer::Fib))?;
        let patience = stage.patience_for(Ability::ReadPastUrgentData);
        if !client.has_news_within(patience) {
            let expected = Answer::Fib(3).to_string();
            let what = "nothing, with urgent data before the request";
            return Err(client.failure(&expected, what).unable());
        }
        // All of them before the next: a second mark makes the byte at the
        // first an ordinary one.
        client.expect_all([3, 4].map(Answer::Fib))?;
    }
    send_around_a_mark(&mut client)?;
    client.half_close()?;
    client.expect_all([job, 2, 3, 4].map(Answer::Fib))?;
    client.expect_end()
}

fn late_ack(stage: &Stage<'_>) -> Verdict {
    const ROUNDS: usize = 10;
    /// Less than a late ACK's 40 ms, and far more than the job takes.
    const HELD_BACK: Duration = Duration::from_millis(30);
    let job = stage.job(Duration::from_millis(2))?;
    let server = stage.server(&ANY_N)?;
    let mut client = server.client()?;
    let requests = format!("1\n{job}\n");
    let mut held_back = 0;
    for _ in 0..ROUNDS {
        client.acknowledge_late()?;
        // The first reply is sent before the job, and not acknowledged when
        // the second one is to follow.
        let start = Instant::now();
        client.exchange(requests.as_bytes(), Answer::Fib(1))?;
        client.expect(Answer::Fib(job))?;
        held_back += usize::from(start.elapsed() >= HELD_BACK);
    }
    // A machine with other things to do is late now and then, not mostly.
    check(held_back <= ROUNDS / 2, || {
        format!(
            "expected replies that do not wait for an ACK (TCP_NODELAY), got \
             {held_back} of {ROUNDS} after more than {HELD_BACK:?}"
        )
    })
}

fn strangers(stage: &Stage<'_>) -> Verdict {
    const ROUNDS: usize = 50;
    let server = stage.server(&[])?;
    let mut clients = server.clients(20)?;
    for _ in 0..ROUNDS {
        for (n, client) in (1..).zip(&mut clients) {
            client.send(format!("{n}\n{n}\n").as_bytes())?;
        }
        for (n, client) in (1..).zip(&mut clients) {
            client.expect_all([Answer::Fib(n), Answer::Fib(n)])?;
        }
    }
    Ok(())
}

fn beside_idle(stage: &Stage<'_>) -> Verdict {
    let server = stage.server(&[])?;
    let mut idle = server.client()?;
    // Its reply shows that it has been accepted, and is idle from now on.
    idle.ask(10)?;
    let mut second = server.client()?;
    second.send(b"1\n")?;
    match second.next_within(stage.patience_for(Ability::ServeBesideIdle)) {
        Next::Line(line) if Answer::Fib(1).is(&line) => idle.ask(10),
        Next::Nothing => {
            let what = "nothing, while another was idle";
            let expected = Answer::Fib(1).to_string();
            Err(second.failure(&expected, what).unable())
        }
        other => {
            let what = second.describe(&other);
            Err(second.failure(&Answer::Fib(1).to_string(), &what))
        }
    }
}

fn beside_long_job(stage: &Stage<'_>) -> Verdict {
    let long = stage.job(Duration::from_millis(500))?;
    let server = stage.server(&ANY_N)?;
    let mut busy = Vec::new();
    for _ in 0..stage.subject.long_jobs_that_block() {
        let mut client = server.client()?;
        client.send(format!("1\n{long}\n").as_bytes())?;
        // The reply to its `1` shows that its long job is about to run. When
        // an earlier one is answered first, that kept it waiting.
        busy.push(client);
        answered_first(&mut busy, 1)?;
    }
    let mut short = server.client()?;
    short.send(b"1\n")?;
    busy.push(short);
    answered_first(&mut busy, 1)?;
    // Each long job is answered in the end.
    busy.pop();
    busy.iter_mut().try_for_each(|client| client.expect(Answer::Fib(long)))
}

/// Expects the last of these clients to get F(n) before any other gets news.
fn answered_first(clients: &mut [Client], n: u64) -> Verdict {
    let (last, others) = clients.split_last_mut().expect("there is one");
    let deadline = Instant::now() + last.patience();
    while !last.has_news_within(Duration::from_millis(2)) {
        let overtaken = others.iter().any(Client::has_news);
        if overtaken || Instant::now() >= deadline {
            let what = "nothing before another's long job was done";
            let expected = Answer::Fib(n).to_string();
            return Err(last.failure(&expected, what).unable());
        }
    }
    let overtaken = others.iter().any(Client::has_news);
    last.expect(Answer::Fib(n))?;
    check(!overtaken, String::new).map_err(|_| {
        let what = "it only after another's long job was done";
        last.failure(&Answer::Fib(n).to_string(), what).unable()
    })
}

fn one_after_another(stage: &Stage<'_>) -> Verdict {
    let server = stage.server(&[])?;
    let mut first = server.client()?;
    first.ask(10)?;
    let mut waiting = server.clients(3)?;
    for client in &mut waiting {
        client.send(b"20\n")?;
    }
    drop(first);
    for mut client in waiting {
        client.expect(Answer::Fib(20))?;
    }
    server.expect_service()
}
