//! Cases of the exercise `choosing`: what fits a loop, and what fits threads.

use conformance::{CaseFailure, CaseResult, check};

use crate::exercise::Case;
use crate::submission::Submission;

pub(crate) const CASES: &[Case] = &[
    Case::of_program(
        "threads share the computing of all classes among the cores",
        "utilisation: the sum of rate times seconds, divided by the cores",
        threads,
    )
    .starter_passes(),
    Case::of_program(
        "short requests fit both models on one core",
        "no class computes for longer than the limit",
        short,
    )
    .starter_passes(),
    Case::of_program(
        "a mix that needs more than one core is too much for a loop",
        "how many threads has an event loop that computes in place?",
        one_core,
    ),
    Case::of_program(
        "a loop is too slow if a single request computes for too long",
        "what does a short request wait for: a mean, or one long request?",
        one_long,
    ),
];

fn threads(submission: &Submission) -> CaseResult {
    // On two cores, the third class alone would fit, and so would the others.
    let mix = "100 0.004\n50 0.01\n200 0.0065\n";
    expect(submission, "0.02", "4", mix, "threads: fits 0.55")?;
    expect(submission, "0.02", "2", mix, "threads: too much 1.10")?;
    // The scheduler interrupts a long request, so it delays no short one.
    expect(
        submission,
        "0.01",
        "2",
        "1000 0.0001\n1 0.7\n",
        "threads: fits 0.40",
    )
}

fn short(submission: &Submission) -> CaseResult {
    let mix = "2000 0.0001\n300 0.0014\n";
    expect(submission, "0.01", "1", mix, "loop: fits 0.62")?;
    expect(submission, "0.01", "1", mix, "threads: fits 0.62")
}

fn one_core(submission: &Submission) -> CaseResult {
    let mix = "2000 0.0001\n300 0.0014\n";
    expect(submission, "0.01", "4", mix, "loop: fits 0.62")?;
    let mix = "2000 0.0002\n600 0.0014\n";
    expect(submission, "0.01", "2", mix, "loop: too much 1.24")?;
    expect(submission, "0.01", "2", mix, "threads: fits 0.62")
}

fn one_long(submission: &Submission) -> CaseResult {
    // Five of 2,005 requests are long: the mean is a quarter of a millisecond.
    let mix = "2000 0.0001\n5 0.062\n";
    expect(submission, "0.01", "1", mix, "loop: too slow 0.51")?;
    expect(submission, "0.01", "1", mix, "threads: fits 0.51")?;
    expect(submission, "0.1", "1", mix, "loop: fits 0.51")
}

/// Expects the submission to print `line` for a mix.
fn expect(
    submission: &Submission,
    limit: &str,
    cores: &str,
    mix: &str,
    line: &str,
) -> CaseResult {
    let input = format!("for a limit of {limit} s, {cores} cores and\n{mix}");
    let got = submission
        .run_on(&[limit, cores], mix)
        .map_err(|fault| CaseFailure::new(format!("{fault}\n{input}")))?;
    check(got.iter().any(|got| got == line), || {
        let got = got.join("\n         ");
        format!("expected {line}\ngot      {got}\n{input}")
    })
}
