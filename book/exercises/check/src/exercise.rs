//! What an exercise is, and all there are.

use std::time::{Duration, Instant};

use conformance::{CaseResult, Fixture, JobCosts, Ready, Subject};

use crate::answer::Answer;
use crate::cases;

/// How long to wait for what must come. Nothing is asked of an answer's
/// speed: this only ends a wait that would be in vain.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A task of the course, and how it is checked.
pub(crate) struct Exercise {
    /// The name of its folder and of its chapter.
    pub(crate) name: &'static str,
    /// What is to be done, in a line.
    pub(crate) task: &'static str,
    /// What must be true of an answer.
    pub(crate) cases: &'static [Case],
}

/// One thing that must be true of an answer.
pub(crate) struct Case {
    /// It, as a sentence.
    pub(crate) name: &'static str,
    /// What to look at, where it is not.
    pub(crate) hint: &'static str,
    /// Whether it is true of the starter already.
    pub(crate) is_kept: bool,
    /// What is said of the starter where it is not true of it.
    pub(crate) fault: &'static str,
    play: Play,
}

/// How a case is played, by what an answer is.
#[derive(Clone, Copy)]
enum Play {
    /// A server, which is started and spoken to.
    Server(fn(&Fixture<'_>) -> CaseResult),
    /// A program, which is run.
    Program(fn(&Answer) -> CaseResult),
}

impl Case {
    /// What a server must do, and the starter does not.
    pub(crate) const fn of_server(
        name: &'static str,
        hint: &'static str,
        play: fn(&Fixture<'_>) -> CaseResult,
    ) -> Case {
        Case::new(name, hint, Play::Server(play))
    }

    /// What a program must do, and the starter does not.
    pub(crate) const fn of_program(
        name: &'static str,
        hint: &'static str,
        play: fn(&Answer) -> CaseResult,
    ) -> Case {
        Case::new(name, hint, Play::Program(play))
    }

    const fn new(name: &'static str, hint: &'static str, play: Play) -> Case {
        Case { name, hint, is_kept: false, fault: "", play }
    }

    /// The starter does it, and an answer must not lose it.
    pub(crate) const fn kept(mut self) -> Case {
        self.is_kept = true;
        self
    }

    /// How the starter fails it: what is said of it has this part. It would
    /// teach something else if it failed in another way.
    pub(crate) const fn fails_by(mut self, fault: &'static str) -> Case {
        self.fault = fault;
        self
    }
}

impl Exercise {
    /// Plays the cases one after the other, and tells of each how it went and
    /// how many seconds it took.
    ///
    /// # Errors
    ///
    /// The answer is a server that does not start: no case is played.
    pub(crate) fn play(
        &self,
        answer: &Answer,
        mut tell: impl FnMut(&Case, Result<(), String>, f64),
    ) -> Result<(), String> {
        let subject = Subject::new(answer.server())
            .ready(Ready::Either)
            .only_flags(Vec::<String>::new())
            .without_service_manager()
            .patience(PATIENCE);
        let jobs = JobCosts::of(&subject);
        let on_stage = |play: &dyn Fn(&Fixture<'_>) -> CaseResult| {
            let fixture = Fixture::new(&subject, 0, &jobs);
            play(&fixture)
                .map_err(|fault| format!("{fault}{}", fixture.log_tail()))
        };
        let is_server = |case: &Case| matches!(case.play, Play::Server(_));
        if self.cases.iter().any(is_server) {
            on_stage(&|fixture| fixture.server(&[]).map(drop))?;
        }
        for case in self.cases {
            let start = Instant::now();
            let verdict = match case.play {
                Play::Server(play) => on_stage(&play),
                Play::Program(play) => {
                    play(answer).map_err(|fault| fault.to_string())
                }
            };
            tell(case, verdict, start.elapsed().as_secs_f64());
        }
        Ok(())
    }
}

/// All exercises, in the order of the chapters.
pub(crate) const EXERCISES: &[Exercise] = &[
    Exercise {
        name: "protocol",
        task: "answer lines, however they are cut on their way",
        cases: cases::protocol::CASES,
    },
    Exercise {
        name: "blocking",
        task: "end a client's turn so that it loses none of its answers",
        cases: cases::blocking::CASES,
    },
    Exercise {
        name: "threads",
        task: "share a memo among threads without holding it while computing",
        cases: cases::threads::CASES,
    },
    Exercise {
        name: "processes",
        task: "survive the death of a worker, and tell whom it concerns",
        cases: cases::processes::CASES,
    },
    Exercise {
        name: "mio",
        task: "keep what a socket does not take, and write it when it does",
        cases: cases::mio::CASES,
    },
    Exercise {
        name: "coroutines",
        task: "poll only the coroutines that can go on, and sleep otherwise",
        cases: cases::coroutines::CASES,
    },
    Exercise {
        name: "coroutines-pool",
        task: "spare quick requests the way to the pool and back",
        cases: cases::coroutines_pool::CASES,
    },
    Exercise {
        name: "mio-pool",
        task: "give an answer to the client that asked, or to nobody",
        cases: cases::mio_pool::CASES,
    },
    Exercise {
        name: "tokio",
        task: "tell the silent at every tick that you live, and lose no byte",
        cases: cases::tokio::CASES,
    },
    Exercise {
        name: "smol",
        task: "drop whoever takes too long for a line, in however many pieces",
        cases: cases::smol::CASES,
    },
    Exercise {
        name: "async-std",
        task: "port a server from async-std to smol",
        cases: cases::async_std::CASES,
    },
    Exercise {
        name: "chassis",
        task: "stop in good order at SIGTERM",
        cases: cases::chassis::CASES,
    },
    Exercise {
        name: "measuring",
        task: "count what a server's stall costs all who were due in it",
        cases: cases::measuring::CASES,
    },
    Exercise {
        name: "results",
        task: "say which of two servers is better on a machine that drifts",
        cases: cases::results::CASES,
    },
    Exercise {
        name: "claims",
        task: "judge a claim by an interval, and know when nobody can",
        cases: cases::claims::CASES,
    },
    Exercise {
        name: "python",
        task: "keep a client's long requests from taking the others' rate",
        cases: cases::python::CASES,
    },
    Exercise {
        name: "choosing",
        task: "say of a mix of requests whether it fits a loop, and threads",
        cases: cases::choosing::CASES,
    },
    Exercise {
        name: "yours",
        task: "enter a server of your own so that the suite judges it fairly",
        cases: cases::yours::CASES,
    },
];
