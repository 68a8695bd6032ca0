//! The protocol's rules, as received bytes and expected replies.

use proptest::prelude::*;
use protocol::{
    BUFFER_BYTES_MAX, BUFFER_BYTES_MIN, Conversation, Framing, N_MAX_DEFAULT,
    Step, fib,
};

/// Every rule of the protocol: what a client sends, and what it receives.
#[test]
fn requests_get_the_replies_that_the_protocol_promises() {
    let not_a_number = "error: not-a-number\n";
    let too_large = "error: too-large: n must be at most 45\n";
    let too_long = "error: line-too-long\n";

    // The form of a request.
    check("10\n", "55\n");
    check("0\n1\n2\n", "0\n1\n1\n");
    check("10\r\n", "55\n");
    check(" \t10\t \r\n", "55\n");
    check("0010\n", "55\n");
    check(format!("{}10\n", "0".repeat(61)), "55\n");

    // Malformed requests.
    for line in [
        "", " ", "\t", "\r", "-1", "+1", "x", "1x", "x1", "0x10", "1e1", "1.0",
        "1,0", "1 0", "1\t0", "1\0", "\0", "1\r\r", "1\r ", "\x0b1", "\u{661}",
        "\u{ff11}", "é",
    ] {
        check(format!("{line}\n10\n"), &format!("{not_a_number}55\n"));
    }
    check(b"\xff\xfe\n10\n", &format!("{not_a_number}55\n"));

    // Numbers above the limit, of any number of digits.
    for digits in [2, 3, 5, 20, 63] {
        let nines = "9".repeat(digits);
        check(format!("{nines}\n10\n"), &format!("{too_large}55\n"));
    }
    for n in ["46", "93", "94", "255", "256", "257", "301", "65546"] {
        check(format!("{n}\n10\n"), &format!("{too_large}55\n"));
    }

    // The longest line: 64 bytes, including its LF.
    check(format!("{}1\n10\n", " ".repeat(62)), "1\n55\n");
    for bytes in [64, 65, 128, 255, 256, 257, 1_000, 100_000] {
        let line = "1".repeat(bytes);
        check(format!("{line}\n10\n"), &format!("{too_long}55\n"));
        check(&line, too_long);
    }

    // The end of input: a last line without LF is dropped.
    check("", "");
    check("10\n1", "55\n");
    check("1", "");
    check("\n", not_a_number);

    // Pipelining: one reply per request, in order.
    check("1\n".repeat(1_000), &"1\n".repeat(1_000));
    check(
        "25\nx\n0\n99\n1\n",
        &format!("75025\n{not_a_number}0\n{too_large}1\n"),
    );
}

#[test]
fn no_n_above_n_max_is_computed() {
    check_with(
        Framing::Line,
        20,
        &[b"20\n21\n"],
        concat!("6765\n", "error: too-large: n must be at most 20\n",),
    );
    check_with(
        Framing::Line,
        0,
        &[b"0\n1\n"],
        "0\nerror: too-large: n must be at most 0\n",
    );
}

#[test]
fn in_talk_framing_each_read_is_a_request() {
    check_with(Framing::Talk, 45, &[b"30", b"1"], "832040\n1\n");
    check_with(Framing::Talk, 45, &[b" 10 \r\n"], "55\n");
    check_with(Framing::Talk, 45, &[b"1\n2\n"], "error: not-a-number\n");
    check_with(Framing::Talk, 45, &[b" "], "error: not-a-number\n");
    check_with(Framing::Talk, 45, &[&[b'1'; 65]], "error: line-too-long\n");
    check_with(
        Framing::Talk,
        45,
        &[&[b'1'; 65], b"1"],
        concat!("error: line-too-long\n", "1\n",),
    );
}

#[test]
fn no_input_is_wanted_while_output_is_pending() {
    let mut conversation = Conversation::new(Framing::Line, 45);
    feed(&mut conversation, b"1\n");
    let Step::Compute(request) = conversation.next_step() else { panic!() };
    conversation.reply(request.compute());
    for _ in 0..2 {
        assert_eq!(conversation.next_step(), Step::Write(b"1\n"));
    }
    conversation.sent(1);
    assert_eq!(conversation.next_step(), Step::Write(b"\n"));
    conversation.sent(1);
    assert!(matches!(conversation.next_step(), Step::Read(_)));
}

#[test]
fn a_finished_reply_does_not_wait_for_a_long_request() {
    let mut conversation = Conversation::new(Framing::Line, 45);
    feed(&mut conversation, b"1\n2\n30\n");
    for _ in 0..2 {
        let Step::Compute(request) = conversation.next_step() else {
            panic!("short requests are answered together")
        };
        conversation.reply(request.compute());
    }
    assert_eq!(conversation.next_step(), Step::Write(b"1\n1\n"));
    conversation.sent(4);
    assert!(matches!(conversation.next_step(), Step::Compute(_)));
}

#[test]
fn the_steady_state_allocates_nothing() {
    let mut conversation = Conversation::new(Framing::Line, 45);
    let mut rounds = |count: usize| {
        for _ in 0..count {
            feed(&mut conversation, b"1\n20\nx\n99\n");
            let replies = drain(&mut conversation, |_| ());
            assert!(replies > 0);
        }
    };
    rounds(10);
    let allocations = allocation_counter::measure(|| rounds(1_000));
    assert_eq!(allocations.count_total, 0);
}

#[test]
fn the_buffers_grow_and_shrink_with_the_size_of_reads() {
    let mut conversation = Conversation::new(Framing::Line, 45);
    let requests = b"1\n".repeat(BUFFER_BYTES_MAX / 2);
    let mut sends_of_a_read = || {
        let count = feed(&mut conversation, &requests);
        let mut sends = 0;
        drain(&mut conversation, |_| sends += 1);
        (count, sends)
    };
    assert_eq!(sends_of_a_read().0, BUFFER_BYTES_MIN);
    for _ in 0..3 {
        assert_eq!(sends_of_a_read(), (BUFFER_BYTES_MAX, 2));
    }
    let steady = allocation_counter::measure(|| {
        for _ in 0..100 {
            feed(&mut conversation, &requests);
            drain(&mut conversation, |_| ());
        }
    });
    assert_eq!(steady.count_total, 0);
    feed(&mut conversation, b"1\n");
    drain(&mut conversation, |_| ());
    assert_eq!(feed(&mut conversation, &requests), BUFFER_BYTES_MIN);
}

// `PROPTEST_CASES=1000000 cargo test --release -p protocol` tries more inputs.
proptest! {
    #[test]
    fn splitting_the_input_anywhere_changes_nothing(
        input in prop_oneof![
            4 => lines(),
            1 => prop::collection::vec(any::<u8>(), 0..2_000),
        ],
        cuts in prop::collection::vec(1..80_usize, 1..60),
    ) {
        let whole = replies(Framing::Line, N, &[&input]);
        let mut rest = &input[..];
        let mut pieces = Vec::new();
        for cut in cuts {
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            if !piece.is_empty() {
                pieces.push(piece);
            }
            rest = after;
        }
        pieces.extend(rest.chunks(1));
        prop_assert_eq!(replies(Framing::Line, N, &pieces), whole);
    }

    #[test]
    fn a_naive_implementation_gives_the_same_replies(input in lines()) {
        let expected = naive::replies(&input, N);
        let actual = replies(Framing::Line, N, &[&input]);
        prop_assert_eq!(
            String::from_utf8(actual).unwrap(),
            expected,
        );
    }

    #[test]
    fn random_bytes_get_the_replies_of_the_naive_implementation(
        input in prop::collection::vec(any::<u8>(), 0..2_000),
    ) {
        let actual = replies(Framing::Line, N, &[&input]);
        prop_assert_eq!(
            String::from_utf8(actual).unwrap(),
            naive::replies(&input, N),
        );
    }
}

/// The limit in property tests: with a higher one they would take long.
const N: u8 = 15;

/// Generates bytes that are often requests, nearly requests, or too long.
fn lines() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        4 => "[ \t]{0,3}[0-9]{1,3}[ \t]{0,3}\r?\n",
        2 => "[ \t\r0-9x.+-]{0,6}\n",
        1 => "[0-9 ]{55,70}\n",
        1 => "[0-9]{1,300}\n?",
        1 => "\\PC{0,20}\n",
    ];
    prop::collection::vec(line, 0..30)
        .prop_map(|lines| lines.concat().into_bytes())
}

/// The protocol again, simple and slow, on the complete input.
mod naive {
    use super::fib;

    pub(crate) fn replies(input: &[u8], n_max: u8) -> String {
        let mut replies = String::new();
        let mut lines: Vec<&[u8]> = input.split(|&b| b == b'\n').collect();
        let unfinished = lines.pop().unwrap_or_default();
        for line in lines {
            replies += &reply(line, n_max);
        }
        if unfinished.len() >= 64 {
            replies += "error: line-too-long\n";
        }
        replies
    }

    fn reply(line: &[u8], n_max: u8) -> String {
        if line.len() >= 64 {
            return "error: line-too-long\n".into();
        }
        let text = String::from_utf8_lossy(line);
        let text = text.strip_suffix('\r').unwrap_or(&text);
        let text = text.trim_matches([' ', '\t']);
        if text.is_empty() || !text.chars().all(|c| c.is_ascii_digit()) {
            return "error: not-a-number\n".into();
        }
        match text.parse::<u128>() {
            Ok(n) if n <= n_max.into() => format!("{}\n", fib(n as u8)),
            _ => format!("error: too-large: n must be at most {n_max}\n"),
        }
    }
}

#[track_caller]
fn check(input: impl AsRef<[u8]>, expected: &str) {
    check_with(Framing::Line, N_MAX_DEFAULT, &[input.as_ref()], expected);
}

#[track_caller]
fn check_with(framing: Framing, n_max: u8, reads: &[&[u8]], expected: &str) {
    let actual = replies(framing, n_max, reads);
    let sent: Vec<_> = reads.iter().map(|read| read.escape_ascii()).collect();
    assert_eq!(
        String::from_utf8_lossy(&actual),
        expected,
        "sent: {}",
        sent.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | "),
    );
}

/// Returns all replies to a client that sends `reads` and then closes.
fn replies(framing: Framing, n_max: u8, reads: &[&[u8]]) -> Vec<u8> {
    let mut conversation = Conversation::new(framing, n_max);
    let mut replies = Vec::new();
    for read in reads {
        let mut rest = *read;
        while !rest.is_empty() {
            let count = feed(&mut conversation, rest);
            rest = &rest[count..];
            drain(&mut conversation, |bytes| replies.extend(bytes));
        }
    }
    conversation.received(0);
    drain(&mut conversation, |bytes| replies.extend(bytes));
    assert_eq!(conversation.next_step(), Step::Close);
    replies
}

/// Passes as much of `input` as fits into one read to the conversation, which
/// must be waiting for input. Returns the number of bytes.
fn feed(conversation: &mut Conversation, input: &[u8]) -> usize {
    let Step::Read(space) = conversation.next_step() else {
        panic!("not reading")
    };
    let count = space.len().min(input.len());
    assert_ne!(count, 0, "no space to read into");
    space[..count].copy_from_slice(&input[..count]);
    conversation.received(count);
    count
}

/// Does what a server does, until the conversation wants input or ends.
/// Returns the number of bytes sent.
fn drain(
    conversation: &mut Conversation,
    mut send: impl FnMut(&[u8]),
) -> usize {
    let mut total = 0;
    loop {
        let count = match conversation.next_step() {
            Step::Compute(request) => {
                conversation.reply(request.compute());
                continue;
            }
            Step::Write(bytes) => {
                send(bytes);
                bytes.len()
            }
            Step::Read(_) | Step::Close => return total,
        };
        conversation.sent(count);
        total += count;
    }
}
