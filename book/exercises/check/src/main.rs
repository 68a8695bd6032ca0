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

use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Parser;

use answer::Answer;
use exercise::{EXERCISES, Exercise};

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
    match Cli::parse().run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(FAILED),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(UNUSABLE)
        }
    }
}

impl Cli {
    /// Whether all is as it should be.
    fn run(&self) -> anyhow::Result<bool> {
        launch::adopt_orphans().context("cannot end what servers start")?;
        if self.list {
            let width = EXERCISES.iter().map(|e| e.name.len()).max();
            let width = width.unwrap_or(0);
            for Exercise { name, task, .. } in EXERCISES {
                println!("{name:width$}  {task}");
            }
            return Ok(true);
        }
        let Some(name) = &self.exercise else {
            return check_all();
        };
        let Some(exercise) = EXERCISES.iter().find(|e| e.name == name) else {
            let names: Vec<&str> = EXERCISES.iter().map(|e| e.name).collect();
            bail!("no exercise `{name}`; there are {}", names.join(", "));
        };
        let answer = match &self.with {
            Some(command) => Answer::of_command(command)?,
            None => Answer::of_exercise(exercise.name, self.solution)?,
        };
        check(exercise, &answer)
    }
}

/// Checks one answer, and says what to look at where it is wrong.
fn check(exercise: &Exercise, answer: &Answer) -> anyhow::Result<bool> {
    println!("{}: {}\n{answer}\n", exercise.name, exercise.task);
    let mut failed = 0;
    exercise.play(answer, |case, verdict, seconds| {
        let word = if verdict.is_ok() { "ok" } else { "FAILED" };
        println!("  {word:6} {seconds:5.1} s  {}", case.name);
        let Err(why) = verdict else { return };
        failed += 1;
        for line in why.lines() {
            println!("                  {line}");
        }
        println!("                  hint: {}", case.hint);
    });
    let count = exercise.cases.len();
    match failed {
        0 => println!("\nall {count} pass"),
        _ => println!("\n{failed} of {count} fail"),
    }
    Ok(failed == 0)
}

/// Checks that every exercise can be solved, and that it is not solved yet.
fn check_all() -> anyhow::Result<bool> {
    let mut is_all_right = true;
    for exercise in EXERCISES {
        for is_solution in [false, true] {
            let answer = Answer::of_exercise(exercise.name, is_solution)?;
            let mut wrong = Vec::new();
            let mut took = 0.0;
            exercise.play(&answer, |case, verdict, seconds| {
                took += seconds;
                match verdict {
                    Ok(()) if is_solution || case.is_kept => {}
                    Ok(()) => wrong.push(format!("passes: {}", case.name)),
                    Err(_) if !is_solution && !case.is_kept => {}
                    Err(why) => {
                        wrong.push(format!("fails: {}\n{why}", case.name));
                    }
                }
            });
            let word = if wrong.is_empty() { "ok" } else { "WRONG" };
            println!("{word:5} {took:5.1} s  {answer}");
            for what in &wrong {
                println!("      {}", what.replace('\n', "\n      "));
            }
            is_all_right &= wrong.is_empty();
        }
    }
    Ok(is_all_right)
}
