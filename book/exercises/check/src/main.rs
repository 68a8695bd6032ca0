//! Checks a submission to an exercise of the course.
//!
//! ```text
//! cargo run -p check -- threads
//! cargo run -p check -- threads --solution
//! cargo run -p check -- threads --with 'python3 mine.py {port}'
//! cargo run -p check -- --list
//! ```
//!
//! An exercise is a folder beside this crate. It contains a starter, which the
//! reader changes, and a solution. A check starts either of them as a command,
//! so a submission may be written in any language.

mod cases;
mod exercise;
mod output;
mod procfs;
mod shared;
mod submission;

use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};

use anyhow::bail;
use clap::Parser;
use launch::keeper::{self, Role};

use exercise::{Case, EXERCISES, Exercise};
use output::print_line;
use submission::Submission;

/// The exit code if a case failed.
const FAILED: u8 = 1;

/// The exit code if nothing could be checked.
const UNUSABLE: u8 = 2;

/// Checks an exercise of the course: the starter as you have changed it, or a
/// program of your own
#[derive(Parser)]
#[command(name = "check")]
struct Cli {
    /// The exercise to check
    #[arg(required_unless_present_any = ["list", "all"])]
    exercise: Option<String>,
    /// Check your own command, in any language; the port that a server must
    /// listen on replaces {port}, or is appended
    #[arg(long, value_name = "COMMAND", conflicts_with = "solution")]
    with: Option<String>,
    /// Check the solution
    #[arg(long)]
    solution: bool,
    /// List the exercises
    #[arg(long)]
    list: bool,
    /// Check all exercises as they ship: each solution must pass, and each
    /// starter must fail exactly the cases that it should
    #[arg(long, conflicts_with_all = ["exercise", "with", "solution"])]
    all: bool,
}

fn main() -> ExitCode {
    run().unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(UNUSABLE)
    })
}

/// Runs the check under a keeper, which ends all processes that it started,
/// however the check itself ends.
fn run() -> anyhow::Result<ExitCode> {
    match Role::of_this_process()? {
        Role::Front(arguments) => {
            // Usage errors are printed here, so that they are printed once.
            Cli::parse_from(&arguments);
            keeper::run_kept(arguments).map_err(Into::into).map(exit_code)
        }
        Role::Keeper { parent, arguments } => {
            keeper::keep(parent, arguments).map_err(Into::into).map(exit_code)
        }
        Role::Runner(arguments) => {
            if Cli::parse_from(arguments).run()? {
                Ok(ExitCode::SUCCESS)
            } else {
                Ok(ExitCode::from(FAILED))
            }
        }
    }
}

/// Converts an exit status as a shell does: 130 after Ctrl-C.
fn exit_code(status: ExitStatus) -> ExitCode {
    let signal = status.signal().unwrap_or(0);
    ExitCode::from(status.code().unwrap_or(128 + signal) as u8)
}

impl Cli {
    /// Returns `true` if nothing failed.
    fn run(&self) -> anyhow::Result<bool> {
        if self.list {
            list();
            return Ok(true);
        }
        // Some cases have many clients, and servers need as many descriptors.
        conformance::raise_fd_limit();
        let Some(name) = &self.exercise else {
            return Ok(check_all());
        };
        let Some(exercise) = EXERCISES.iter().find(|e| e.name == name) else {
            let names: Vec<&str> = EXERCISES.iter().map(|e| e.name).collect();
            bail!("no exercise `{name}`; expected one of {}", names.join(", "));
        };
        let submission = match &self.with {
            Some(command) => Submission::of_command(command, exercise.name)?,
            None => Submission::of_exercise(exercise.name, self.solution)?,
        };
        Ok(check(exercise, &submission))
    }
}

fn list() {
    let width = EXERCISES.iter().map(|e| e.name.len()).max();
    let width = width.unwrap_or(0);
    for Exercise { name, task, .. } in EXERCISES {
        print_line(format_args!("{name:width$}  {task}"));
    }
}

/// Checks one submission and prints the result of each case, with a hint where
/// it failed. Returns `true` if all cases passed.
fn check(exercise: &Exercise, submission: &Submission) -> bool {
    print_line(format_args!(
        "{}: {}\n{submission}\n",
        exercise.name, exercise.task
    ));
    let mut failed = 0;
    let result = exercise.run(submission, |case, verdict, seconds| {
        let word = if verdict.is_ok() { "ok" } else { "FAILED" };
        print_line(format_args!("  {word:6} {seconds:5.1} s  {}", case.name));
        let Err(fault) = verdict else { return };
        failed += 1;
        for line in fault.lines() {
            print_line(format_args!("                  {line}"));
        }
        print_line(format_args!("                  hint: {}", case.hint));
    });
    if let Err(fault) = result {
        print_line(format_args!("{fault}"));
        return false;
    }
    let count = exercise.cases.len();
    match failed {
        0 => print_line(format_args!("\nall {count} cases passed")),
        _ => print_line(format_args!("\n{failed} of {count} cases failed")),
    }
    failed == 0
}

/// Checks that every exercise can be solved, and isn't solved by its starter.
fn check_all() -> bool {
    let mut is_all_right = true;
    for exercise in EXERCISES {
        for is_solution in [false, true] {
            is_all_right &= behaves_as_intended(exercise, is_solution);
        }
    }
    is_all_right
}

/// Checks that a solution passes, or that a starter fails exactly the cases
/// that it should. Prints what differs.
fn behaves_as_intended(exercise: &Exercise, is_solution: bool) -> bool {
    let stem = submission::stem(is_solution);
    let mut name = format!("{}: the {stem}", exercise.name);
    let mut surprises = Vec::new();
    let mut total_seconds = 0.0;
    match Submission::of_exercise(exercise.name, is_solution) {
        Ok(submission) => {
            name = submission.to_string();
            let result = exercise.run(&submission, |case, verdict, seconds| {
                total_seconds += seconds;
                surprises.extend(surprise(case, verdict, is_solution));
            });
            surprises.extend(result.err());
        }
        Err(error) => surprises.push(format!("{error:#}")),
    }
    let word = if surprises.is_empty() { "ok" } else { "WRONG" };
    print_line(format_args!("{word:5} {total_seconds:5.1} s  {name}"));
    for surprise in &surprises {
        let indented = surprise.replace('\n', "\n      ");
        print_line(format_args!("      {indented}"));
    }
    surprises.is_empty()
}

/// Describes how the verdict on a case differs from the intended one, if it
/// does.
fn surprise(
    case: &Case,
    verdict: Result<(), String>,
    is_solution: bool,
) -> Option<String> {
    let must_pass = is_solution || case.starter_passes;
    match verdict {
        Ok(()) if must_pass => None,
        Ok(()) => Some(format!("passes, but must fail: {}", case.name)),
        Err(fault) if must_pass => {
            Some(format!("fails, but must pass: {}\n{fault}", case.name))
        }
        Err(fault) if fault.contains(case.fault) => None,
        Err(fault) => Some(format!(
            "fails, but without \"{}\" in its fault: {}\n{fault}",
            case.fault, case.name
        )),
    }
}
