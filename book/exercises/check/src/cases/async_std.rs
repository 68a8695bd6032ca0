//! From async-std to smol.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use conformance::{CaseResult, ExpectedReply, Fixture, check};

use crate::exercise::Case;
use crate::group;
use crate::talk::short_beside_long;

pub(crate) const CASES: &[Case] = &[
    Case::of_server(
        "several clients are answered at once",
        "smol cancels a task whose handle is dropped",
        answers,
    )
    .kept(),
    Case::of_server(
        "a short request does not wait for a long one",
        "what smol spawns runs on a single thread: who computes on that?",
        |fixture| short_beside_long(fixture, LONG, PATIENCE),
    )
    .kept(),
    Case::of_server(
        "no thread is async-std's",
        "which call starts the runtime? every task of async-std's does",
        threads,
    )
    .fails_by("got      async-std/"),
    Case::of_server(
        "nothing of async-std is in the program",
        "grep -n async_std; what is only imported and never used is not in it",
        program,
    )
    .fails_by("/async-std-1."),
];

/// A job that is still computed when a short one is long done.
const LONG: Duration = Duration::from_millis(800);

/// A long job may take so long, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn answers(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    let mut clients = server.clients(3)?;
    for n in [0, 10, 20] {
        for client in &mut clients {
            client.ask(n)?;
        }
    }
    for client in &mut clients {
        client.send(b"11\nten\n12\n")?;
        client.expect_all([
            ExpectedReply::Fib(11),
            ExpectedReply::Error("not-a-number"),
            ExpectedReply::Fib(12),
        ])?;
        client.half_close()?;
        client.expect_end()?;
    }
    Ok(())
}

fn threads(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    // So that all threads are there that it takes to compute.
    server.client()?.ask(20)?;
    let names = group::threads(&server).into_iter().map(|thread| {
        let name = fs::read_to_string(thread.join("comm"));
        name.unwrap_or_default().trim_end().to_owned()
    });
    // Behind the slash comes what it does. A thread without a name has that
    // of the program, which may well be called after its exercise.
    let (left, others): (Vec<String>, Vec<String>) =
        names.partition(|name| name.starts_with("async-std/"));
    check(left.is_empty(), || {
        format!(
            "expected no thread that is called async-std\n\
             got      {}, beside {}",
            left.join(", "),
            others.join(", ")
        )
    })
}

fn program(fixture: &Fixture<'_>) -> CaseResult {
    /// What is compiled in names its source where it may panic, and the
    /// runtime names its threads.
    const TRACES: [&str; 2] = ["/async-std-1.", "async-std/runtime"];
    let server = fixture.server(&[])?;
    for process in group::processes(&server) {
        let path = fs::read_link(process.join("exe")).unwrap_or_default();
        let program = fs::read(process.join("exe"))?;
        let program = String::from_utf8_lossy(&program);
        for trace in TRACES {
            check(!program.contains(trace), || {
                let name = path.file_name().map(PathBuf::from);
                let name = name.unwrap_or_default();
                format!(
                    "expected nothing of async-std\ngot      \"{trace}\" in {}",
                    name.display()
                )
            })?;
        }
    }
    Ok(())
}
