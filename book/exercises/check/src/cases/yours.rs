//! Cases of the exercise `yours`: the reader's own server as a contestant.

use std::fs::{self, File};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use conformance::{CaseFailure, CaseResult, check};
use launch::Launch;

use crate::exercise::Case;
use crate::submission::{self, NO_ADDRESS, Submission};

pub(crate) const CASES: &[Case] = &[
    Case::of_program(
        "the server is started so that it serves, and its numbers are right",
        "which argument does server.py expect, and which one does it get?",
        serves,
    )
    .fails_with("the server ended before it was ready"),
    Case::of_program(
        "the suite starts the server without flags",
        "the ten servers have many flags; an entry lists those that its \
         server has",
        no_flags,
    )
    .fails_with("answers: max-n"),
    Case::of_program(
        "the suite checks every part of the protocol that the server keeps",
        "with `families = []`, the suite checks nothing: list the families \
         that the server keeps",
        claims_much,
    )
    .starter_passes(),
    Case::of_program(
        "the suite checks nothing that the server doesn't claim",
        "the comment at the top of server.py lists what it doesn't do",
        claims_no_more,
    )
    .fails_with("expected exit code 0"),
];

/// How long `compare verify` may take. It waits up to ten seconds for each
/// event that doesn't happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// The name of a case in the family that every server claims.
const EVERY_N: &str = "every n from 0";

/// How many lines of the suite's output a failure shows.
const LINES_SHOWN: usize = 12;

fn serves(submission: &Submission) -> CaseResult {
    passes(&Entry::of(submission)?, EVERY_N, 1)
}

fn no_flags(submission: &Submission) -> CaseResult {
    passes(&Entry::started(submission)?, "max-n", 0)
}

fn claims_much(submission: &Submission) -> CaseResult {
    let entry = Entry::started(submission)?;
    let of_each_family = [
        EVERY_N,
        "letters get",
        "good and bad lines mixed",
        "unfinished last line",
        "keep others from being served",
    ];
    of_each_family.into_iter().try_for_each(|only| passes(&entry, only, 1))
}

fn claims_no_more(submission: &Submission) -> CaseResult {
    let entry = Entry::started(submission)?;
    let of_no_family =
        ["SIGINT", "no thread can be started", "without a newline"];
    of_no_family.into_iter().try_for_each(|only| passes(&entry, only, 0))
}

/// A file of contestants: a submission, or a corrected copy of it.
struct Entry {
    path: String,
    /// Keeps the copy open.
    _file: Option<File>,
}

impl Entry {
    /// Returns the submission itself.
    fn of(submission: &Submission) -> CaseResult<Entry> {
        let path = fs::canonicalize(submission.file()).map_err(|error| {
            CaseFailure::new(format!(
                "expected a file of contestants\ngot      {submission}: {error}"
            ))
        })?;
        let path = path.to_string_lossy().into_owned();
        Ok(Entry { path, _file: None })
    }

    /// Returns the submission if its server can be started, or else a copy that
    /// passes a port instead of an address. So a wrong command fails only the
    /// case about starting, and not those about claims.
    fn started(submission: &Submission) -> CaseResult<Entry> {
        let entry = Entry::of(submission)?;
        let text = fs::read_to_string(&entry.path)?;
        if !text.contains("{addr}") || verify(&entry, EVERY_N)?.0 {
            return Ok(entry);
        }
        let text = text.replace("{addr}", "{port}");
        let (file, path) = submission::file_with(&text)?;
        Ok(Entry { path, _file: Some(file) })
    }
}

/// Expects every contestant to pass at least `at_least` of the cases whose
/// names contain `only`, and to fail none.
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

/// Returns how many cases a contestant passed, from a line such as `mine: 6
/// passed, 0 failed, …`.
fn passed(line: &str) -> Option<usize> {
    let (before, _) = line.split_once(" passed, ")?;
    before.rsplit_once(": ")?.1.parse().ok()
}

/// Runs `compare verify` with an entry. Returns `true` if it succeeds, and the
/// lines of its output.
fn verify(entry: &Entry, only: &str) -> CaseResult<(bool, Vec<String>)> {
    /// Runs a command in the root of the workspace, to which the paths in a
    /// contestant's command are relative.
    const IN_FOLDER: &str = "cd \"$0\" && exec \"$@\"";
    static COMPARE: OnceLock<Result<String, String>> = OnceLock::new();
    let compare = COMPARE.get_or_init(|| {
        let built = submission::build("compare");
        built.map_err(|error| format!("{error:#}"))
    });
    let compare = compare.as_ref().map_err(CaseFailure::new)?;
    let workspace = submission::workspace().to_string_lossy();
    let launch = Launch::new(["sh", "-c", IN_FOLDER, &workspace, compare])
        .args(["verify", "--quiet", "--contestants", &entry.path])
        .args(["--only", only]);
    let mut process = launch.spawn(NO_ADDRESS)?;
    let deadline = Instant::now() + PATIENCE;
    let left = || deadline.saturating_duration_since(Instant::now());
    let mut lines = Vec::new();
    while let Some(line) = process.stdout_line(left()) {
        // The table comes first, then the results of each contestant.
        lines.push(line.trim_end().to_owned());
    }
    let Some(status) = process.wait(left()) else {
        return Err(CaseFailure::new(
            "expected `compare verify` to finish within a minute\n\
             got      it still running",
        ));
    };
    let start = lines.iter().position(|line| passed(line).is_some());
    match start {
        Some(start) => Ok((status.success(), lines.split_off(start))),
        None => Ok((status.success(), process.log())),
    }
}
