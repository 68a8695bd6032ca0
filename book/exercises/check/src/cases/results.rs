//! Who is better, in nine rounds.

use conformance::{CaseFailure, CaseResult, check};

use crate::answer::Answer;
use crate::exercise::Case;

pub(crate) const CASES: &[Case] = &[
    Case::of_program(
        "who is better by a tenth is named, on a steady machine",
        "the order of the rates must not matter: A may be the better, or B",
        steady,
    )
    .kept(),
    Case::of_program(
        "who is better by three per cent is named, where that is certain",
        "the noise floor is two per cent, and no round says otherwise",
        certain,
    )
    .kept(),
    Case::of_program(
        "twins tie, on a machine that slows down in the midst of a round",
        "in which round was A's median measured, and in which one B's?",
        drifting_twins,
    )
    .fails_by("expected tie\ngot      A"),
    Case::of_program(
        "who is better by a tenth is named, although the machine slows down",
        "compare what was measured at about the same time",
        drifting,
    )
    .fails_by("expected B\ngot      A"),
    Case::of_program(
        "twins tie, however much a round differs from the next",
        "what else could the median have been, had the rounds been others?",
        jitter,
    )
    .fails_by("expected tie\ngot      A"),
    Case::of_program(
        "who is better by one per cent is not called better",
        "a difference can be certain, and still be less than two twins differ",
        below_the_floor,
    )
    .kept(),
];

type Rounds = [[f64; 2]; 9];

fn steady(answer: &Answer) -> CaseResult {
    expect(
        answer,
        "A",
        &[
            [110.2, 100.1],
            [109.4, 99.2],
            [111.0, 100.8],
            [110.6, 100.3],
            [108.9, 99.6],
            [110.1, 99.9],
            [109.7, 100.5],
            [110.9, 100.0],
            [109.5, 99.4],
        ],
    )
}

/// Little, but in each round.
fn certain(answer: &Answer) -> CaseResult {
    expect(
        answer,
        "A",
        &[
            [103.1, 100.0],
            [102.8, 99.9],
            [103.3, 100.1],
            [103.0, 100.2],
            [103.2, 99.8],
            [102.9, 100.0],
            [103.4, 100.1],
            [103.0, 99.9],
            [103.1, 100.1],
        ],
    )
}

/// The machine slows down by 40 per cent between A and B of the fifth round.
fn drifting_twins(answer: &Answer) -> CaseResult {
    expect(
        answer,
        "tie",
        &[
            [100.3, 99.8],
            [99.6, 100.2],
            [100.9, 100.1],
            [99.9, 100.6],
            [100.2, 60.3],
            [60.1, 59.8],
            [59.7, 60.4],
            [60.5, 60.0],
            [59.9, 60.2],
        ],
    )
}

/// So it does here.
fn drifting(answer: &Answer) -> CaseResult {
    expect(
        answer,
        "B",
        &[
            [100.3, 110.1],
            [99.6, 110.4],
            [100.9, 110.2],
            [99.9, 109.6],
            [100.2, 66.3],
            [60.1, 66.2],
            [59.7, 65.8],
            [60.5, 66.4],
            [59.9, 66.0],
        ],
    )
}

/// Five rounds for A, four for B, and more than two per cent in the middle;
/// then more than ten per cent, in rounds that differ by more.
fn jitter(answer: &Answer) -> CaseResult {
    expect(
        answer,
        "tie",
        &[
            [97.0, 104.0],
            [104.0, 100.0],
            [110.0, 101.0],
            [95.0, 103.0],
            [112.0, 99.0],
            [99.0, 105.0],
            [108.0, 102.0],
            [96.0, 100.5],
            [106.0, 98.0],
        ],
    )?;
    expect(
        answer,
        "tie",
        &[
            [112.0, 100.0],
            [85.0, 101.0],
            [119.0, 99.0],
            [91.0, 101.0],
            [127.0, 100.0],
            [80.0, 98.0],
            [114.0, 99.0],
            [96.0, 102.0],
            [125.0, 101.0],
        ],
    )
}

fn below_the_floor(answer: &Answer) -> CaseResult {
    expect(
        answer,
        "tie",
        &[
            [101.1, 100.0],
            [100.9, 100.0],
            [101.0, 100.1],
            [101.2, 100.1],
            [100.8, 99.9],
            [101.0, 99.9],
            [101.1, 100.2],
            [100.9, 99.8],
            [101.0, 100.0],
        ],
    )
}

/// Expects a verdict on the rounds; and the reverse, where A and B have changed
/// places.
fn expect(answer: &Answer, better: &str, rounds: &Rounds) -> CaseResult {
    expect_one(answer, better, rounds)?;
    let reverse = match better {
        "A" => "B",
        "B" => "A",
        other => other,
    };
    expect_one(answer, reverse, &rounds.map(|[a, b]| [b, a]))
}

fn expect_one(answer: &Answer, better: &str, rounds: &Rounds) -> CaseResult {
    let lines = rounds.iter().map(|[a, b]| format!("{a} {b}\n"));
    let text: String = lines.collect();
    let got = answer
        .run_on(&[], &text)
        .map_err(|fault| CaseFailure::new(format!("{fault}\nof\n{text}")))?;
    check(got == [better], || {
        let got = got.join("\n");
        format!("expected {better}\ngot      {got}\nof\n{text}")
    })
}
