//! Valid requests and their replies.

use std::time::Duration;

use crate::case::{Case, CaseResult, Family, Need};
use crate::client::{Client, Next};
use crate::fixture::{ANY_N, Fixture};
use crate::random::Random;
use crate::reply::{ExpectedReply, TOO_LARGE};

const fn case(name: &'static str, run: fn(&Fixture<'_>) -> CaseResult) -> Case {
    Case::new(Family::Answers, name, run)
}

const MAX_N: &[Need] = &[Need::Flag("--max-n")];

pub(super) const CASES: &[Case] = &[
    case("every n from 0 to 30 gets F(n)", every_small_n),
    case("random n get F(n) with many requests in flight", random_n),
    case("max-n is accepted, and no n above it", max_n).needs(MAX_N),
    case("max-n is 45 by default", default_max_n).computes(),
    case(
        "max-n can be 93, the largest n whose value fits in 64 bits",
        highest_max_n,
    )
    .needs(MAX_N)
    .computes(),
    case("max-n can be 0", lowest_max_n).needs(MAX_N),
    case("a line may end in CR LF", cr_lf),
    case("leading zeros are ignored", leading_zeros),
    case("spaces and tabs around a number are ignored", blanks),
];

fn every_small_n(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    let mut client = server.client()?;
    (0..=30).try_for_each(|n| client.ask(n))
}

fn random_n(fixture: &Fixture<'_>) -> CaseResult {
    const REQUESTS: usize = 500;
    let n_end = fixture.n_that_takes(Duration::from_micros(100))?.max(10);
    let mut random = Random::new(fixture.seed);
    let numbers: Vec<u64> =
        (0..REQUESTS).map(|_| random.below(n_end)).collect();
    let requests: String = numbers.iter().map(|n| format!("{n}\n")).collect();
    let server = fixture.server(&[])?;
    let replies = numbers.into_iter().map(ExpectedReply::Fib);
    server
        .client()?
        .pump(requests.as_bytes(), replies)
        .map_err(|failure| failure.context(format!("seed {}", fixture.seed)))
}

fn max_n(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&["--max-n", "17"])?;
    let mut client = server.client()?;
    client.ask(17)?;
    client.exchange(b"18\n", TOO_LARGE)?;
    client.ask(17)
}

fn default_max_n(fixture: &Fixture<'_>) -> CaseResult {
    let largest = fixture.subject.largest_n();
    let server = fixture.server(&[])?;
    let mut client = server.client()?;
    client.exchange(format!("{}\n", largest + 1).as_bytes(), TOO_LARGE)?;
    expect_accepted(client, largest)
}

fn highest_max_n(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&ANY_N)?;
    let mut client = server.client()?;
    client.exchange(b"94\n", TOO_LARGE)?;
    client.ask(30)?;
    expect_accepted(client, 93)
}

/// Checks that `n` is accepted, without waiting for its reply, which may take
/// hours.
fn expect_accepted(mut client: Client, n: u64) -> CaseResult {
    client.send(format!("{n}\n").as_bytes())?;
    // An error would arrive at once; the value of an accepted n takes long.
    match client.next_within(Duration::from_secs(1)) {
        Next::Nothing => Ok(()),
        Next::Line(line) if ExpectedReply::Fib(n).matches(&line) => Ok(()),
        next => {
            let got = client.describe(&next);
            Err(client.failure("the request to be accepted", &got))
        }
    }
}

fn lowest_max_n(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&["--max-n", "0"])?;
    let mut client = server.client()?;
    client.exchange(b"1\n", TOO_LARGE)?;
    client.ask(0)
}

fn cr_lf(fixture: &Fixture<'_>) -> CaseResult {
    check(fixture, &["10\r\n", "0\r\n", "10 \r\n", "\t10\t\r\n", "10\n"])
}

fn leading_zeros(fixture: &Fixture<'_>) -> CaseResult {
    let long = format!("{}10\n", "0".repeat(40));
    check(fixture, &["00\n", "010\n", "0000000000000000000000010\n", &long])
}

fn blanks(fixture: &Fixture<'_>) -> CaseResult {
    check(
        fixture,
        &[" 10\n", "10 \n", "  10  \n", "\t10\n", "10\t\n", " \t 10 \t \n"],
    )
}

/// Checks that each line gets F(n), where n is the number in the line.
fn check(fixture: &Fixture<'_>, lines: &[&str]) -> CaseResult {
    let server = fixture.server(&[])?;
    let mut client = server.client()?;
    for line in lines {
        let n = line.trim().parse().expect("each line contains a number");
        client
            .exchange(line.as_bytes(), ExpectedReply::Fib(n))
            .map_err(|failure| failure.context(format!("{line:?}")))?;
    }
    Ok(())
}
