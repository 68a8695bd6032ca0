//! The list of exercises, and how their cases are run.

use std::time::{Duration, Instant};

use conformance::{CaseResult, Fixture, JobCosts, Ready, Subject};

use crate::cases;
use crate::submission::Submission;

/// How long to wait for what must happen. No case requires a submission to be
/// fast: this only ends a wait that would never succeed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A task of the course, and how it is checked.
pub(crate) struct Exercise {
    /// The name of its folder and of its chapter.
    pub(crate) name: &'static str,
    /// A summary of the task in one line.
    pub(crate) task: &'static str,
    /// The requirements that a submission must meet.
    pub(crate) cases: &'static [Case],
}

/// One requirement that a submission must meet.
pub(crate) struct Case {
    /// The requirement, as a sentence.
    pub(crate) name: &'static str,
    /// A hint for the reader whose submission fails.
    pub(crate) hint: &'static str,
    /// Whether the starter passes.
    pub(crate) starter_passes: bool,
    /// A part of the fault that the starter must fail with. Empty allows any.
    pub(crate) fault: &'static str,
    test: Test,
}

/// The test of a case, by the kind of the submission.
#[derive(Clone, Copy)]
enum Test {
    /// Starts a server and talks to it.
    Server(fn(&Fixture<'_>) -> CaseResult),
    /// Runs a program until it exits.
    Program(fn(&Submission) -> CaseResult),
}

impl Case {
    /// Creates a case that tests a server, and that the starter fails.
    pub(crate) const fn of_server(
        name: &'static str,
        hint: &'static str,
        test: fn(&Fixture<'_>) -> CaseResult,
    ) -> Case {
        Case::new(name, hint, Test::Server(test))
    }

    /// Creates a case that tests a program, and that the starter fails.
    pub(crate) const fn of_program(
        name: &'static str,
        hint: &'static str,
        test: fn(&Submission) -> CaseResult,
    ) -> Case {
        Case::new(name, hint, Test::Program(test))
    }

    const fn new(name: &'static str, hint: &'static str, test: Test) -> Case {
        Case { name, hint, starter_passes: false, fault: "", test }
    }

    /// Marks a case that the starter passes, and a submission must not break.
    pub(crate) const fn starter_passes(mut self) -> Case {
        self.starter_passes = true;
        self
    }

    /// Requires this text in the fault that the starter fails with. A starter
    /// that failed in another way would teach something else.
    pub(crate) const fn fails_with(mut self, fault: &'static str) -> Case {
        self.fault = fault;
        self
    }
}

impl Exercise {
    /// Runs the cases one after another, and calls `report` with each case, its
    /// verdict, and how many seconds it took.
    ///
    /// # Errors
    ///
    /// The submission is a server that doesn't start. No case is run.
    pub(crate) fn run(
        &self,
        submission: &Submission,
        mut report: impl FnMut(&Case, Result<(), String>, f64),
    ) -> Result<(), String> {
        let subject = Subject::new(submission.server())
            .ready(Ready::Either)
            .only_flags(Vec::<String>::new())
            .without_service_manager()
            .patience(PATIENCE);
        let jobs = JobCosts::of(&subject);
        let on_stage = |test: &dyn Fn(&Fixture<'_>) -> CaseResult| {
            let fixture = Fixture::new(&subject, 0, &jobs);
            test(&fixture)
                .map_err(|fault| format!("{fault}{}", fixture.log_tail()))
        };
        let is_server = |case: &Case| matches!(case.test, Test::Server(_));
        if self.cases.iter().any(is_server) {
            on_stage(&|fixture| fixture.server(&[]).map(drop))?;
        }
        for case in self.cases {
            let start = Instant::now();
            let verdict = match case.test {
                Test::Server(test) => on_stage(&test),
                Test::Program(test) => {
                    test(submission).map_err(|fault| fault.to_string())
                }
            };
            report(case, verdict, start.elapsed().as_secs_f64());
        }
        Ok(())
    }
}

/// All exercises, in the order of the chapters.
pub(crate) const EXERCISES: &[Exercise] = &[
    Exercise {
        name: "protocol",
        task: "answer lines, however TCP splits them",
        cases: cases::protocol::CASES,
    },
    Exercise {
        name: "blocking",
        task: "end a client's turn without losing any of its replies",
        cases: cases::blocking::CASES,
    },
    Exercise {
        name: "threads",
        task: "share a memo among threads without locking it while computing",
        cases: cases::threads::CASES,
    },
    Exercise {
        name: "processes",
        task: "survive the death of a worker, and report it to its client",
        cases: cases::processes::CASES,
    },
    Exercise {
        name: "mio",
        task: "keep what a socket doesn't take, and write it when it is ready",
        cases: cases::mio::CASES,
    },
    Exercise {
        name: "coroutines",
        task: "poll only coroutines that were woken, and sleep otherwise",
        cases: cases::coroutines::CASES,
    },
    Exercise {
        name: "coroutines-pool",
        task: "spare short requests the way to the pool and back",
        cases: cases::coroutines_pool::CASES,
    },
    Exercise {
        name: "mio-pool",
        task: "send a reply to the client that asked for it, and to no other",
        cases: cases::mio_pool::CASES,
    },
    Exercise {
        name: "tokio",
        task: "send a heartbeat at every tick, and lose no byte of a line",
        cases: cases::tokio::CASES,
    },
    Exercise {
        name: "smol",
        task: "drop a client that takes too long to send a whole line",
        cases: cases::smol::CASES,
    },
    Exercise {
        name: "async-std",
        task: "port a server from async-std to smol",
        cases: cases::async_std::CASES,
    },
    Exercise {
        name: "chassis",
        task: "drain the connections at SIGTERM before exiting",
        cases: cases::chassis::CASES,
    },
    Exercise {
        name: "measuring",
        task: "count what a server's stall costs every request due during it",
        cases: cases::measuring::CASES,
    },
    Exercise {
        name: "results",
        task: "decide which of two servers is faster on a machine that drifts",
        cases: cases::results::CASES,
    },
    Exercise {
        name: "claims",
        task: "judge a claim by an interval, or leave it open",
        cases: cases::claims::CASES,
    },
    Exercise {
        name: "python",
        task: "keep long requests from taking the rate of short ones",
        cases: cases::python::CASES,
    },
    Exercise {
        name: "choosing",
        task: "predict whether a mix of requests fits a loop or threads",
        cases: cases::choosing::CASES,
    },
    Exercise {
        name: "yours",
        task: "enter a server of your own so that the suite judges it fairly",
        cases: cases::yours::CASES,
    },
];
