//! The plan of a server's life: rounds of random steps, all from one seed.

use std::fmt;
use std::time::Duration;

use crate::random::Random;
use crate::reply::{ExpectedReply, LINE_TOO_LONG, NOT_A_NUMBER, TOO_LARGE};

/// How many clients a round has at most.
pub(super) const CLIENTS_MAX: usize = 12;

const ROUNDS_MAX: u64 = 16;
const STEPS_MIN: u64 = 20;
const STEPS_MAX: u64 = 120;

/// A limit on connections that is lower than the number of clients.
const FEW_CONNECTIONS: usize = 6;

/// The n of requests whose jobs are short, even in slow languages.
const SHORT_N_END: u64 = 16;
/// The n of requests in large numbers.
const FLOOD_N_END: u64 = 8;

/// From this number of bytes on, a line is too long, even without its LF.
pub(super) const LONG_LINE_BYTES: usize = 64;

/// What the steps of a plan may include.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope {
    /// The n of a job that takes some milliseconds.
    pub(super) long_n: u64,
    pub(super) bad_lines: bool,
    /// Clients that half-close, reset, or leave a line unfinished.
    pub(super) ends: bool,
    pub(super) urgent_data: bool,
    pub(super) few_connections: bool,
    pub(super) few_descriptors: bool,
    pub(super) workers: bool,
    pub(super) stop: bool,
}

/// What happens to one server from its start to its end.
#[derive(Clone, Debug)]
pub(super) struct Life {
    pub(super) connections_max: Option<usize>,
    pub(super) rounds: Vec<Round>,
}

/// Steps after each other, and how they end.
#[derive(Clone, Debug)]
pub(super) struct Round {
    pub(super) steps: Vec<Step>,
    pub(super) end: End,
}

/// How a round ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Each client finishes its requests, half-closes and gets all replies.
    Settle,
    /// The server is stopped while the clients are active.
    Stop,
}

/// One step. A step of a client that isn't connected does nothing, so that any
/// part of a plan is a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Connect {
        client: usize,
        small_window: bool,
    },
    /// Sends requests, and keeps the last `held_back` bytes until the next
    /// step that sends.
    Send {
        client: usize,
        requests: Vec<(Request, usize)>,
        held_back: usize,
    },
    StopReading(usize),
    ReadAgain(usize),
    HalfClose(usize),
    Close(usize),
    Reset(usize),
    Urgent(usize),
    Pause(Duration),
    SuspendServer(Duration),
    TakeDescriptors,
    GiveDescriptorsBack,
    KillWorker(usize),
    SuspendWorker(usize),
}

/// A line of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    Fib(u64),
    /// With spaces, a tab and CR LF.
    Spaced(u64),
    Letters,
    Empty,
    TooLarge,
    /// A line of this many bytes, which are too many.
    Long(usize),
}

impl Request {
    pub(super) fn line(self) -> Vec<u8> {
        match self {
            Request::Fib(n) => format!("{n}\n").into_bytes(),
            Request::Spaced(n) => format!(" \t{n} \r\n").into_bytes(),
            Request::Letters => b"chaos\n".to_vec(),
            Request::Empty => b"\n".to_vec(),
            Request::TooLarge => b"1000000\n".to_vec(),
            Request::Long(bytes) => {
                let mut line = vec![b'7'; bytes];
                line[bytes - 1] = b'\n';
                line
            }
        }
    }

    pub(super) fn reply(self) -> ExpectedReply {
        match self {
            Request::Fib(n) | Request::Spaced(n) => ExpectedReply::Fib(n),
            Request::Letters | Request::Empty => NOT_A_NUMBER,
            Request::TooLarge => TOO_LARGE,
            Request::Long(_) => LINE_TOO_LONG,
        }
    }
}

impl Life {
    /// Returns the life that follows from `seed`.
    pub(super) fn new(seed: u64, scope: Scope) -> Life {
        let mut random = Random::new(seed);
        let is_crowded = scope.few_connections && random.below(3) == 0;
        let count = 1 + random.below(ROUNDS_MAX);
        let rounds = (1..=count).map(|round| {
            let is_last = round == count;
            let is_stopped = scope.stop && is_last && random.below(2) == 0;
            let steps = STEPS_MIN + random.below(STEPS_MAX - STEPS_MIN);
            let steps = (0..steps).map(|_| step(&mut random, scope));
            Round {
                steps: steps.collect(),
                end: if is_stopped { End::Stop } else { End::Settle },
            }
        });
        Life {
            connections_max: is_crowded.then_some(FEW_CONNECTIONS),
            rounds: rounds.collect(),
        }
    }
}

fn step(random: &mut Random, scope: Scope) -> Step {
    let client = random.below(CLIENTS_MAX as u64) as usize;
    let pause = |random: &mut Random, millis| {
        Duration::from_millis(1 + random.below(millis))
    };
    match random.below(100) {
        0..20 => Step::Connect { client, small_window: random.below(4) == 0 },
        20..65 => send(random, client, scope),
        65..70 => Step::StopReading(client),
        70..75 => Step::ReadAgain(client),
        75..79 if scope.ends => Step::HalfClose(client),
        79..82 if scope.ends => Step::Close(client),
        82..86 if scope.ends => Step::Reset(client),
        86..88 if scope.urgent_data => Step::Urgent(client),
        88 => Step::SuspendServer(pause(random, 50)),
        89 if scope.few_descriptors => Step::TakeDescriptors,
        90 if scope.few_descriptors => Step::GiveDescriptorsBack,
        91 if scope.workers => Step::KillWorker(client),
        92 if scope.workers => Step::SuspendWorker(client),
        _ => Step::Pause(pause(random, 8)),
    }
}

fn send(random: &mut Random, client: usize, scope: Scope) -> Step {
    let mut requests = Vec::new();
    for _ in 0..=random.below(4) {
        requests.push(match random.below(20) {
            0 => {
                let count = 1 + random.below(3_000) as usize;
                (Request::Fib(random.below(FLOOD_N_END)), count)
            }
            1 => (Request::Fib(scope.long_n), 1),
            2 | 3 => (Request::Spaced(random.below(SHORT_N_END)), 1),
            4 if scope.bad_lines => (Request::Letters, 1),
            5 if scope.bad_lines => (Request::Empty, 1),
            6 if scope.bad_lines => (Request::TooLarge, 1),
            7 if scope.bad_lines => {
                let more = 1 + random.below(10_000) as usize;
                (Request::Long(LONG_LINE_BYTES + more), 1)
            }
            _ => {
                let count = 1 + random.below(8) as usize;
                (Request::Fib(random.below(SHORT_N_END)), count)
            }
        });
    }
    let last = requests.last().map_or(1, |(last, _)| last.line().len());
    let held_back = match random.below(4) {
        0 if scope.ends => random.below(last as u64) as usize,
        _ => 0,
    };
    Step::Send { client, requests, held_back }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Connect { client, small_window: false } => {
                write!(f, "client {client} connects")
            }
            Step::Connect { client, small_window: true } => {
                write!(f, "client {client} connects with a small window")
            }
            Step::Send { client, requests, held_back } => {
                write!(f, "client {client} sends")?;
                for (request, count) in requests {
                    match request {
                        Request::Long(bytes) => {
                            write!(f, " a line of {bytes} bytes")?;
                        }
                        request => {
                            let line = request.line();
                            write!(f, " \"{}\"", line.escape_ascii())?;
                        }
                    }
                    if *count > 1 {
                        write!(f, " × {count}")?;
                    }
                }
                if *held_back > 0 {
                    write!(f, " without the last {held_back} bytes")?;
                }
                Ok(())
            }
            Step::StopReading(client) => {
                write!(f, "client {client} stops reading")
            }
            Step::ReadAgain(client) => write!(f, "client {client} reads again"),
            Step::HalfClose(client) => write!(f, "client {client} half-closes"),
            Step::Close(client) => write!(f, "client {client} closes"),
            Step::Reset(client) => write!(f, "client {client} resets"),
            Step::Urgent(client) => {
                write!(f, "client {client} sends urgent data")
            }
            Step::Pause(time) => write!(f, "{time:?} pass"),
            Step::SuspendServer(time) => {
                write!(f, "the server is suspended for {time:?}")
            }
            Step::TakeDescriptors => f.write_str("no more descriptors"),
            Step::GiveDescriptorsBack => f.write_str("descriptors again"),
            Step::KillWorker(_) => f.write_str("a worker is killed"),
            Step::SuspendWorker(_) => f.write_str("a worker is suspended"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Scope = Scope {
        long_n: 25,
        bad_lines: true,
        ends: true,
        urgent_data: true,
        few_connections: true,
        few_descriptors: true,
        workers: true,
        stop: true,
    };

    #[test]
    fn the_same_seed_gives_the_same_life() {
        let show = |seed| format!("{:?}", Life::new(seed, ALL));
        assert_eq!(show(1), show(1));
        assert_ne!(show(1), show(2));
    }

    #[test]
    fn only_the_last_line_is_held_back_in_part() {
        for seed in 0..50 {
            let life = Life::new(seed, ALL);
            for step in life.rounds.iter().flat_map(|round| &round.steps) {
                let Step::Send { requests, held_back, .. } = step else {
                    continue;
                };
                let (last, _) = requests.last().unwrap();
                assert!(*held_back < last.line().len(), "{step}");
            }
        }
    }

    #[test]
    fn a_plan_keeps_to_its_scope() {
        let none = Scope {
            bad_lines: false,
            ends: false,
            urgent_data: false,
            few_connections: false,
            few_descriptors: false,
            workers: false,
            stop: false,
            ..ALL
        };
        for seed in 0..50 {
            let life = Life::new(seed, none);
            assert_eq!(life.connections_max, None);
            for round in &life.rounds {
                assert_eq!(round.end, End::Settle);
                for step in &round.steps {
                    assert!(
                        !matches!(
                            step,
                            Step::HalfClose(_)
                                | Step::Close(_)
                                | Step::Reset(_)
                                | Step::Urgent(_)
                                | Step::TakeDescriptors
                                | Step::GiveDescriptorsBack
                                | Step::KillWorker(_)
                                | Step::SuspendWorker(_)
                        ),
                        "{step}"
                    );
                    let Step::Send { requests, held_back, .. } = step else {
                        continue;
                    };
                    assert_eq!(*held_back, 0);
                    assert!(requests.iter().all(|(request, _)| matches!(
                        request,
                        Request::Fib(_) | Request::Spaced(_)
                    )));
                }
            }
        }
    }
}
