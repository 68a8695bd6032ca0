//! Cases of the exercise `results`: which of two servers is faster, by nine
//! rounds.

use conformance::{CaseFailure, CaseResult, check};

use crate::exercise::Case;
use crate::submission::Submission;

pub(crate) const CASES: &[Case] = &[
    Case::of_program(
        "a server that is 10 % faster is found on a steady machine",
        "the order must not matter: A may be the faster one, or B",
        steady,
    )
    .starter_passes(),
    Case::of_program(
        "a server that is 3 % faster is found if every round agrees",
        "the margin is 2 %, and no round contradicts the difference",
        certain,
    )
    .starter_passes(),
    Case::of_program(
        "neither of two equal servers is named if the machine slows down",
        "in which round was A's median measured, and in which round B's?",
        drifting_twins,
    )
    .fails_with("expected neither\ngot      A"),
    Case::of_program(
        "a server that is 10 % faster is found if the machine slows down",
        "compare rates that were measured at about the same time",
        drifting,
    )
    .fails_with("expected B\ngot      A"),
    Case::of_program(
        "neither of two equal servers is named, however much the rounds differ",
        "what else could the median be if the servers ran nine other rounds?",
        jitter,
    )
    .fails_with("expected neither\ngot      A"),
    Case::of_program(
        "a server that is 1 % faster is not called faster",
        "a certain difference can still be within the margin",
        within_the_margin,
    )
    .starter_passes(),
];

type Rounds = [[f64; 2]; 9];

fn steady(submission: &Submission) -> CaseResult {
    expect(
        submission,
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

/// A small difference, but the same in each round.
fn certain(submission: &Submission) -> CaseResult {
    expect(
        submission,
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
fn drifting_twins(submission: &Submission) -> CaseResult {
    expect(
        submission,
        "neither",
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

/// The machine slows down as in [`drifting_twins`].
fn drifting(submission: &Submission) -> CaseResult {
    expect(
        submission,
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

/// A is faster in five rounds and B in four. The medians differ by more than
/// 2 %, then by more than 10 % in rounds that differ more.
fn jitter(submission: &Submission) -> CaseResult {
    expect(
        submission,
        "neither",
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
        submission,
        "neither",
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

fn within_the_margin(submission: &Submission) -> CaseResult {
    expect(
        submission,
        "neither",
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

/// Expects a verdict on the rounds, and the opposite verdict after A and B have
/// been swapped.
fn expect(
    submission: &Submission,
    faster: &str,
    rounds: &Rounds,
) -> CaseResult {
    expect_one(submission, faster, rounds)?;
    let reverse = match faster {
        "A" => "B",
        "B" => "A",
        other => other,
    };
    expect_one(submission, reverse, &rounds.map(|[a, b]| [b, a]))
}

fn expect_one(
    submission: &Submission,
    faster: &str,
    rounds: &Rounds,
) -> CaseResult {
    let lines = rounds.iter().map(|[a, b]| format!("{a} {b}\n"));
    let text: String = lines.collect();
    let got = submission
        .run_on(&[], &text)
        .map_err(|fault| CaseFailure::new(format!("{fault}\nfor\n{text}")))?;
    check(got == [faster], || {
        let got = got.join("\n");
        format!("expected {faster}\ngot      {got}\nfor\n{text}")
    })
}
