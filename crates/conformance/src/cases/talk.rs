//! The framing of the talk's clients, which send no newline: each read of the
//! server is a request.

use crate::case::{Case, CaseResult, Family, Need, check};
use crate::fixture::{Fixture, TestServer};
use crate::reply::{ExpectedReply, NOT_A_NUMBER, TOO_LARGE};

const fn case(name: &'static str, run: fn(&Fixture<'_>) -> CaseResult) -> Case {
    Case::new(Family::Talk, name, run)
}

pub(super) const CASES: &[Case] = &[
    case("perf1's `30` is answered without a newline", perf1),
    case("perf2's `1` is answered 1,000 times in a row", perf2),
    case("white space around a number is ignored", blanks),
    case("input that is not a number gets `not-a-number`", bad).needs(ERRORS),
    case("a client that half-closes gets end-of-file", half_close),
    case("clients are served one after another", next_client),
    case("the log mentions the talk's framing exactly once", log_line)
        .needs(&[Need::Flag("--framing")]),
];

/// Only this project's servers reply with error lines and limit n; the talk's
/// own servers do neither.
const ERRORS: &[Need] = &[Need::Flag("--framing")];

fn perf1(fixture: &Fixture<'_>) -> CaseResult {
    let server = start(fixture)?;
    let mut client = server.client()?;
    (0..3).try_for_each(|_| client.exchange(b"30", ExpectedReply::Fib(30)))
}

fn perf2(fixture: &Fixture<'_>) -> CaseResult {
    let server = start(fixture)?;
    let mut client = server.client()?;
    (0..1_000).try_for_each(|_| client.exchange(b"1", ExpectedReply::Fib(1)))
}

fn blanks(fixture: &Fixture<'_>) -> CaseResult {
    let server = start(fixture)?;
    let mut client = server.client()?;
    for request in ["10\n", "10\r\n", " 10", "10 ", "\t10\t\n"] {
        client.exchange(request.as_bytes(), ExpectedReply::Fib(10))?;
    }
    Ok(())
}

fn bad(fixture: &Fixture<'_>) -> CaseResult {
    let server = start(fixture)?;
    let mut client = server.client()?;
    for request in ["x", "-1", "1.5", "+1", "\n", " ", "\0"] {
        client.exchange(request.as_bytes(), NOT_A_NUMBER)?;
        client.exchange(b"10", ExpectedReply::Fib(10))?;
    }
    client.exchange(b"99999", TOO_LARGE)?;
    client.exchange(b"10", ExpectedReply::Fib(10))
}

fn half_close(fixture: &Fixture<'_>) -> CaseResult {
    let server = start(fixture)?;
    let mut client = server.client()?;
    client.exchange(b"10", ExpectedReply::Fib(10))?;
    client.half_close()?;
    client.expect_end()
}

fn next_client(fixture: &Fixture<'_>) -> CaseResult {
    let server = start(fixture)?;
    for n in 0..20 {
        let mut client = server.client()?;
        client.exchange(n.to_string().as_bytes(), ExpectedReply::Fib(n))?;
    }
    Ok(())
}

fn log_line(fixture: &Fixture<'_>) -> CaseResult {
    let mut server = start(fixture)?;
    server.client()?.exchange(b"10", ExpectedReply::Fib(10))?;
    server.stop()?;
    server.expect_exit(0, fixture.patience())?;
    let log = server.log();
    let count = log.iter().filter(|line| line.contains("talk")).count();
    check(count == 1, || {
        format!("expected one log line about the talk's framing, got {count}")
    })
}

/// Starts the subject with the talk's framing.
fn start<'a>(fixture: &'a Fixture<'_>) -> CaseResult<TestServer<'a>> {
    if fixture.subject.has_framing_flag() {
        fixture.server(&["--framing", "talk"])
    } else {
        fixture.server(&[])
    }
}
