//! Cases of the exercise `claims`: a judge of claims.

use conformance::{CaseFailure, CaseResult, check};

use crate::exercise::Case;
use crate::submission::Submission;

pub(crate) const CASES: &[Case] = &[
    Case::of_program(
        "a claim holds if its band contains all of the interval",
        "both ends of the interval must be in the band",
        within,
    )
    .starter_passes(),
    Case::of_program(
        "a claim is refuted if its band contains nothing of the interval",
        "an interval may be below the band or above it",
        outside,
    )
    .starter_passes(),
    Case::of_program(
        "a claim is open if an edge of its band is inside the interval",
        "the true ratio may be anywhere in the interval, not only mid-way",
        across,
    ),
    Case::of_program(
        "a claim is open if the interval is wider than its band",
        "neither end is in the band, but the true ratio may be",
        wider,
    ),
    Case::of_program(
        "a claim is open if the interval ends on an edge of its band",
        "only an interval that doesn't touch the edge is clearly on one side",
        on_the_edge,
    ),
];

fn within(submission: &Submission) -> CaseResult {
    expect(
        submission,
        "holds",
        &[
            ["1.9", "2.1", "1.7", "2.3"],
            ["2", "2", "1.7", "2.3"],
            ["0", "0.09", "-", "0.1"],
            ["0.81", "5", "0.8", "-"],
        ],
    )
}

fn outside(submission: &Submission) -> CaseResult {
    expect(
        submission,
        "refuted",
        &[
            ["1", "1.1", "1.7", "2.3"],
            ["2.4", "3", "1.7", "2.3"],
            ["0.11", "4", "-", "0.1"],
            ["0.1", "0.79", "0.8", "-"],
        ],
    )
}

fn across(submission: &Submission) -> CaseResult {
    expect(
        submission,
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

fn wider(submission: &Submission) -> CaseResult {
    expect(
        submission,
        "open",
        &[["1", "3", "1.7", "2.3"], ["0.1", "9", "1.7", "2.3"]],
    )
}

fn on_the_edge(submission: &Submission) -> CaseResult {
    expect(
        submission,
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

/// Expects a ruling for each list of arguments: an interval and a band.
fn expect(
    submission: &Submission,
    ruling: &str,
    cases: &[[&str; 4]],
) -> CaseResult {
    for arguments in cases {
        let [low, high, at_least, at_most] = arguments;
        let input = format!(
            "for the interval {low} to {high} and the band {at_least} to \
             {at_most}"
        );
        let got = submission
            .run(arguments)
            .map_err(|fault| CaseFailure::new(format!("{fault}\n{input}")))?;
        check(got == [ruling], || {
            let got = got.join("\n");
            format!("expected {ruling}\ngot      {got}\n{input}")
        })?;
    }
    Ok(())
}
