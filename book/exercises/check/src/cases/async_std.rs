//! Cases of the exercise `async-std`: a port of a server to smol.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use conformance::{CaseResult, ExpectedReply, Fixture, check};

use crate::exercise::Case;
use crate::procfs;
use crate::shared::short_beside_long;

pub(crate) const CASES: &[Case] = &[
    Case::of_server(
        "several clients are served at the same time",
        "what does smol do with a task whose handle is dropped?",
        answers,
    )
    .starter_passes(),
    Case::of_server(
        "a short request doesn't wait for a long one",
        "smol runs all tasks on a single thread: what computes on it?",
        |fixture| short_beside_long(fixture, LONG, PATIENCE),
    )
    .starter_passes(),
    Case::of_server(
        "no thread belongs to async-std",
        "which call starts the runtime? spawning any async-std task does",
        threads,
    )
    .fails_with("got      async-std/"),
    Case::of_server(
        "the program contains no code of async-std",
        "grep -n async_std; an import that is never used adds no code",
        program,
    )
    .fails_with("/async-std-1."),
];

/// A job that takes much longer than a short request.
const LONG: Duration = Duration::from_millis(800);

/// How long a long job may take on a busy machine.
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
    // A request starts the threads that compute.
    server.client()?.ask(20)?;
    let names = procfs::threads(&server).into_iter().map(|thread| {
        let name = fs::read_to_string(thread.join("comm"));
        name.unwrap_or_default().trim_end().to_owned()
    });
    // async-std names its threads `async-std/` and their purpose. The slash
    // matters: an unnamed thread has the name of the program, which may be
    // `async-std`, like the exercise.
    let (left, others): (Vec<String>, Vec<String>) =
        names.partition(|name| name.starts_with("async-std/"));
    check(left.is_empty(), || {
        format!(
            "expected no thread of async-std\n\
             got      {}, beside {}",
            left.join(", "),
            others.join(", ")
        )
    })
}

fn program(fixture: &Fixture<'_>) -> CaseResult {
    /// Strings in a program that contains async-std: the source paths in its
    /// panic messages, and the names of the runtime's threads.
    const TRACES: [&str; 2] = ["/async-std-1.", "async-std/runtime"];
    let server = fixture.server(&[])?;
    for process in procfs::processes(&server) {
        let path = fs::read_link(process.join("exe")).unwrap_or_default();
        let program = fs::read(process.join("exe"))?;
        let program = String::from_utf8_lossy(&program);
        for trace in TRACES {
            check(!program.contains(trace), || {
                let name = path.file_name().map(PathBuf::from);
                let name = name.unwrap_or_default();
                format!(
                    "expected no code of async-std\ngot      \"{trace}\" in {}",
                    name.display()
                )
            })?;
        }
    }
    Ok(())
}
