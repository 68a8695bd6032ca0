//! A server of the reader's own, entered as a contestant.

use std::fs::{self, File};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use conformance::{CaseFailure, CaseResult, check};
use launch::Launch;

use crate::answer::{self, Answer, NOWHERE};
use crate::exercise::Case;

pub(crate) const CASES: &[Case] = &[
    Case::of_program(
        "it is started so that it serves, and its numbers are right",
        "what does server.py expect behind its name, and what is it given?",
        serves,
    )
    .fails_by("the server ended before it was ready"),
    Case::of_program(
        "it is not asked to understand flags",
        "our servers have many; an entry says which of them its server has",
        no_flags,
    )
    .fails_by("answers: max-n"),
    Case::of_program(
        "it is held to all of the protocol that it keeps",
        "who claims no family is asked nothing: `families` is what it keeps",
        claims_much,
    )
    .kept(),
    Case::of_program(
        "it is not blamed for what it does not claim",
        "server.py says at its top what it does not do",
        claims_no_more,
    )
    .fails_by("expected exit code 0"),
];

/// The suite waits up to ten seconds for what does not come, and again.
const PATIENCE: Duration = Duration::from_secs(60);

/// A case of the family that every server claims.
const EVERY_N: &str = "every n from 0";

/// How many lines of what the suite says are shown.
const LINES_SHOWN: usize = 12;

fn serves(answer: &Answer) -> CaseResult {
    passes(&Entry::of(answer)?, EVERY_N, 1)
}

fn no_flags(answer: &Answer) -> CaseResult {
    passes(&Entry::started(answer)?, "max-n", 0)
}

fn claims_much(answer: &Answer) -> CaseResult {
    let entry = Entry::started(answer)?;
    let of_each_family = [
        EVERY_N,
        "letters get",
        "good and bad lines mixed",
        "unfinished last line",
        "keep others from being served",
    ];
    of_each_family.into_iter().try_for_each(|only| passes(&entry, only, 1))
}

fn claims_no_more(answer: &Answer) -> CaseResult {
    let entry = Entry::started(answer)?;
    let of_no_family =
        ["SIGINT", "no thread can be started", "without a newline"];
    of_no_family.into_iter().try_for_each(|only| passes(&entry, only, 0))
}

/// A file of contestants.
struct Entry {
    path: String,
    /// It, where it is not the reader's own.
    _file: Option<File>,
}

impl Entry {
    /// The reader's own.
    fn of(answer: &Answer) -> CaseResult<Entry> {
        let path = fs::canonicalize(answer.file()).map_err(|error| {
            CaseFailure::new(format!(
                "expected a file of contestants\ngot      {answer}: {error}"
            ))
        })?;
        let path = path.to_string_lossy().into_owned();
        Ok(Entry { path, _file: None })
    }

    /// The same, where it can be started; else one in which an address is a
    /// port. How it is started is one lesson, and what it claims is another.
    fn started(answer: &Answer) -> CaseResult<Entry> {
        let entry = Entry::of(answer)?;
        let text = fs::read_to_string(&entry.path)?;
        if !text.contains("{addr}") || verify(&entry, EVERY_N)?.0 {
            return Ok(entry);
        }
        let text = text.replace("{addr}", "{port}");
        let (file, path) = answer::file_of_text(&text)?;
        Ok(Entry { path, _file: Some(file) })
    }
}

/// Expects the contestants to pass so many, at least, of the cases that have
/// this in their name, and to fail none.
fn passes(entry: &Entry, only: &str, at_least: usize) -> CaseResult {
    let (is_success, lines) = verify(entry, only)?;
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

/// Whether `compare verify` is content with the contestants of an entry, and
/// what it says.
fn verify(entry: &Entry, only: &str) -> CaseResult<(bool, Vec<String>)> {
    /// In the workspace, where the paths of a contestant's command begin.
    const IN_FOLDER: &str = "cd \"$0\" && exec \"$@\"";
    static COMPARE: OnceLock<Result<String, String>> = OnceLock::new();
    let compare = COMPARE.get_or_init(|| {
        let built = answer::build("compare");
        built.map_err(|error| format!("{error:#}"))
    });
    let compare = compare.as_ref().map_err(CaseFailure::new)?;
    let workspace = answer::workspace().to_string_lossy();
    let launch = Launch::new(["sh", "-c", IN_FOLDER, &workspace, compare])
        .args(["verify", "--quiet", "--contestants", &entry.path])
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
        return Err(CaseFailure::new(
            "expected a verdict in a minute\ngot      none",
        ));
    };
    let start = lines.iter().position(|line| passed(line).is_some());
    match start {
        Some(start) => Ok((status.success(), lines.split_off(start))),
        None => Ok((status.success(), process.log())),
    }
}
