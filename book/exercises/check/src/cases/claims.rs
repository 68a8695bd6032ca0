//! A judge of claims.

use conformance::{CaseFailure, CaseResult, check};

use crate::answer::Answer;
use crate::exercise::Case;

pub(crate) const CASES: &[Case] = &[
    Case::of_program(
        "a claim whose band holds all of the interval holds",
        "both ends of the interval must lie in the band",
        within,
    )
    .kept(),
    Case::of_program(
        "a claim whose band holds nothing of the interval is refuted",
        "an interval may lie below the band, or above it",
        outside,
    )
    .kept(),
    Case::of_program(
        "an interval that an edge of the band parts leaves the claim open",
        "the true ratio may be anywhere in it, and not only in its middle",
        across,
    ),
    Case::of_program(
        "an interval that is wider than the band leaves the claim open",
        "neither end lies in the band, and yet the true ratio may",
        wider,
    ),
    Case::of_program(
        "an interval that ends on an edge leaves the claim open",
        "only what is clear of the edge, on either side, is beyond doubt",
        on_the_edge,
    ),
];

fn within(answer: &Answer) -> CaseResult {
    expect(
        answer,
        "holds",
        &[
            ["1.9", "2.1", "1.7", "2.3"],
            ["2", "2", "1.7", "2.3"],
            ["0", "0.09", "-", "0.1"],
            ["0.81", "5", "0.8", "-"],
        ],
    )
}

fn outside(answer: &Answer) -> CaseResult {
    expect(
        answer,
        "refuted",
        &[
            ["1", "1.1", "1.7", "2.3"],
            ["2.4", "3", "1.7", "2.3"],
            ["0.11", "4", "-", "0.1"],
            ["0.1", "0.79", "0.8", "-"],
        ],
    )
}

fn across(answer: &Answer) -> CaseResult {
    expect(
        answer,
        "open",
        &[
            ["1.6", "1.9", "1.7", "2.3"],
            ["1.5", "1.8", "1.7", "2.3"],
            ["2.2", "2.6", "1.7", "2.3"],
            ["0.01", "0.12", "-", "0.1"],
            ["0.6", "0.9", "0.8", "-"],
        ],
    )
}

fn wider(answer: &Answer) -> CaseResult {
    expect(
        answer,
        "open",
        &[["1", "3", "1.7", "2.3"], ["0.1", "9", "1.7", "2.3"]],
    )
}

fn on_the_edge(answer: &Answer) -> CaseResult {
    expect(
        answer,
        "open",
        &[
            ["1.7", "2", "1.7", "2.3"],
            ["2", "2.3", "1.7", "2.3"],
            ["1", "1.7", "1.7", "2.3"],
            ["2.3", "3", "1.7", "2.3"],
            ["0.05", "0.1", "-", "0.1"],
            ["0.8", "1", "0.8", "-"],
        ],
    )
}

/// Expects a ruling on each of these: an interval, and a band.
fn expect(answer: &Answer, ruling: &str, asked: &[[&str; 4]]) -> CaseResult {
    for arguments in asked {
        let [low, high, at_least, at_most] = arguments;
        let of = format!("of {low} to {high}, in a band {at_least} {at_most}");
        let got = answer
            .run(arguments)
            .map_err(|fault| CaseFailure::new(format!("{fault}\n{of}")))?;
        check(got == [ruling], || {
            let got = got.join("\n");
            format!("expected {ruling}\ngot      {got}\n{of}")
        })?;
    }
    Ok(())
}
