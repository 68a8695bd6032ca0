//! A server of the reader's own, entered as a contestant.

use std::fs;
use std::time::{Duration, Instant};

use conformance::{Fault, Verdict, check};
use launch::Launch;

use crate::answer::{self, Answer, NOWHERE};
use crate::exercise::Case;

pub(crate) const CASES: &[Case] = &[
    Case::of_program(
        "it is started so that it serves, and its numbers are right",
        "what does server.py expect behind its name, and what is it given?",
        serves,
    ),
    Case::of_program(
        "it is not asked to understand flags",
        "our servers have many; an entry says which of them its server has",
        no_flags,
    ),
    Case::of_program(
        "it is held to the protocol, in lines that are none and at the end",
        "who claims no family is asked nothing: `families` is what it keeps",
        claims_much,
    ),
    Case::of_program(
        "it is not blamed for what it does not claim",
        "server.py says at its top what it does not do",
        claims_no_more,
    ),
];

/// The suite waits up to ten seconds for what does not come, and again.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many lines of what the suite says are shown.
const LINES_SHOWN: usize = 12;

fn serves(answer: &Answer) -> Verdict {
    passes(answer, "every n from 0", 1)
}

fn no_flags(answer: &Answer) -> Verdict {
    passes(answer, "max-n", 0)
}

fn claims_much(answer: &Answer) -> Verdict {
    passes(answer, "letters are no number", 1)?;
    passes(answer, "unfinished last line", 1)
}

fn claims_no_more(answer: &Answer) -> Verdict {
    passes(answer, "SIGINT", 0)?;
    passes(answer, "given no thread", 0)?;
    passes(answer, "without a newline", 0)
}

/// Expects the contestants to pass so many, at least, of the cases that have
/// this in their name, and to fail none.
fn passes(answer: &Answer, only: &str, at_least: usize) -> Verdict {
    let (is_success, lines) = verify(answer, only)?;
    let passed: Vec<usize> =
        lines.iter().filter_map(|line| passed(line)).collect();
    let is_enough =
        !passed.is_empty() && passed.iter().all(|&count| count >= at_least);
    check(is_success && is_enough, || {
        let enough = match at_least {
            0 => String::new(),
            count => format!(", and {count} to pass"),
        };
        let shown = &lines[..lines.len().min(LINES_SHOWN)];
        format!(
            "expected no case of `verify --only '{only}'` to fail{enough}\n\
             got\n{}",
            shown.join("\n")
        )
    })
}

/// How many cases a contestant passed, if the line tells that: `mine: 6
/// passed, 0 failed, …`.
fn passed(line: &str) -> Option<usize> {
    let (before, _) = line.split_once(" passed, ")?;
    before.rsplit_once(": ")?.1.parse().ok()
}

/// Whether `compare verify` is content with the contestants that the answer
/// enters, and what it says.
fn verify(answer: &Answer, only: &str) -> Verdict<(bool, Vec<String>)> {
    /// In the workspace, where the paths of a contestant's command begin.
    const IN_FOLDER: &str = "cd \"$0\" && exec \"$@\"";
    let file = fs::canonicalize(answer.file()).map_err(|error| {
        Fault::new(format!(
            "expected a file of contestants\ngot      {answer}: {error}"
        ))
    })?;
    let compare = answer::build("compare", "compare")
        .map_err(|error| Fault::new(format!("{error:#}")))?;
    let workspace = answer::workspace().to_string_lossy();
    let launch = Launch::new(["sh", "-c", IN_FOLDER, &workspace, &compare])
        .args(["verify", "--quiet", "--contestants", &file.to_string_lossy()])
        .args(["--only", only]);
    let mut process = launch.spawn(NOWHERE)?;
    let deadline = Instant::now() + PATIENCE;
    let left = || deadline.saturating_duration_since(Instant::now());
    let mut lines = Vec::new();
    while let Some(line) = process.stdout_line(left()) {
        // The table comes first; what is said of each contestant, behind it.
        lines.push(line.trim_end().to_owned());
    }
    let Some(status) = process.wait(left()) else {
        return Err(Fault::new(
            "expected a verdict in a minute\ngot      none",
        ));
    };
    let start = lines.iter().position(|line| passed(line).is_some());
    match start {
        Some(start) => Ok((status.success(), lines.split_off(start))),
        None => Ok((status.success(), process.log())),
    }
}
