//! Tests the suite itself: a server without faults passes every case, and each
//! fault of a server is caught by the case that is meant to catch it.
//!
//! This binary is the test and, if its first argument is `serve` or `work`, the
//! server under test or a worker of that server.

mod server;
mod workers;

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use conformance::{CaseOutcome, Selection, Subject, play_chaos, run};

use server::Fault::{self, *};

/// Each fault, with a part of the name of the case that must catch it.
const CAUGHT_BY: &[(Fault, &str)] = &[
    (WrongNumber, "every n from 0 to 30"),
    (FibOfZeroIsOne, "max-n can be 0"),
    (KeepsCr, "a line may end in CR LF"),
    (AcceptsSigns, "a number with a sign"),
    (TrimsAllWhiteSpace, "a control character gets"),
    (AcceptsAllDigits, "digits of other scripts"),
    (WrapsAround, "would wrap to a small one"),
    (LineLimitOneLower, "a line of 64 bytes, including the LF"),
    (LineLimitOneHigher, "a line of 65 bytes"),
    (WaitsForLf, "before the LF arrives"),
    (BuffersLongLines, "discarded in bounded memory"),
    (ClosesAtBadLine, "an empty line gets"),
    (RepliesPerRead, "segments of one byte"),
    (DropsRestOfRead, "may be split at any byte"),
    (DropsRestOfRead, "1,000 requests in one write"),
    (RepliesTwice, "mixed get one reply each"),
    (RepliesTwice, "gets exactly one reply"),
    (ShortJobsFirst, "short requests after a long job"),
    (DelaysReplies, "a short request before a long job"),
    (StallsAtUrgentData, "urgent data does not delay"),
    (ReadsUrgentDataInline, "urgent data does not delay"),
    (WaitsForAcks, "does not wait for the ACK"),
    (OneClientAtATime, "served while the first is idle"),
    (OneJobAtATime, "`1` is answered while another client's long job runs"),
    (DropsRequestsAtHalfClose, "with 100 requests pending gets all"),
    (AnswersUnfinishedLine, "an unfinished last line is dropped"),
    (LeaksFds, "5,000 clients that connect and leave"),
    (LeaksThreads, "20,000 short-lived clients"),
    (ExitsOnClientError, "closes with replies unread"),
    (ExitsOnClientError, "a reset during a reply"),
    (BuffersRepliesWithoutLimit, "never reads costs bounded memory"),
    (LeavesSendQueueToKernel, "at most 256 KiB in the send queue"),
    (NeverTimesOut, "without any request is dropped"),
    (NeverTimesOut, "goes silent is dropped"),
    (NeverTimesOut, "never reads is dropped"),
    (BytesResetTimeout, "single bytes of an endless line"),
    (BytesResetTimeout, "bytes of a line that is too long"),
    (BytesResetTimeout, "a flood of bytes without LF"),
    (TimesOutActiveClients, "with regular requests is never dropped"),
    (TimesOutDuringJobs, "waits for a slow reply is never dropped"),
    (TimesOutDuringJobs, "half-closed and waits is never dropped"),
    (TimesOutSlowReaders, "reads slowly is never dropped"),
    (NoConnectionLimit, "above the connection limit"),
    (RefusesSilently, "above the connection limit"),
    (NeverReleasesConnections, "above the connection limit"),
    (SpinsWithoutFds, "without free fds"),
    (PanicsWithoutFds, "without free fds"),
    (StarvesBesideGreedyClient, "served beside a greedy one"),
    (OneJobAtATime, "few of a greedy client's jobs"),
    (StarvesBesideManyGreedyClients, "greedy ones with 1 ms jobs"),
    (StarvesBesideManyGreedyClients, "greedy ones with 5 µs jobs"),
    (IgnoresSigterm, "SIGTERM ends an idle server"),
    (InheritsSignals, "started with both blocked"),
    (WaitsForStderr, "a full pipe as stderr delays"),
    (WaitsForStderr, "a log at the limit on the size"),
    (ExitsAtSigterm, "gets exactly one reply"),
    (ReadsAfterSigterm, "a client with endless requests"),
    (ExitsAtSigterm, "a long job that finishes in time"),
    (TruncatesAtSigterm, "no reply of a busy server is truncated"),
    (KeepsPortOpen, "the port is closed while a long job"),
    (NeverCutsOff, "--drain-timeout cuts off a job"),
    (NeverCutsOff, "cuts off a client that never reads"),
    (CutsOffWithoutLog, "--drain-timeout cuts off a job"),
    (IgnoresSecondSigterm, "a second signal ends the server at once"),
    (NoReuseAddress, "restart on the same port"),
    (LongBindError, "a port in use"),
    (ReadyBeforeAble, "with few file descriptors"),
    (AcceptsAllFlags, "bad flags give exit code 2"),
    (IgnoresServiceManager, "a passed listening socket is served"),
    (IgnoresServiceManager, "gets READY=1 and STOPPING=1"),
    (IgnoresServiceManager, "whose queue is full gets READY=1"),
    (TalkNeedsNewline, "perf1's `30`"),
    (Refuses93, "max-n can be 93"),
    (Serves500AtMost, "1,000 clients are served at the same time"),
    (HidesThreadShortage, "no thread can be started"),
    (HidesThreadShortage, "with little address space"),
    (StartsAbandonedJobs, "a queued job never starts"),
    (ReplacesNoWorker, "killing an idle worker"),
    (HidesWorkerLoss, "killing a busy worker"),
    (NoJobTimeout, "a stopped worker gives `timed-out`"),
    (NoJobTimeout, "takes too long gives `timed-out`"),
    (FinishesAbandonedJobs, "a job whose client resets the connection"),
    (StartsAbandonedJobs, "a worker starts no queued job"),
    (StopsQuickJobs, "500 resets during quick jobs"),
    (ForkStorm, "replaced at growing intervals"),
    (ConstantBackOff, "replaced at growing intervals"),
    (WorkersOutliveServer, "no worker outlives a server"),
    (LeavesZombies, "leaves no zombie"),
    (NeedsProc, "where there is no /proc"),
    (InheritsSignals, "started with SIGCHLD ignored"),
    (WorkersInheritSockets, "no worker has a client's socket open"),
];

/// Faults that a play of chaos must find.
const CAUGHT_BY_CHAOS: &[Fault] = &[
    RepliesTwice,
    DropsRestOfRead,
    AnswersUnfinishedLine,
    DropsRequestsAtHalfClose,
    LeaksFds,
    ExitsOnClientError,
    StallsAtUrgentData,
    PanicsWithoutFds,
    NeverReleasesConnections,
    HidesWorkerLoss,
    ReplacesNoWorker,
    NoJobTimeout,
    TruncatesAtSigterm,
    IgnoresSigterm,
];

/// How long a play waits for a reply, unless the server is busy.
const CHAOS_PATIENCE: Duration = Duration::from_secs(1);

/// How long a play may take to find a fault.
const CHAOS_TIME_MAX: Duration = Duration::from_secs(30);

/// How long to wait for a reply that a fault suppresses.
const PATIENCE: Duration = Duration::from_secs(3);

/// How many faults are tested at a time.
const AT_A_TIME: usize = 3;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    match arguments.next() {
        Some(word) if word == "serve" => server::serve(arguments),
        Some(word) if word == "work" => workers::work(arguments),
        // `cargo test` passes on a filter: a part of a test's name.
        Some(word) if !word.starts_with('-') => test(Some(&word)),
        // A flag of `cargo test`, or nothing.
        Some(_) | None => test(None),
    }
}

/// Runs the tests whose name contains `only`. The tests of single faults have
/// the faults' names.
fn test(only: Option<&str>) -> ExitCode {
    let is_selected = |name: &str| only.is_none_or(|part| name.contains(part));
    let mut failures = Vec::new();
    if is_selected("a_server_without_faults_passes") {
        failures.extend(a_server_without_faults_passes());
    }
    if is_selected("a_wrong_by_design_declaration_fails") {
        failures.extend(a_wrong_by_design_declaration_fails());
    }
    if is_selected("chaos") {
        failures.extend(chaos_fails());
    }
    let of_cases = CAUGHT_BY.iter().map(|&(fault, case)| (fault, Some(case)));
    let of_chaos = CAUGHT_BY_CHAOS.iter().map(|&fault| (fault, None));
    let rows: Vec<_> = of_cases
        .chain(of_chaos)
        .filter(|(fault, case)| match case {
            Some(_) => is_selected(&format!("{fault:?}")),
            None => is_selected(&format!("chaos {fault:?}")),
        })
        .collect();
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_A_TIME)
            .map(|_| {
                scope.spawn(|| {
                    let claim = || next.fetch_add(1, Ordering::Relaxed);
                    std::iter::from_fn(|| rows.get(claim()))
                        .filter_map(|&(fault, case)| match case {
                            Some(case) => uncaught(fault, case),
                            None => uncaught_by_chaos(fault),
                        })
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        for thread in threads {
            failures.extend(thread.join().expect("the thread doesn't panic"));
        }
    });
    for failure in &failures {
        println!("FAILED: {failure}");
    }
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Checks that a server without faults fails no case; returns the failures.
fn a_server_without_faults_passes() -> Option<String> {
    let selection = Selection::from_environment();
    // Taking a socket from a service manager would need `unsafe`.
    let subject = subject(None).without_service_manager();
    let report = run(&subject, &selection, |case| println!("{case}"));
    println!("{report}");
    (!report.conforms()).then(|| report.failures())
}

/// Checks that a server fails if it can do what its model is declared unable to
/// do by design; returns the report if it doesn't.
fn a_wrong_by_design_declaration_fails() -> Option<String> {
    let subject = subject(None).computes_inline();
    let selection = Selection::default().only("another client's long job runs");
    let report = run(&subject, &selection, |_| {});
    let failures = report.failures();
    let unexpected = failures.contains("unexpectedly passed");
    println!("wrong declaration caught: {unexpected}");
    (!unexpected).then_some(failures)
}

/// Checks that the case catches the fault; returns what is wrong if it doesn't.
fn uncaught(fault: Fault, case: &str) -> Option<String> {
    let selection = Selection::default().only(case);
    let patience = if fault == StartsAbandonedJobs {
        // This fault shows only when a job of two seconds or more has ended.
        3 * PATIENCE
    } else {
        PATIENCE
    };
    let subject = subject(Some(fault)).patience(patience);
    let report = run(&subject, &selection, |_| {});
    let [report] = &report.cases[..] else {
        let count = report.cases.len();
        return Some(format!("{case:?} selects {count} cases instead of one"));
    };
    let name = report.case.name;
    // A failure that kept the case from running catches nothing.
    let caught = matches!(&report.outcome, CaseOutcome::Failed(failure)
        if !failure.contains("no job could be timed")
            && !failure.contains("the suite itself"));
    let seconds = report.elapsed.as_secs_f64();
    println!("{fault:?}: {seconds:.2} s, caught by {name:?}: {caught}");
    if let (CaseOutcome::Failed(failure), Ok(_)) =
        (&report.outcome, std::env::var("CONFORMANCE_SHOW"))
    {
        println!("{failure}\n");
    }
    (!caught).then(|| {
        format!("{fault:?} is not caught by {name:?}: {:?}", report.outcome)
    })
}

/// Checks that a server without faults survives chaos; returns the failure.
fn chaos_fails() -> Option<String> {
    const DURATION: Duration = Duration::from_secs(5);
    let subject = subject(None).patience(CHAOS_PATIENCE);
    let seed = Selection::from_environment().seed();
    match play_chaos(&subject, DURATION, seed, |_| {}) {
        Ok(report) => {
            println!("chaos, seed {seed}: {}", report.counts);
            report.failure.map(|failure| failure.to_string())
        }
        Err(failure) => Some(failure.to_string()),
    }
}

/// Checks that chaos finds the fault; returns what is wrong if it doesn't.
fn uncaught_by_chaos(fault: Fault) -> Option<String> {
    let subject = subject(Some(fault)).patience(CHAOS_PATIENCE);
    let seed = Selection::from_environment().seed();
    let report = match play_chaos(&subject, CHAOS_TIME_MAX, seed, |_| {}) {
        Ok(report) => report,
        Err(failure) => return Some(format!("{fault:?}: {failure}")),
    };
    let seconds = report.elapsed.as_secs_f64();
    let Some(failure) = report.failure else {
        let counts = report.counts;
        return Some(format!("chaos missed {fault:?} (seed {seed}): {counts}"));
    };
    let steps = failure.trace.len();
    println!("{fault:?}: {seconds:.2} s, found by chaos, {steps} steps");
    if std::env::var("CONFORMANCE_SHOW").is_ok() {
        println!("{failure}");
    }
    None
}

/// Returns this program as a server with this fault.
fn subject(fault: Option<Fault>) -> Subject {
    let program = std::env::current_exe().expect("the path of this program");
    let program = program.into_os_string().into_string();
    let program = program.expect("the path is UTF-8");
    let fault = fault.map(|fault| format!("{fault:?}")).unwrap_or_default();
    Subject::new(
        [&program, "serve", "--fault", &fault, "--listen", "{addr}"]
            .map(str::to_owned),
    )
    .thread_per_client()
    .has_worker_processes()
}
