//! What fits a loop, and what fits threads.

use conformance::{CaseFailure, CaseResult, check};

use crate::answer::Answer;
use crate::exercise::Case;

pub(crate) const CASES: &[Case] = &[
    Case::of_program(
        "what all classes compute together is what threads share",
        "utilisation: the rate of each class by its time, summed, by the cores",
        threads,
    )
    .kept(),
    Case::of_program(
        "short requests fit either, on one core",
        "nothing there computes for long",
        short,
    )
    .kept(),
    Case::of_program(
        "a loop is too much from where it needs more than one core",
        "how many threads has an event loop that computes in place?",
        one_core,
    ),
    Case::of_program(
        "a loop is too slow where one request alone computes for too long",
        "whom does a short request wait for? A mean has never been in the way",
        one_long,
    ),
];

fn threads(answer: &Answer) -> CaseResult {
    // The third class alone would fit, and so would the others.
    let mix = "100 0.004\n50 0.01\n200 0.0065\n";
    expect(answer, "0.02", "4", mix, "threads: fits 0.55")?;
    expect(answer, "0.02", "2", mix, "threads: too much 1.10")?;
    // Whoever is interrupted is in nobody's way.
    expect(answer, "0.01", "2", "1000 0.0001\n1 0.7\n", "threads: fits 0.40")
}

fn short(answer: &Answer) -> CaseResult {
    let mix = "2000 0.0001\n300 0.0014\n";
    expect(answer, "0.01", "1", mix, "loop: fits 0.62")?;
    expect(answer, "0.01", "1", mix, "threads: fits 0.62")
}

fn one_core(answer: &Answer) -> CaseResult {
    let mix = "2000 0.0001\n300 0.0014\n";
    expect(answer, "0.01", "4", mix, "loop: fits 0.62")?;
    let mix = "2000 0.0002\n600 0.0014\n";
    expect(answer, "0.01", "2", mix, "loop: too much 1.24")?;
    expect(answer, "0.01", "2", mix, "threads: fits 0.62")
}

fn one_long(answer: &Answer) -> CaseResult {
    // Of 2,005 requests, five are long: the mean is a quarter of a millisecond.
    let mix = "2000 0.0001\n5 0.062\n";
    expect(answer, "0.01", "1", mix, "loop: too slow 0.51")?;
    expect(answer, "0.01", "1", mix, "threads: fits 0.51")?;
    expect(answer, "0.1", "1", mix, "loop: fits 0.51")
}

/// Expects a line to be among those that are said of a mix.
fn expect(
    answer: &Answer,
    limit: &str,
    cores: &str,
    mix: &str,
    line: &str,
) -> CaseResult {
    let of = format!("of a limit of {limit} s, {cores} cores and\n{mix}");
    let got = answer
        .run_on(&[limit, cores], mix)
        .map_err(|fault| CaseFailure::new(format!("{fault}\n{of}")))?;
    check(got.iter().any(|got| got == line), || {
        let got = got.join("\n         ");
        format!("expected {line}\ngot      {got}\n{of}")
    })
}
