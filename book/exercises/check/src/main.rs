//! Checks an answer to an exercise of the course.
//!
//! ```text
//! cargo run -p check -- threads
//! cargo run -p check -- threads --solution
//! cargo run -p check -- threads --with 'python3 mine.py {port}'
//! cargo run -p check -- --list
//! ```
//!
//! An exercise is a folder beside this one: a starter, which is there to be
//! changed, and a solution. Its check knows either only as a command, so that
//! an answer may be written in any language.

mod answer;
mod cases;
mod exercise;
mod group;
mod output;
mod talk;

use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};

use anyhow::bail;
use clap::Parser;
use launch::keeper::{self, Role};

use answer::Answer;
use exercise::{Case, EXERCISES, Exercise};
use output::say;

/// A case failed.
const FAILED: u8 = 1;

/// Nothing could be checked.
const UNUSABLE: u8 = 2;

/// Checks an answer to an exercise of the course: your starter, as you have
/// changed it, or a program of your own.
#[derive(Parser)]
#[command(name = "check")]
struct Cli {
    /// Which exercise
    #[arg(required_unless_present_any = ["list", "all"])]
    exercise: Option<String>,
    /// A command of yours, in any language; a server finds the port to listen
    /// on in the place of {port}, or else behind the command
    #[arg(long, value_name = "COMMAND", conflicts_with = "solution")]
    with: Option<String>,
    /// Checks the solution
    #[arg(long)]
    solution: bool,
    /// Lists the exercises
    #[arg(long)]
    list: bool,
    /// Checks all, both ways: that solutions pass, and that starters, as they
    /// ship, fail what they should and nothing else
    #[arg(long, conflicts_with_all = ["exercise", "with", "solution"])]
    all: bool,
}

fn main() -> ExitCode {
    run().unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(UNUSABLE)
    })
}

/// Whatever becomes of this process, it leaves none behind: a keeper sees to
/// that.
fn run() -> anyhow::Result<ExitCode> {
    match Role::of_this_process()? {
        Role::Front(arguments) => {
            // What cannot be understood is said once.
            Cli::parse_from(&arguments);
            keeper::run_kept(arguments).map_err(Into::into).map(code_of)
        }
        Role::Keeper { parent, arguments } => {
            keeper::keep(parent, arguments).map_err(Into::into).map(code_of)
        }
        Role::Runner(arguments) => match Cli::parse_from(arguments).run()? {
            true => Ok(ExitCode::SUCCESS),
            false => Ok(ExitCode::from(FAILED)),
        },
    }
}

/// As a shell reports it: 130 after Ctrl-C.
fn code_of(status: ExitStatus) -> ExitCode {
    let signal = status.signal().unwrap_or(0);
    ExitCode::from(status.code().unwrap_or(128 + signal) as u8)
}

impl Cli {
    /// Whether all is as it should be.
    fn run(&self) -> anyhow::Result<bool> {
        if self.list {
            let width = EXERCISES.iter().map(|e| e.name.len()).max();
            let width = width.unwrap_or(0);
            for Exercise { name, task, .. } in EXERCISES {
                say(format_args!("{name:width$}  {task}"));
            }
            return Ok(true);
        }
        // Some cases have many clients, and servers need as many again.
        conformance::raise_fd_limit();
        let Some(name) = &self.exercise else {
            return Ok(check_all());
        };
        let Some(exercise) = EXERCISES.iter().find(|e| e.name == name) else {
            let names: Vec<&str> = EXERCISES.iter().map(|e| e.name).collect();
            bail!("no exercise `{name}`; there are {}", names.join(", "));
        };
        let answer = match &self.with {
            Some(command) => Answer::of_command(command, exercise.name)?,
            None => Answer::of_exercise(exercise.name, self.solution)?,
        };
        Ok(check(exercise, &answer))
    }
}

/// Checks one answer, and says what to look at where it is wrong.
fn check(exercise: &Exercise, answer: &Answer) -> bool {
    say(format_args!("{}: {}\n{answer}\n", exercise.name, exercise.task));
    let mut failed = 0;
    let played = exercise.play(answer, |case, verdict, seconds| {
        let word = if verdict.is_ok() { "ok" } else { "FAILED" };
        say(format_args!("  {word:6} {seconds:5.1} s  {}", case.name));
        let Err(why) = verdict else { return };
        failed += 1;
        for line in why.lines() {
            say(format_args!("                  {line}"));
        }
        say(format_args!("                  hint: {}", case.hint));
    });
    if let Err(why) = played {
        say(format_args!("{why}"));
        return false;
    }
    let count = exercise.cases.len();
    match failed {
        0 => say(format_args!("\nall {count} pass")),
        _ => say(format_args!("\n{failed} of {count} fail")),
    }
    failed == 0
}

/// Checks that every exercise can be solved, and that it is not solved yet.
fn check_all() -> bool {
    let mut is_all_right = true;
    for exercise in EXERCISES {
        for is_solution in [false, true] {
            is_all_right &= is_as_it_ships(exercise, is_solution);
        }
    }
    is_all_right
}

/// Whether a solution passes, and a starter fails what it should.
fn is_as_it_ships(exercise: &Exercise, is_solution: bool) -> bool {
    let stem = answer::stem(is_solution);
    let mut name = format!("{}: the {stem}", exercise.name);
    let mut wrong = Vec::new();
    let mut took = 0.0;
    match Answer::of_exercise(exercise.name, is_solution) {
        Ok(answer) => {
            name = answer.to_string();
            let played = exercise.play(&answer, |case, verdict, seconds| {
                took += seconds;
                wrong.extend(surprise(case, verdict, is_solution));
            });
            wrong.extend(played.err());
        }
        Err(error) => wrong.push(format!("{error:#}")),
    }
    let word = if wrong.is_empty() { "ok" } else { "WRONG" };
    say(format_args!("{word:5} {took:5.1} s  {name}"));
    for what in &wrong {
        say(format_args!("      {}", what.replace('\n', "\n      ")));
    }
    wrong.is_empty()
}

/// What is not as it should be of a case, if anything.
fn surprise(
    case: &Case,
    verdict: Result<(), String>,
    is_solution: bool,
) -> Option<String> {
    let is_to_pass = is_solution || case.is_kept;
    match verdict {
        Ok(()) if is_to_pass => None,
        Ok(()) => Some(format!("passes: {}", case.name)),
        Err(why) if is_to_pass => Some(format!("fails: {}\n{why}", case.name)),
        Err(why) if why.contains(case.fault) => None,
        Err(why) => Some(format!(
            "fails, but not by \"{}\": {}\n{why}",
            case.fault, case.name
        )),
    }
}
