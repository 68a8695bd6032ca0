//! Numbers and their replies.

use std::time::Duration;

use crate::answer::{Answer, TOO_LARGE};
use crate::case::{Case, Family, Need, Verdict};
use crate::client::{Client, Next};
use crate::random::Random;
use crate::stage::{ANY_N, Stage};

const fn case(name: &'static str, play: fn(&Stage<'_>) -> Verdict) -> Case {
    Case::new(Family::Answers, name, play)
}

const MAX_N: &[Need] = &[Need::Flag("--max-n")];

pub(super) const CASES: &[Case] = &[
    case("every n from 0 to 30 gets F(n)", every_small_n),
    case("random n get F(n), many in flight", random_n),
    case("max-n is served, and no n above it", max_n).needs(MAX_N),
    case("max-n is 45 unless told otherwise", default_max_n).computes(),
    case("max-n can be 93, the last that fits", highest_max_n)
        .needs(MAX_N)
        .computes(),
    case("max-n can be 0", lowest_max_n).needs(MAX_N),
    case("a line may end in CR LF", cr_lf),
    case("leading zeros change nothing", leading_zeros),
    case("spaces and tabs around a number change nothing", blanks),
];

fn every_small_n(stage: &Stage<'_>) -> Verdict {
    let server = stage.server(&[])?;
    let mut client = server.client()?;
    (0..=30).try_for_each(|n| client.ask(n))
}

fn random_n(stage: &Stage<'_>) -> Verdict {
    const REQUESTS: usize = 500;
    let affordable = stage.job(Duration::from_micros(100))?.max(10);
    let mut random = Random::new(stage.seed);
    let numbers: Vec<u64> =
        (0..REQUESTS).map(|_| random.below(affordable)).collect();
    let requests: String = numbers.iter().map(|n| format!("{n}\n")).collect();
    let server = stage.server(&[])?;
    let answers = numbers.into_iter().map(Answer::Fib);
    server
        .client()?
        .pump(requests.as_bytes(), answers)
        .map_err(|fault| fault.about(format!("seed {}", stage.seed)))
}

fn max_n(stage: &Stage<'_>) -> Verdict {
    let server = stage.server(&["--max-n", "17"])?;
    let mut client = server.client()?;
    client.ask(17)?;
    client.exchange(b"18\n", TOO_LARGE)?;
    client.ask(17)
}

fn default_max_n(stage: &Stage<'_>) -> Verdict {
    let largest = stage.subject.largest_n();
    let server = stage.server(&[])?;
    let mut client = server.client()?;
    client.exchange(format!("{}\n", largest + 1).as_bytes(), TOO_LARGE)?;
    expect_taken(client, largest)
}

fn highest_max_n(stage: &Stage<'_>) -> Verdict {
    let server = stage.server(&ANY_N)?;
    let mut client = server.client()?;
    client.exchange(b"94\n", TOO_LARGE)?;
    client.ask(30)?;
    expect_taken(client, 93)
}

/// Expects that n is not refused, whose answer nobody can wait for.
fn expect_taken(mut client: Client, n: u64) -> Verdict {
    client.send(format!("{n}\n").as_bytes())?;
    // What is refused is refused at once, and what is not takes long.
    match client.next_within(Duration::from_secs(1)) {
        Next::Nothing => Ok(()),
        Next::Line(line) if Answer::Fib(n).is(&line) => Ok(()),
        other => {
            let what = client.describe(&other);
            Err(client.failure("the job to be taken", &what))
        }
    }
}

fn lowest_max_n(stage: &Stage<'_>) -> Verdict {
    let server = stage.server(&["--max-n", "0"])?;
    let mut client = server.client()?;
    client.exchange(b"1\n", TOO_LARGE)?;
    client.ask(0)
}

fn cr_lf(stage: &Stage<'_>) -> Verdict {
    check(stage, &["10\r\n", "0\r\n", "10 \r\n", "\t10\t\r\n", "10\n"])
}

fn leading_zeros(stage: &Stage<'_>) -> Verdict {
    let long = format!("{}10\n", "0".repeat(40));
    check(stage, &["00\n", "010\n", "0000000000000000000000010\n", &long])
}

fn blanks(stage: &Stage<'_>) -> Verdict {
    check(
        stage,
        &[" 10\n", "10 \n", "  10  \n", "\t10\n", "10\t\n", " \t 10 \t \n"],
    )
}

/// Expects each line to be answered as the number that stands in it.
fn check(stage: &Stage<'_>, lines: &[&str]) -> Verdict {
    let server = stage.server(&[])?;
    let mut client = server.client()?;
    for line in lines {
        let n = line.trim().parse().expect("the table holds numbers");
        client
            .exchange(line.as_bytes(), Answer::Fib(n))
            .map_err(|fault| fault.about(format!("{line:?}")))?;
    }
    Ok(())
}
