//! Lines that are no request, and the errors that they get.

use crate::answer::{Answer, LINE_TOO_LONG, NOT_A_NUMBER, TOO_LARGE};
use crate::case::{Case, Family, Verdict};
use crate::stage::Stage;

const fn case(name: &'static str, play: fn(&Stage<'_>) -> Verdict) -> Case {
    Case::new(Family::BadLines, name, play)
}

pub(super) const CASES: &[Case] = &[
    case("an empty line is no number", empty),
    case("a sign makes it no number", signs),
    case("letters are no number", letters),
    case("hex, floats and exponents are no number", notations),
    case("two numbers in a line are no number", two_numbers),
    case("a NUL makes it no number", nul),
    case("a control character makes it no number", control_characters),
    case("a CR anywhere but before LF makes it no number", stray_cr),
    case("invalid UTF-8 is no number", invalid_utf8),
    case("digits of other scripts are no number", other_scripts),
    case("a number is too large, however many digits it has", many_digits),
    case("a number that wraps to a small one is too large", wrapping),
    case("a line of 64 bytes, LF included, is served", at_the_limit),
    case("a line of 65 bytes is too long", over_the_limit),
    case("a number of 1,000 digits is a line too long", thousand_digits),
    case("64 bytes without LF are told off before LF comes", before_lf),
    case("a line too long gets one reply, whatever it holds", one_reply),
    case("100 MB without LF are dropped in bounded memory", endless_line),
];

/// The longest line, its LF included.
const LINE_BYTES_MAX: usize = 64;

fn empty(stage: &Stage<'_>) -> Verdict {
    check(stage, NOT_A_NUMBER, ["\n", "\r\n", " \n", "\t\n", " \t \r\n"])
}

fn signs(stage: &Stage<'_>) -> Verdict {
    let lines =
        ["+1\n", "-1\n", "-0\n", "- 1\n", "1-\n", "--1\n", "+\n", "-\n"];
    check(stage, NOT_A_NUMBER, lines)
}

fn letters(stage: &Stage<'_>) -> Verdict {
    let lines =
        ["a\n", "ten\n", "10a\n", "a10\n", "fib(10)\n", "O\n", "quit\n"];
    check(stage, NOT_A_NUMBER, lines)
}

fn notations(stage: &Stage<'_>) -> Verdict {
    let lines = [
        "0x10\n", "10h\n", "0b1\n", "0o7\n", "1.0\n", "1.\n", ".5\n", "1e1\n",
        "1E1\n", "1_0\n", "1,000\n", "1'000\n", "10u8\n", "inf\n", "NaN\n",
    ];
    check(stage, NOT_A_NUMBER, lines)
}

fn two_numbers(stage: &Stage<'_>) -> Verdict {
    check(stage, NOT_A_NUMBER, ["1 2\n", "1\t2\n", "1;2\n", "1  1\n"])
}

fn nul(stage: &Stage<'_>) -> Verdict {
    check(stage, NOT_A_NUMBER, ["\0\n", "10\0\n", "\x0010\n", "1\x000\n"])
}

fn control_characters(stage: &Stage<'_>) -> Verdict {
    // Vertical tab and form feed are white space to many a library.
    let lines = ["\x0b10\n", "10\x0c\n", "10\x08\n", "\x1b[A\n", "10\x7f\n"];
    check(stage, NOT_A_NUMBER, lines)
}

fn stray_cr(stage: &Stage<'_>) -> Verdict {
    let lines = ["\r10\n", "1\r0\n", "10\r\r\n", "10\r \n", "10\r\t\r\n"];
    check(stage, NOT_A_NUMBER, lines)
}

fn invalid_utf8(stage: &Stage<'_>) -> Verdict {
    let lines: [&[u8]; 6] = [
        b"\xff\n",
        b"10\xff\n",
        b"\xc3\n",
        b"\xc0\xb1\n",
        b"\xed\xa0\x80\n",
        b"\xf4\x90\x80\x80\n",
    ];
    check(stage, NOT_A_NUMBER, lines)
}

fn other_scripts(stage: &Stage<'_>) -> Verdict {
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
    check(stage, NOT_A_NUMBER, lines)
}

fn many_digits(stage: &Stage<'_>) -> Verdict {
    let most = "9".repeat(LINE_BYTES_MAX - 1) + "\n";
    let lines = ["999\n", "18446744073709551615\n", "99999999999999999999\n"];
    check(stage, TOO_LARGE, [&lines[..], &[&most]].concat())
}

fn wrapping(stage: &Stage<'_>) -> Verdict {
    // 2^8, 2^16, 2^32, 2^64 and 2^128, and each plus one or ten.
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
    check(stage, TOO_LARGE, lines)
}

fn at_the_limit(stage: &Stage<'_>) -> Verdict {
    let server = stage.server(&[])?;
    let mut client = server.client()?;
    let zeros = format!("{:0>width$}\n", 10, width = LINE_BYTES_MAX - 1);
    let blanks = format!("{:>width$}\n", 10, width = LINE_BYTES_MAX - 1);
    let cr_lf = format!("{:0>width$}\r\n", 10, width = LINE_BYTES_MAX - 2);
    for line in [zeros, blanks, cr_lf] {
        assert_eq!(line.len(), LINE_BYTES_MAX);
        client.exchange(line.as_bytes(), Answer::Fib(10))?;
    }
    let words = format!("{:a>width$}\n", 10, width = LINE_BYTES_MAX - 1);
    client.exchange(words.as_bytes(), NOT_A_NUMBER)
}

fn over_the_limit(stage: &Stage<'_>) -> Verdict {
    let zeros = format!("{:0>width$}\n", 10, width = LINE_BYTES_MAX);
    let blanks = format!("{:>width$}\n", "", width = LINE_BYTES_MAX);
    let cr_lf = format!("{:0>width$}\r\n", 10, width = LINE_BYTES_MAX - 1);
    check(stage, LINE_TOO_LONG, [zeros, blanks, cr_lf])
}

fn thousand_digits(stage: &Stage<'_>) -> Verdict {
    let of = |digits: usize| "9".repeat(digits) + "\n";
    check(stage, LINE_TOO_LONG, [of(64), of(1_000), of(100_000)])
}

fn before_lf(stage: &Stage<'_>) -> Verdict {
    let server = stage.server(&[])?;
    let mut client = server.client()?;
    client.exchange(&[b'1'; LINE_BYTES_MAX], LINE_TOO_LONG)?;
    // What follows belongs to the same line and gets no reply of its own.
    client.send(b"10")?;
    client.send(&[b'1'; LINE_BYTES_MAX])?;
    client.send(b"\n")?;
    client.ask(10)
}

fn one_reply(stage: &Stage<'_>) -> Verdict {
    let server = stage.server(&[])?;
    let mut client = server.client()?;
    let long = [&[b'1'; 5 * LINE_BYTES_MAX + 3], &b"\r\0\xff 10\r\n"[..]];
    let requests =
        [&b"3\n"[..], &long.concat(), b"4\n", &long.concat(), b"5\n"];
    client.send(&requests.concat())?;
    client.expect_all([
        Answer::Fib(3),
        LINE_TOO_LONG,
        Answer::Fib(4),
        LINE_TOO_LONG,
        Answer::Fib(5),
    ])
}

fn endless_line(stage: &Stage<'_>) -> Verdict {
    const CHUNK_BYTES: usize = 1 << 20;
    const CHUNKS: usize = 100;
    const GROWTH_BYTES_MAX: u64 = 8 << 20;
    let server = stage.server(&[])?;
    let mut client = server.client()?;
    client.ask(10)?;
    let before = server.vitals();
    let chunk = vec![b'1'; CHUNK_BYTES];
    (0..CHUNKS).try_for_each(|_| client.send(&chunk))?;
    client.expect(LINE_TOO_LONG)?;
    client.exchange(b"\n10\n", Answer::Fib(10))?;
    server.expect_memory_bounded(before, GROWTH_BYTES_MAX)
}

/// Expects each line to get this error, and a good request after each to be
/// answered on the same connection; then the same with all of them at once.
fn check<L>(stage: &Stage<'_>, error: Answer, lines: L) -> Verdict
where
    L: IntoIterator,
    L::Item: AsRef<[u8]>,
{
    let server = stage.server(&[])?;
    let mut client = server.client()?;
    let mut all = Vec::new();
    let mut answers = Vec::new();
    for line in lines {
        let line = line.as_ref();
        client
            .exchange(line, error)
            .and_then(|()| client.ask(10))
            .map_err(|fault| fault.about(crate::client::show(line)))?;
        all.extend([line, b"10\n"].concat());
        answers.extend([error, Answer::Fib(10)]);
    }
    client.send(&all)?;
    client.expect_all(answers).map_err(|fault| fault.about("all at once"))
}
