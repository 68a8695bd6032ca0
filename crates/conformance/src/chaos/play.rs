//! Plays the rounds of a plan on a server, and checks what it does.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use launch::Signal;
use rustix::event::{PollFd, Timespec, poll};
use rustix::process::{
    Pid, Resource, Rlimit, getrlimit, kill_process, prlimit,
};

use super::client::{ChaosClient, Excuses};
use super::plan::{CLIENTS_MAX, End, Life, Request, Round, Step};
use crate::case::{CaseFailure, CaseResult, Family, check, wait_until};
use crate::fixture::{Fixture, TestServer};
use crate::usage::ResourceUsage;

/// How long a worker may take for a job, with slow machines in mind.
const JOB_TIMEOUT: &str = "1s";

/// How much longer than usual to wait for the end of a server: it may drain for
/// 5 s, by default.
const DRAIN_TIME: Duration = Duration::from_secs(6);

/// How often to check whether a server that is late is busy.
const BUSY_CHECK_PERIOD: Duration = Duration::from_secs(1);

/// How many more descriptors than at its start a server may have without
/// clients: those of workers that are replaced, and of its runtime.
const FDS_MORE_MAX: u64 = 8;
/// The same of threads, which pools start when they need them.
const THREADS_MORE_MAX: u64 = 64;
/// The same of memory, which the allocator may keep.
const MEMORY_MORE_MAX: u64 = 64 << 20;

/// How many times each kind of event happened in a play.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChaosCounts(BTreeMap<&'static str, u64>);

impl ChaosCounts {
    pub(super) fn add(&mut self, what: &'static str, count: u64) {
        *self.0.entry(what).or_default() += count;
    }

    /// Returns the number of events of this kind.
    pub fn get(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or(0)
    }
}

impl fmt::Display for ChaosCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.0.iter().map(|(what, n)| format!("{n} {what}"));
        f.write_str(&counts.collect::<Vec<_>>().join(", "))
    }
}

/// A failure, and the round in which it happened.
pub(super) struct RoundFailure {
    pub(super) round: usize,
    pub(super) failure: CaseFailure,
}

/// A server in its life.
pub(super) struct Play<'a> {
    server: TestServer<'a>,
    clients: [Option<ChaosClient>; CLIENTS_MAX],
    /// The clients that are connected, in this order: the order in which a
    /// server with one client at a time serves them.
    order: Vec<usize>,
    excuses: Excuses,
    /// Those without any fault.
    excuses_at_start: Excuses,
    has_workers: bool,
    /// Before descriptors were taken away.
    fd_limit: Option<Rlimit>,
    baseline: ResourceUsage,
    patience: Duration,
}

/// Plays a server's life until its end or `deadline`.
pub(super) fn live(
    fixture: &Fixture<'_>,
    life: &Life,
    deadline: Instant,
    counts: &mut ChaosCounts,
) -> Result<(), RoundFailure> {
    let of = |round| move |failure| RoundFailure { round, failure };
    let mut play = Play::start(fixture, life).map_err(of(0))?;
    counts.add("servers", 1);
    let mut last = 0;
    for (index, round) in life.rounds.iter().enumerate() {
        last = index;
        play.round(round, counts).map_err(of(index))?;
        if round.end == End::Stop {
            return Ok(());
        }
        if Instant::now() >= deadline {
            break;
        }
    }
    if fixture.subject.claims(Family::Stopping) {
        play.stop_idle().map_err(of(last))?;
    }
    Ok(())
}

impl<'a> Play<'a> {
    fn start(fixture: &'a Fixture<'_>, life: &Life) -> CaseResult<Play<'a>> {
        let subject = fixture.subject;
        let max = life.connections_max.map(|max| max.to_string());
        let mut flags: Vec<&str> = Vec::new();
        if let Some(max) = &max {
            flags.extend(["--max-connections", max]);
        }
        let has_workers = subject.runs_worker_processes();
        if has_workers {
            flags.extend(["--workers", "2", "--job-timeout", JOB_TIMEOUT]);
        }
        let server = fixture.server(&flags)?;
        server.expect_service()?;
        let baseline = server.usage();
        let excuses = Excuses {
            is_full: max.is_some(),
            jobs_time_out: has_workers,
            ..Excuses::default()
        };
        Ok(Play {
            server,
            clients: [const { None }; CLIENTS_MAX],
            order: Vec::new(),
            excuses,
            excuses_at_start: excuses,
            has_workers,
            fd_limit: None,
            baseline,
            patience: fixture.patience(),
        })
    }

    /// Plays one round to its end.
    fn round(&mut self, round: &Round, counts: &mut ChaosCounts) -> CaseResult {
        counts.add("rounds", 1);
        for step in &round.steps {
            self.step(step, counts)?;
            self.proceed(Duration::ZERO)?;
        }
        match round.end {
            End::Settle => self.settle(counts),
            End::Stop => {
                counts.add("stops", 1);
                self.stop_busy()
            }
        }
    }

    fn step(&mut self, step: &Step, counts: &mut ChaosCounts) -> CaseResult {
        match *step {
            Step::Connect { client, small_window } => {
                self.connect(client, small_window, counts)?;
            }
            Step::Send { client, ref requests, held_back } => {
                if let Some(client) = &mut self.clients[client] {
                    client.send(requests, held_back);
                }
            }
            Step::StopReading(client) => self.set_reading(client, false),
            Step::ReadAgain(client) => self.set_reading(client, true),
            Step::HalfClose(client) => {
                if let Some(client) = &mut self.clients[client] {
                    counts.add("half-closes", 1);
                    client.half_close()?;
                }
            }
            Step::Close(client) => {
                if let Some(client) = self.take(client, counts) {
                    counts.add("closes", 1);
                    drop(client);
                }
            }
            Step::Reset(client) => {
                if let Some(client) = self.take(client, counts) {
                    counts.add("resets", 1);
                    client.reset();
                }
            }
            Step::Urgent(client) => {
                if let Some(client) = &mut self.clients[client] {
                    counts.add("urgent bytes", 1);
                    client.send_urgent();
                }
            }
            Step::Pause(time) => self.proceed(time)?,
            Step::SuspendServer(time) => {
                counts.add("suspensions", 1);
                self.server.signal(Signal::STOP);
                let during = self.proceed(time);
                self.server.signal(Signal::CONT);
                during?;
            }
            Step::TakeDescriptors => {
                counts.add("shortages", 1);
                self.take_descriptors()?;
            }
            Step::GiveDescriptorsBack => self.give_descriptors_back()?,
            Step::KillWorker(which) => {
                counts.add("workers hit", 1);
                self.signal_worker(which, Signal::KILL);
            }
            Step::SuspendWorker(which) => {
                counts.add("workers hit", 1);
                self.signal_worker(which, Signal::STOP);
            }
        }
        Ok(())
    }

    /// Connects a client, if there is none with this number.
    fn connect(
        &mut self,
        client: usize,
        small_window: bool,
        counts: &mut ChaosCounts,
    ) -> CaseResult {
        if self.clients[client].is_some() {
            return Ok(());
        }
        let connected = ChaosClient::connect(
            self.server.address(),
            small_window,
            self.patience,
        );
        let connected = connected.map_err(|error| {
            CaseFailure::new(format!("expected a connection, got: {error}"))
        })?;
        counts.add("clients", 1);
        self.clients[client] = Some(connected);
        self.order.push(client);
        Ok(())
    }

    fn set_reading(&mut self, client: usize, is_reading: bool) {
        if let Some(client) = &mut self.clients[client] {
            client.set_reading(is_reading);
        }
    }

    fn take(
        &mut self,
        client: usize,
        counts: &mut ChaosCounts,
    ) -> Option<ChaosClient> {
        self.order.retain(|&other| other != client);
        let taken = self.clients[client].take();
        let replies = taken.as_ref().map_or(0, ChaosClient::replies);
        counts.add("replies", replies);
        taken
    }

    fn signal_worker(&mut self, which: usize, signal: Signal) {
        let workers = self.server.workers();
        if !workers.is_empty() {
            self.excuses.workers_fail = true;
            // Fails only if the worker has ended by itself.
            let _ = kill_process(workers[which % workers.len()], signal);
        }
    }

    fn take_descriptors(&mut self) -> CaseResult {
        // Those that are open stay open.
        const NONE: u64 = 3;
        // A worker may need replacing now, which is not possible.
        self.excuses.workers_fail |= self.has_workers;
        self.excuses.is_full = true;
        // The server has inherited the hard limit.
        let none =
            Rlimit { current: Some(NONE), ..getrlimit(Resource::Nofile) };
        let limit = set_fd_limit(self.server.pid(), none)?;
        self.fd_limit.get_or_insert(limit);
        Ok(())
    }

    fn give_descriptors_back(&mut self) -> CaseResult {
        if let Some(limit) = self.fd_limit.take() {
            set_fd_limit(self.server.pid(), limit)?;
        }
        Ok(())
    }

    /// Lets all clients send and receive for this long.
    fn proceed(&mut self, time: Duration) -> CaseResult {
        let deadline = Instant::now() + time;
        loop {
            for (number, client) in self.clients.iter_mut().enumerate() {
                let Some(client) = client else { continue };
                let proceeded = client.proceed(self.excuses);
                proceeded
                    .map_err(|failure| failure.context(name_of(number)))?;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            let mut fds: Vec<PollFd<'_>> = self
                .clients
                .iter()
                .flatten()
                .filter_map(ChaosClient::interest)
                .map(|(fd, flags)| PollFd::from_borrowed_fd(fd, flags))
                .collect();
            let left = Timespec::try_from(left).ok();
            // After EINTR, too, everything is tried.
            let _ = poll(&mut fds, left.as_ref());
        }
    }

    /// Gives descriptors back, and lets each client finish. Checks that each
    /// gets all its replies, and that nothing is left. The server must replace
    /// workers that are suspended.
    fn settle(&mut self, counts: &mut ChaosCounts) -> CaseResult {
        self.give_descriptors_back()?;
        for number in self.order.clone() {
            let Some(client) = &mut self.clients[number] else { continue };
            client.set_reading(true);
            client.send(&[(Request::Fib(10), 1)], 0);
            client.half_close()?;
            self.wait_for_end(number)?;
            self.take(number, counts);
        }
        self.expect_nothing_left()?;
        self.excuses = self.excuses_at_start;
        Ok(())
    }

    /// Waits until a client's connection has ended. A server that is still
    /// computing, on a busy machine, has more time than one that waits.
    fn wait_for_end(&mut self, number: usize) -> CaseResult {
        const BUSY_FACTOR: u32 = 10;
        let start = Instant::now();
        let mut deadline = start + self.patience;
        while let Some(client) = &self.clients[number]
            && !client.has_ended()
        {
            if Instant::now() >= deadline {
                let waited = start.elapsed();
                let replies = client.replies();
                let is_hopeless = waited > BUSY_FACTOR * self.patience;
                let is_busy = self.is_busy()?;
                let client = self.clients[number].as_ref();
                let has_moved = client.is_none_or(|client| {
                    client.has_ended() || client.replies() > replies
                });
                if is_hopeless || !(is_busy || has_moved) {
                    let client = self.clients[number].as_ref();
                    let failure = client.map(|client| client.waits(waited));
                    let failure = failure.expect("the client is connected");
                    return Err(failure.context(name_of(number)));
                }
                deadline = Instant::now() + BUSY_CHECK_PERIOD;
            }
            self.proceed(Duration::from_millis(1))?;
        }
        Ok(())
    }

    /// Returns `true` if the server computes, or waits for a processor, at any
    /// time within a second.
    fn is_busy(&mut self) -> CaseResult<bool> {
        const SAMPLES: u32 = 50;
        for _ in 0..SAMPLES {
            if self.server.is_runnable() {
                return Ok(true);
            }
            self.proceed(BUSY_CHECK_PERIOD / SAMPLES)?;
        }
        Ok(false)
    }

    /// Checks that the server uses about as much as before it had clients.
    fn expect_nothing_left(&self) -> CaseResult {
        let mut now = self.baseline;
        let is_released = wait_until(self.patience, || {
            now = self.server.usage();
            now.fds <= self.baseline.fds + FDS_MORE_MAX
                && now.threads <= self.baseline.threads + THREADS_MORE_MAX
                && now.memory_bytes
                    <= self.baseline.memory_bytes + MEMORY_MORE_MAX
        });
        check(is_released, || {
            format!(
                "expected about as much as before the clients came, got \
                 {now:?} after {:?}",
                self.baseline
            )
        })?;
        self.expect_service()
    }

    /// Checks that a new client is served. Each worker that is suspended may
    /// cost it a job.
    fn expect_service(&self) -> CaseResult {
        const WORKERS: usize = 2;
        let losses = if self.has_workers { WORKERS } else { 0 };
        let mut served = self.server.expect_service();
        for _ in 0..losses {
            if served.is_ok() {
                break;
            }
            served = self.server.expect_service();
        }
        served
    }

    /// Stops the server while clients are active, and checks how it ends.
    fn stop_busy(&mut self) -> CaseResult {
        self.give_descriptors_back()?;
        for client in self.clients.iter_mut().flatten() {
            client.set_reading(true);
        }
        self.excuses.is_stopping = true;
        self.server.signal(Signal::TERM);
        let time_max = self.patience + DRAIN_TIME;
        let deadline = Instant::now() + time_max;
        loop {
            self.proceed(Duration::from_millis(1))?;
            let status = self.server.process().wait(Duration::ZERO);
            if let Some(status) = status {
                return self.expect_order(status);
            }
            check(Instant::now() < deadline, || {
                format!("expected an end within {time_max:?}")
            })?;
        }
    }

    /// Checks how the server ended: with whole replies, or with the exit code
    /// for work that was cut off.
    fn expect_order(&mut self, status: ExitStatus) -> CaseResult {
        const CUT_OFF: i32 = 3;
        self.proceed(Duration::ZERO)?;
        match status.code() {
            Some(0) => {}
            Some(CUT_OFF) => return Ok(()),
            _ => {
                let text = format!("expected exit code 0 or 3, got {status}");
                return Err(CaseFailure::new(text));
            }
        }
        self.clients.iter().enumerate().try_for_each(|(number, client)| {
            let whole = client
                .as_ref()
                .map_or(Ok(()), |client| client.expect_no_torn_line());
            whole.map_err(|failure| failure.context(name_of(number)))
        })
    }

    /// Stops the server without clients, and checks how it ends.
    fn stop_idle(&mut self) -> CaseResult {
        self.server.signal(Signal::TERM);
        self.server.expect_exit(0, self.patience + DRAIN_TIME).map(drop)
    }
}

fn name_of(client: usize) -> String {
    format!("client {client}")
}

/// Sets a process's limit on descriptors, and returns the old one.
fn set_fd_limit(pid: Pid, limit: Rlimit) -> CaseResult<Rlimit> {
    prlimit(Some(pid), Resource::Nofile, limit).map_err(|error| {
        let error = io::Error::from(error);
        CaseFailure::new(format!("cannot limit the server: {error}"))
    })
}
