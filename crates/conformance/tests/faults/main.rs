//! Shows that the suite can fail: a server that keeps the protocol passes
//! every case, and each fault that it is given is caught by the case that is
//! there to catch it.
//!
//! The binary is both the judge and, when its first argument is `serve` or
//! `work`, the server or a worker of it.

mod server;
mod workers;

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use conformance::{Outcome, Selection, Subject, run};

use server::Fault::{self, *};

/// A fault, and a part of the name of the case that must catch it.
const CAUGHT_BY: &[(Fault, &str)] = &[
    (WrongNumber, "every n from 0 to 30"),
    (TalksFib, "max-n can be 0"),
    (KeepsCr, "a line may end in CR LF"),
    (TakesSigns, "a sign makes it no number"),
    (TrimsAllWhiteSpace, "a control character makes it no number"),
    (TakesAllDigits, "digits of other scripts"),
    (Wraps, "wraps to a small one"),
    (LimitOneLower, "a line of 64 bytes, LF included, is served"),
    (LimitOneHigher, "a line of 65 bytes is too long"),
    (WaitsForLf, "told off before LF comes"),
    (KeepsLongLines, "dropped in bounded memory"),
    (LeavesAtBadLine, "an empty line is no number"),
    (AnswersPerRead, "segments of one byte"),
    (ForgetsRestOfRead, "may be split at every byte"),
    (ForgetsRestOfRead, "1,000 requests in one write"),
    (AnswersTwice, "mixed get one reply each"),
    (AnswersTwice, "each line received is answered, once"),
    (ShortJobsFirst, "short requests behind a long job"),
    (HoldsBack, "a short request before a long job"),
    (StallsAtUrgentData, "urgent data does not stall"),
    (TakesUrgentData, "urgent data does not stall"),
    (WaitsForAcks, "does not wait for the last one's ACK"),
    (OneClientAtATime, "served while one is idle"),
    (OneJobAtATime, "`1` is answered while another's long job runs"),
    (DropsAtHalfClose, "with 100 requests pending gets all"),
    (AnswersUnfinished, "an unfinished last line is dropped"),
    (LeaksFds, "5,000 clients that leave at once"),
    (LeaksThreads, "20,000 that came and went"),
    (DiesOfClients, "closes without reading disturbs nobody"),
    (DiesOfClients, "a reset during a reply"),
    (BuffersReplies, "who never reads is held in bounded memory"),
    (NeverTimesOut, "never says a word is dropped"),
    (NeverTimesOut, "falls silent is dropped"),
    (NeverTimesOut, "who never reads is dropped"),
    (BytesAreLife, "single bytes of an endless line"),
    (BytesAreLife, "bytes of a line that is too long"),
    (BytesAreLife, "a flood without a line end"),
    (TimesOutAlways, "asks now and then is never dropped"),
    (TimesOutJobs, "waits for a long answer is never dropped"),
    (TimesOutJobs, "half-closed and waits is never dropped"),
    (TimesOutSlowReaders, "reads slowly, but reads"),
    (NoCap, "one above the cap"),
    (SilentCap, "one above the cap"),
    (CapForGood, "one above the cap"),
    (SpinsWithoutFds, "out of fds it does not spin"),
    (LeavesWithoutFds, "out of fds it does not spin"),
    (Starves, "served beside a greedy pipeliner"),
    (OneJobAtATime, "few of a greedy client's jobs"),
    (StarvesInCrowds, "its turn beside many greedy ones"),
    (StarvesInCrowds, "its turn beside many quick ones"),
    (IgnoresTerm, "SIGTERM ends an idle server"),
    (LeavesAtTerm, "each line received is answered, once"),
    (ReadsOnAtTerm, "who never stops asking"),
    (LeavesAtTerm, "a long job that is done in time"),
    (TearsAtTerm, "no reply of a busy server is torn"),
    (KeepsPort, "the port is closed while a long job"),
    (NeverCutsOff, "out by --drain-timeout, exit 3"),
    (NeverCutsOff, "who never reads is cut off"),
    (CutsOffQuietly, "out by --drain-timeout, exit 3"),
    (IgnoresSecondTerm, "a second signal ends it at once"),
    (NoReuse, "started again on the same port"),
    (LongDeath, "a port in use is one clear line"),
    (TakesAllFlags, "bad flags are exit 2"),
    (KnowsNoManager, "a socket that was passed to it is served"),
    (KnowsNoManager, "told READY=1 and STOPPING=1"),
    (TalksInLines, "perf1's `30`"),
    (Refuses93, "max-n can be 93"),
    (ServesFew, "1,000 are served at once"),
    (HidesWant, "who can be given no thread"),
    (BeginsUnwanted, "of a client that was reset is never begun"),
    (ReplacesNoWorker, "an idle worker killed"),
    (HidesLoss, "a busy worker killed"),
    (NoJobTimeout, "a stopped worker is `timed-out`"),
    (NoJobTimeout, "takes too long is `timed-out`"),
    (FinishesUnwanted, "a job whose client was reset is stopped"),
    (BeginsUnwanted, "a queued job of a gone client"),
    (StopsQuickJobs, "500 resets during quick jobs"),
    (ForkStorm, "replaced ever more slowly"),
    (SteadyBackOff, "replaced ever more slowly"),
    (OutlivesServer, "SIGKILL leaves no worker"),
    (LeavesZombies, "leaves no zombie"),
    (SharesSockets, "a worker holds no client's socket"),
];

/// How long to wait for a reply that a fault keeps back.
const PATIENCE: Duration = Duration::from_secs(3);

/// How many faults are tried at a time.
const AT_A_TIME: usize = 3;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    match words.next() {
        Some(word) if word == "serve" => server::serve(words),
        Some(word) if word == "work" => workers::work(words),
        // What `cargo test` passes on: a part of a name, or a flag.
        Some(word) if !word.starts_with('-') => judge(Some(&word)),
        _ => judge(None),
    }
}

fn judge(only: Option<&str>) -> ExitCode {
    let named = |name: &str| only.is_none_or(|part| name.contains(part));
    let mut failures = Vec::new();
    if named("faithful") {
        failures.extend(faithful());
    }
    if named("by_design") {
        failures.extend(by_design());
    }
    let rows: Vec<_> = CAUGHT_BY
        .iter()
        .filter(|(fault, _)| named(&format!("{fault:?}")))
        .collect();
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        let judges: Vec<_> = (0..AT_A_TIME)
            .map(|_| {
                scope.spawn(|| {
                    let claim = || next.fetch_add(1, Ordering::Relaxed);
                    std::iter::from_fn(|| rows.get(claim()))
                        .filter_map(|&&(fault, case)| uncaught(fault, case))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        for judge in judges {
            failures.extend(judge.join().expect("it doesn't panic"));
        }
    });
    for failure in &failures {
        println!("FAILED: {failure}");
    }
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The server without a fault, which fails no case.
fn faithful() -> Option<String> {
    let selection = Selection::from_environment();
    // It would take `unsafe` to be a service manager's too.
    let subject = subject(None).without_service_manager();
    let report = run(&subject, &selection, |finding| {
        println!("{finding}");
    });
    println!("{report}");
    (!report.conforms()).then(|| report.failures())
}

/// A model that is said to be unable, and is not, fails.
fn by_design() -> Option<String> {
    let subject = subject(None).computes_inline();
    let selection = Selection::default().only("another's long job runs");
    let report = run(&subject, &selection, |_| {});
    let failures = report.failures();
    let unexpected = failures.contains("unexpectedly passed");
    println!("by design: {}", if unexpected { "strict" } else { "lax" });
    (!unexpected).then_some(failures)
}

/// What is wrong when the case doesn't catch the fault.
fn uncaught(fault: Fault, case: &str) -> Option<String> {
    let selection = Selection::default().only(case);
    let patience = match fault {
        // Before it can be seen, a job of two seconds or more has to end.
        BeginsUnwanted => 3 * PATIENCE,
        _ => PATIENCE,
    };
    let subject = subject(Some(fault)).patience(patience);
    let report = run(&subject, &selection, |_| {});
    let [finding] = &report.findings[..] else {
        let count = report.findings.len();
        return Some(format!("{case:?} is the name of {count} cases"));
    };
    let name = finding.case.name;
    // What keeps the case from being played at all catches nothing.
    let caught = matches!(&finding.outcome, Outcome::Failed(why)
        if !why.contains("no job could be timed")
            && !why.contains("the suite itself"));
    let seconds = finding.elapsed.as_secs_f64();
    println!("{fault:?}: {seconds:.2} s, caught by {name:?}: {caught}");
    if let (Outcome::Failed(why), Ok(_)) =
        (&finding.outcome, std::env::var("CONFORMANCE_SHOW"))
    {
        println!("{why}\n");
    }
    (!caught).then(|| {
        format!("{fault:?} is not caught by {name:?}: {:?}", finding.outcome)
    })
}

fn subject(fault: Option<Fault>) -> Subject {
    let program = std::env::current_exe().expect("this test's own path");
    let program = program.into_os_string().into_string();
    let program = program.expect("a path that is UTF-8");
    let fault = fault.map(|fault| format!("{fault:?}")).unwrap_or_default();
    Subject::new(
        [&program, "serve", "--fault", &fault, "--listen", "{addr}"]
            .map(str::to_owned),
    )
    .thread_per_client()
    .has_worker_processes()
}
