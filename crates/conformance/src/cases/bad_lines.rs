//! Malformed requests and their error replies.

use crate::case::{Case, CaseResult, Family};
use crate::fixture::Fixture;
use crate::reply::{ExpectedReply, LINE_TOO_LONG, NOT_A_NUMBER, TOO_LARGE};

const fn case(name: &'static str, run: fn(&Fixture<'_>) -> CaseResult) -> Case {
    Case::new(Family::BadLines, name, run)
}

pub(super) const CASES: &[Case] = &[
    case("an empty line gets `not-a-number`", empty),
    case("a number with a sign gets `not-a-number`", signs),
    case("letters get `not-a-number`", letters),
    case("hex, floats and exponents get `not-a-number`", notations),
    case("two numbers on a line get `not-a-number`", two_numbers),
    case("a NUL byte gets `not-a-number`", nul),
    case("a control character gets `not-a-number`", control_characters),
    case("a CR that is not before the LF gets `not-a-number`", stray_cr),
    case("invalid UTF-8 gets `not-a-number`", invalid_utf8),
    case("digits of other scripts get `not-a-number`", other_scripts),
    case(
        "a number above max-n gets `too-large`, even with 63 digits",
        many_digits,
    ),
    case("a number that would wrap to a small one gets `too-large`", wrapping),
    case("a line of 64 bytes, including the LF, is accepted", at_the_limit),
    case("a line of 65 bytes gets `line-too-long`", over_the_limit),
    case("a number of 1,000 digits gets `line-too-long`", thousand_digits),
    case(
        "64 bytes without LF get `line-too-long` before the LF arrives",
        before_lf,
    ),
    case(
        "a line that is too long gets one reply, whatever it contains",
        one_reply,
    ),
    case("100 MB without LF are discarded in bounded memory", endless_line),
];

/// The longest line that servers accept, including its LF.
const LINE_BYTES_MAX: usize = 64;

fn empty(fixture: &Fixture<'_>) -> CaseResult {
    check(fixture, NOT_A_NUMBER, ["\n", "\r\n", " \n", "\t\n", " \t \r\n"])
}

fn signs(fixture: &Fixture<'_>) -> CaseResult {
    let lines =
        ["+1\n", "-1\n", "-0\n", "- 1\n", "1-\n", "--1\n", "+\n", "-\n"];
    check(fixture, NOT_A_NUMBER, lines)
}

fn letters(fixture: &Fixture<'_>) -> CaseResult {
    let lines =
        ["a\n", "ten\n", "10a\n", "a10\n", "fib(10)\n", "O\n", "quit\n"];
    check(fixture, NOT_A_NUMBER, lines)
}

fn notations(fixture: &Fixture<'_>) -> CaseResult {
    let lines = [
        "0x10\n", "10h\n", "0b1\n", "0o7\n", "1.0\n", "1.\n", ".5\n", "1e1\n",
        "1E1\n", "1_0\n", "1,000\n", "1'000\n", "10u8\n", "inf\n", "NaN\n",
    ];
    check(fixture, NOT_A_NUMBER, lines)
}

fn two_numbers(fixture: &Fixture<'_>) -> CaseResult {
    check(fixture, NOT_A_NUMBER, ["1 2\n", "1\t2\n", "1;2\n", "1  1\n"])
}

fn nul(fixture: &Fixture<'_>) -> CaseResult {
    check(fixture, NOT_A_NUMBER, ["\0\n", "10\0\n", "\x0010\n", "1\x000\n"])
}

fn control_characters(fixture: &Fixture<'_>) -> CaseResult {
    // Many libraries trim vertical tab and form feed as white space.
    let lines = ["\x0b10\n", "10\x0c\n", "10\x08\n", "\x1b[A\n", "10\x7f\n"];
    check(fixture, NOT_A_NUMBER, lines)
}

fn stray_cr(fixture: &Fixture<'_>) -> CaseResult {
    let lines = ["\r10\n", "1\r0\n", "10\r\r\n", "10\r \n", "10\r\t\r\n"];
    check(fixture, NOT_A_NUMBER, lines)
}

fn invalid_utf8(fixture: &Fixture<'_>) -> CaseResult {
    let lines: [&[u8]; 6] = [
        b"\xff\n",
        b"10\xff\n",
        b"\xc3\n",
        b"\xc0\xb1\n",
        b"\xed\xa0\x80\n",
        b"\xf4\x90\x80\x80\n",
    ];
    check(fixture, NOT_A_NUMBER, lines)
}

fn other_scripts(fixture: &Fixture<'_>) -> CaseResult {
    let lines = [
        "\u{661}\u{660}\n",
        "\u{967}\u{966}\n",
        "\u{ff11}\u{ff10}\n",
        "\u{1d7cf}\n",
        "\u{b2}\n",
        "\u{2169}\n",
        "\u{a0}10\n",
        "10\u{3000}\n",
        "\u{feff}10\n",
        "\u{2212}1\n",
    ];
    check(fixture, NOT_A_NUMBER, lines)
}

fn many_digits(fixture: &Fixture<'_>) -> CaseResult {
    let longest = "9".repeat(LINE_BYTES_MAX - 1) + "\n";
    let lines = ["999\n", "18446744073709551615\n", "99999999999999999999\n"];
    check(fixture, TOO_LARGE, [&lines[..], &[&longest]].concat())
}

fn wrapping(fixture: &Fixture<'_>) -> CaseResult {
    // 2^8, 2^16, 2^32, 2^64 and 2^128, and these plus 1 or 10.
    let lines = [
        "256\n",
        "266\n",
        "65536\n",
        "65546\n",
        "4294967296\n",
        "4294967306\n",
        "18446744073709551616\n",
        "18446744073709551617\n",
        "18446744073709551626\n",
        "340282366920938463463374607431768211456\n",
        "340282366920938463463374607431768211466\n",
    ];
    check(fixture, TOO_LARGE, lines)
}

fn at_the_limit(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    let mut client = server.client()?;
    let zeros = format!("{:0>width$}\n", 10, width = LINE_BYTES_MAX - 1);
    let blanks = format!("{:>width$}\n", 10, width = LINE_BYTES_MAX - 1);
    let cr_lf = format!("{:0>width$}\r\n", 10, width = LINE_BYTES_MAX - 2);
    for line in [zeros, blanks, cr_lf] {
        assert_eq!(line.len(), LINE_BYTES_MAX);
        client.exchange(line.as_bytes(), ExpectedReply::Fib(10))?;
    }
    let letters = format!("{:a>width$}\n", 10, width = LINE_BYTES_MAX - 1);
    client.exchange(letters.as_bytes(), NOT_A_NUMBER)
}

fn over_the_limit(fixture: &Fixture<'_>) -> CaseResult {
    let zeros = format!("{:0>width$}\n", 10, width = LINE_BYTES_MAX);
    let blanks = format!("{:>width$}\n", "", width = LINE_BYTES_MAX);
    let cr_lf = format!("{:0>width$}\r\n", 10, width = LINE_BYTES_MAX - 1);
    check(fixture, LINE_TOO_LONG, [zeros, blanks, cr_lf])
}

fn thousand_digits(fixture: &Fixture<'_>) -> CaseResult {
    let nines = |digits: usize| "9".repeat(digits) + "\n";
    check(fixture, LINE_TOO_LONG, [nines(64), nines(1_000), nines(100_000)])
}

fn before_lf(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    let mut client = server.client()?;
    client.exchange(&[b'1'; LINE_BYTES_MAX], LINE_TOO_LONG)?;
    // The next bytes belong to the same line and get no further reply.
    client.send(b"10")?;
    client.send(&[b'1'; LINE_BYTES_MAX])?;
    client.send(b"\n")?;
    client.ask(10)
}

fn one_reply(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    let mut client = server.client()?;
    let long = [&[b'1'; 5 * LINE_BYTES_MAX + 3], &b"\r\0\xff 10\r\n"[..]];
    let requests =
        [&b"3\n"[..], &long.concat(), b"4\n", &long.concat(), b"5\n"];
    client.send(&requests.concat())?;
    client.expect_all([
        ExpectedReply::Fib(3),
        LINE_TOO_LONG,
        ExpectedReply::Fib(4),
        LINE_TOO_LONG,
        ExpectedReply::Fib(5),
    ])
}

fn endless_line(fixture: &Fixture<'_>) -> CaseResult {
    const CHUNK_BYTES: usize = 1 << 20;
    const CHUNKS: usize = 100;
    const GROWTH_BYTES_MAX: u64 = 8 << 20;
    let server = fixture.server(&[])?;
    let mut client = server.client()?;
    client.ask(10)?;
    let before = server.usage();
    let chunk = vec![b'1'; CHUNK_BYTES];
    (0..CHUNKS).try_for_each(|_| client.send(&chunk))?;
    client.expect(LINE_TOO_LONG)?;
    client.exchange(b"\n10\n", ExpectedReply::Fib(10))?;
    server.expect_memory_bounded(before, GROWTH_BYTES_MAX)
}

/// Checks that each line gets `error`, and that a valid request after each is
/// answered on the same connection: first one line at a time, then all in one
/// write.
fn check<L>(fixture: &Fixture<'_>, error: ExpectedReply, lines: L) -> CaseResult
where
    L: IntoIterator,
    L::Item: AsRef<[u8]>,
{
    let server = fixture.server(&[])?;
    let mut client = server.client()?;
    let mut all = Vec::new();
    let mut replies = Vec::new();
    for line in lines {
        let line = line.as_ref();
        client
            .exchange(line, error)
            .and_then(|()| client.ask(10))
            .map_err(|failure| failure.context(crate::client::show(line)))?;
        all.extend([line, b"10\n"].concat());
        replies.extend([error, ExpectedReply::Fib(10)]);
    }
    client.send(&all)?;
    client
        .expect_all(replies)
        .map_err(|failure| failure.context("all lines in one write"))
}
