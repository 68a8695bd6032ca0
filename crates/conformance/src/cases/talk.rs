//! The talk's clients, which send no newline.

use crate::answer::{Answer, NOT_A_NUMBER, TOO_LARGE};
use crate::case::{Case, Family, Need, Verdict, check};
use crate::stage::{Served, Stage};

const fn case(name: &'static str, play: fn(&Stage<'_>) -> Verdict) -> Case {
    Case::new(Family::Talk, name, play)
}

pub(super) const CASES: &[Case] = &[
    case("perf1's `30` is answered without a newline", perf1),
    case("perf2's `1` is answered again and again", perf2),
    case("white space around a number is trimmed", blanks),
    case("what is no number is told so", bad).needs(ERRORS),
    case("who half-closes gets an end", half_close),
    case("the next client is served as well", next_client),
    case("a line server says in its log that it talks", says_so)
        .needs(&[Need::Flag("--framing")]),
];

/// The talk's own servers know no error lines: those are of the ten, as is
/// the limit of n.
const ERRORS: &[Need] = &[Need::Flag("--framing")];

fn perf1(stage: &Stage<'_>) -> Verdict {
    let server = talking(stage)?;
    let mut client = server.client()?;
    (0..3).try_for_each(|_| client.exchange(b"30", Answer::Fib(30)))
}

fn perf2(stage: &Stage<'_>) -> Verdict {
    let server = talking(stage)?;
    let mut client = server.client()?;
    (0..1_000).try_for_each(|_| client.exchange(b"1", Answer::Fib(1)))
}

fn blanks(stage: &Stage<'_>) -> Verdict {
    let server = talking(stage)?;
    let mut client = server.client()?;
    for request in ["10\n", "10\r\n", " 10", "10 ", "\t10\t\n"] {
        client.exchange(request.as_bytes(), Answer::Fib(10))?;
    }
    Ok(())
}

fn bad(stage: &Stage<'_>) -> Verdict {
    let server = talking(stage)?;
    let mut client = server.client()?;
    for request in ["x", "-1", "1.5", "+1", "\n", " ", "\0"] {
        client.exchange(request.as_bytes(), NOT_A_NUMBER)?;
        client.exchange(b"10", Answer::Fib(10))?;
    }
    client.exchange(b"99999", TOO_LARGE)?;
    client.exchange(b"10", Answer::Fib(10))
}

fn half_close(stage: &Stage<'_>) -> Verdict {
    let server = talking(stage)?;
    let mut client = server.client()?;
    client.exchange(b"10", Answer::Fib(10))?;
    client.half_close()?;
    client.expect_end()
}

fn next_client(stage: &Stage<'_>) -> Verdict {
    let server = talking(stage)?;
    for n in 0..20 {
        let mut client = server.client()?;
        client.exchange(n.to_string().as_bytes(), Answer::Fib(n))?;
    }
    Ok(())
}

fn says_so(stage: &Stage<'_>) -> Verdict {
    let mut server = talking(stage)?;
    server.client()?.exchange(b"10", Answer::Fib(10))?;
    server.stop()?;
    server.expect_exit(0, stage.patience())?;
    let log = server.log();
    let said = log.iter().filter(|line| line.contains("talk")).count();
    check(said == 1, || {
        format!("expected one log line about the talk's framing, got {said}")
    })
}

fn talking<'a>(stage: &'a Stage<'_>) -> Verdict<Served<'a>> {
    match stage.subject.is_framed_by_flag() {
        true => stage.server(&["--framing", "talk"]),
        false => stage.server(&[]),
    }
}
