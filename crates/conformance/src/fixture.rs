//! The fixture of a case: starts servers of the subject, and knows how long a
//! job takes on them.

use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use launch::{Launch, Process, Signal};
use rustix::process::Pid;

use crate::Subject;
use crate::case::{Ability, CaseFailure, CaseResult, check, wait_until};
use crate::client::{Client, Next};
use crate::reply::ExpectedReply;
use crate::usage::{self, ResourceUsage};

/// How long to wait for an event that the model by design can't produce.
const SHORT_WAIT: Duration = Duration::from_millis(500);

/// The flag that lets a server compute any n that a case asks for.
pub(crate) const ANY_N: [&str; 2] = ["--max-n", "93"];

/// The factor by which the cost of the naive fib grows from n to n + 1.
const GOLDEN_RATIO: f64 = 1.618_033_988_749_895;

/// How many of a server's last log lines a failure shows.
const LOG_LINES_SHOWN: usize = 8;

/// The context of a failure of a client that connects after the events of its
/// case.
const NEW_CLIENT: &str = "a client that connected afterwards";

/// What a case works with: it starts the subject's servers, and knows how
/// long a job takes on them.
pub struct Fixture<'a> {
    /// The server under test.
    pub(crate) subject: &'a Subject,
    /// The seed of random choices.
    pub(crate) seed: u64,
    costs: &'a JobCosts<'a>,
    /// The log lines of the servers that have been dropped.
    log: RefCell<Vec<String>>,
}

impl<'a> Fixture<'a> {
    /// Returns a fixture for one case.
    pub fn new(
        subject: &'a Subject,
        seed: u64,
        costs: &'a JobCosts<'a>,
    ) -> Fixture<'a> {
        Fixture { subject, seed, costs, log: RefCell::default() }
    }

    /// Starts the subject with these flags and waits until it is ready.
    pub fn server(&self, flags: &[&str]) -> CaseResult<TestServer<'_>> {
        self.start(self.launch(flags))
    }

    /// Starts a server as `launch` specifies and waits until it is ready.
    pub(crate) fn start(&self, launch: Launch) -> CaseResult<TestServer<'_>> {
        let server = launch.start()?;
        Ok(TestServer { server, patience: self.patience(), log: &self.log })
    }

    /// Returns a launch of the subject with these flags. `--max-n` and its
    /// value are left out if the subject doesn't have that flag.
    pub(crate) fn launch(&self, flags: &[&str]) -> Launch {
        let max_n = flags.iter().position(|&flag| flag == ANY_N[0]);
        let flags = match max_n {
            Some(start) if !self.subject.has_flag(ANY_N[0]) => {
                [&flags[..start], &flags[start + ANY_N.len()..]].concat()
            }
            Some(_) | None => flags.to_vec(),
        };
        self.subject.launch(&flags)
    }

    /// Starts the subject on `address` and waits until it is ready there.
    pub(crate) fn server_at(
        &self,
        address: SocketAddr,
        flags: &[&str],
    ) -> CaseResult<Process> {
        let process = self.launch(flags).spawn(address)?;
        let is_ready = if self.subject.is_ready_by_line() {
            process
                .stdout_line(self.patience())
                .is_some_and(|line| line.contains(&address.to_string()))
        } else {
            wait_until(self.patience(), || self.client_of(address).is_ok())
        };
        if !is_ready {
            self.log.borrow_mut().extend(process.log());
        }
        check(is_ready, || {
            format!("expected the server to be ready on {address}")
        })?;
        Ok(process)
    }

    /// Connects a client to the server that listens on `address`.
    ///
    /// # Errors
    ///
    /// Returns an error if connect(2) fails.
    pub(crate) fn client_of(&self, address: SocketAddr) -> io::Result<Client> {
        Client::connect(address, self.patience())
    }

    /// Returns the smallest n whose job takes at least `duration` on the
    /// subject's servers when nothing else runs.
    ///
    /// A server must be started with `--max-n 93` to accept this n. If the
    /// subject has no such flag, this is at most the largest n that it accepts.
    pub fn n_that_takes(&self, duration: Duration) -> CaseResult<u64> {
        let cost = self.costs.measured().as_ref().map_err(|failure| {
            CaseFailure::new(format!("no job could be timed: {failure}"))
        })?;
        let n = cost.n_that_takes(duration);
        Ok(if self.subject.has_flag(ANY_N[0]) {
            n
        } else {
            n.min(self.subject.largest_n())
        })
    }

    /// Returns how long to wait for an event that must happen.
    pub fn patience(&self) -> Duration {
        self.subject.max_wait()
    }

    /// Returns how long to wait for an event that only a server with this
    /// ability produces.
    pub(crate) fn patience_for(&self, ability: Ability) -> Duration {
        match self.subject.lacks(ability) {
            Some(_) => SHORT_WAIT,
            None => self.patience(),
        }
    }

    /// Returns `wanted`, or 1 if the subject serves one client at a time.
    pub(crate) fn clients_at_a_time(&self, wanted: usize) -> usize {
        if self.subject.serves_several() { wanted } else { 1 }
    }

    /// Returns the last log lines of the servers that have been dropped, as
    /// text to append to a failure.
    pub fn log_tail(&self) -> String {
        let log = self.log.borrow();
        let tail = &log[log.len().saturating_sub(LOG_LINES_SHOWN)..];
        tail.iter().map(|line| format!("\nlog      {line}")).collect()
    }
}

/// A running server of the subject. Dropping it kills its process group.
pub struct TestServer<'a> {
    server: launch::Server,
    patience: Duration,
    log: &'a RefCell<Vec<String>>,
}

impl TestServer<'_> {
    /// Returns the address that the server listens on.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Returns the id of the server's process, which leads its process group.
    pub fn pid(&self) -> Pid {
        self.server.pid()
    }

    /// Returns `true` if the server computes, or waits for a processor.
    pub(crate) fn is_runnable(&self) -> bool {
        usage::is_runnable(self.server.pid())
    }

    /// Returns the server's child processes that have executed their program.
    /// A signal that stops one before would also stop the thread that waits for
    /// it, in vfork(2).
    pub(crate) fn workers(&self) -> Vec<Pid> {
        let own = usage::command_line(self.server.pid());
        let mut children = self.children();
        children.retain(|&child| usage::command_line(child) != own);
        children
    }

    /// Returns the server's child processes that are alive.
    pub(crate) fn children(&self) -> Vec<Pid> {
        usage::children(self.server.pid())
    }

    /// Returns how many bytes the kernel has queued for the client that is
    /// farthest behind.
    pub(crate) fn send_queue_bytes(&self) -> u64 {
        usage::send_queue_bytes(self.address().port())
    }

    /// Connects a client.
    pub fn client(&self) -> CaseResult<Client> {
        Client::connect(self.address(), self.patience).map_err(|error| {
            CaseFailure::new(format!("expected a connection, got: {error}"))
        })
    }

    /// Connects a client with a small receive window, so that replies that it
    /// doesn't read stay with the server.
    pub fn client_with_window(&self, bytes: usize) -> CaseResult<Client> {
        let (address, patience) = (self.address(), self.patience);
        Ok(Client::connect_with_window(address, patience, bytes)?)
    }

    /// Like [`client_with_window`](TestServer::client_with_window), but the
    /// send queue of the server's kernel stays small, too.
    pub fn client_with_small_buffers(
        &self,
        window: usize,
    ) -> CaseResult<Client> {
        let (address, patience) = (self.address(), self.patience);
        Ok(Client::connect_with_small_segments(address, patience, window)?)
    }

    /// Connects a client that waits three times as long for a reply. For long
    /// jobs, which a busy machine delays.
    pub(crate) fn patient_client(&self) -> CaseResult<Client> {
        Ok(Client::connect(self.address(), 3 * self.patience)?)
    }

    /// Returns how long to wait for an event that must happen.
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// Connects `count` clients.
    pub fn clients(&self, count: usize) -> CaseResult<Vec<Client>> {
        (0..count).map(|_| self.client()).collect()
    }

    /// Returns the server's last log lines: what it wrote to stderr.
    pub fn log(&self) -> Vec<String> {
        self.server.log()
    }

    /// Returns the resources that the server uses now.
    pub fn usage(&self) -> ResourceUsage {
        ResourceUsage::of_group(self.server.pid())
    }

    /// Sends `batch` from `client` again and again, without reading replies,
    /// until the server is stuck: its replies fill all buffers, and it neither
    /// reads nor uses CPU time. Returns the number of bytes sent.
    pub(crate) fn send_until_stuck(
        &self,
        client: &mut Client,
        batch: &[u8],
    ) -> CaseResult<usize> {
        /// After this time without room, all buffers seem to be full.
        const FULL: Duration = Duration::from_millis(200);
        /// A stuck server uses no CPU time for this long.
        const IDLE: Duration = Duration::from_millis(300);
        const BYTES_MAX: usize = 16 << 20;
        let expected = "the server to wait for a client that does not read";
        let deadline = Instant::now() + 3 * self.patience;
        let mut sent = 0;
        while sent < BYTES_MAX {
            if client.can_send_within(FULL) {
                match client.send_some(&batch[sent % batch.len()..]) {
                    Ok(count) => sent += count,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(error) => {
                        let got = format!("sending failed: {error}");
                        return Err(client.failure(expected, &got));
                    }
                }
                continue;
            }
            // A full socket may also mean that the server is slow, or that the
            // machine is busy.
            let cpu = self.usage().cpu;
            if !client.can_send_within(IDLE) && self.usage().cpu == cpu {
                return Ok(sent);
            }
            if Instant::now() > deadline {
                let got = "a server that reads nothing, but uses CPU time";
                return Err(client.failure(expected, got));
            }
        }
        let got = format!("{BYTES_MAX} bytes of requests read");
        Err(client.failure(expected, &got))
    }

    /// Checks that the server uses no more file descriptors than `baseline`
    /// and is still alive: a new client gets a value or `server-full`.
    pub fn expect_fds_released(&self, baseline: ResourceUsage) -> CaseResult {
        self.expect_fds_closed(baseline)?;
        // Only a reply shows that the server is alive; a refusal will do.
        let admitted = self.client()?.try_ask();
        admitted.map(drop).map_err(|failure| failure.context(NEW_CLIENT))
    }

    /// Checks that the server uses no more file descriptors than `baseline`.
    ///
    /// This alone doesn't show that the server is alive: a process that has
    /// ended has no descriptors, and one that is ending shows none as soon as
    /// its main thread is gone, even if other threads still have the listener.
    /// So the caller should request a reply from the server afterwards.
    pub fn expect_fds_closed(&self, baseline: ResourceUsage) -> CaseResult {
        let mut now = baseline;
        let are_closed = wait_until(self.patience, || {
            now = self.usage();
            now.fds <= baseline.fds
        });
        check(are_closed, || {
            let (before, after) = (baseline.fds, now.fds);
            format!("expected {before} open fds, as before; got {after}")
        })
    }

    /// Checks that the server's peak memory exceeds its memory in `before` by
    /// at most `growth_bytes_max`.
    pub fn expect_memory_bounded(
        &self,
        before: ResourceUsage,
        growth_bytes_max: u64,
    ) -> CaseResult {
        let peak = self.usage().memory_bytes_peak;
        let growth = peak.saturating_sub(before.memory_bytes);
        check(growth <= growth_bytes_max, || {
            format!(
                "expected at most {} KiB more memory, got {} KiB more",
                growth_bytes_max / 1024,
                growth / 1024
            )
        })
    }

    /// Checks that the server still serves: a new client gets a value.
    pub fn expect_service(&self) -> CaseResult {
        self.client()?.ask(10).map_err(|failure| failure.context(NEW_CLIENT))
    }

    /// Checks that the server's port refuses connections.
    pub(crate) fn expect_port_closed(&self) -> CaseResult {
        let closed = wait_until(self.patience, || self.client().is_err());
        check(closed, || "expected the port to be closed".to_owned())
    }

    /// Sends SIGTERM and waits until the port is closed: the stop has begun.
    pub fn stop(&self) -> CaseResult {
        self.signal(Signal::TERM);
        self.expect_port_closed()
    }

    /// Sends a signal to the server's process.
    pub fn signal(&self, signal: Signal) {
        // Fails only if the process has ended; the case checks its status.
        let _ = rustix::process::kill_process(self.server.pid(), signal);
    }

    /// Checks that the server ends with this exit code in time, and returns
    /// how long it took.
    pub fn expect_exit(
        &mut self,
        code: i32,
        within: Duration,
    ) -> CaseResult<Duration> {
        let start = Instant::now();
        let status = self.server.process().wait(within);
        let expected = format!("expected exit code {code} within {within:?}");
        match status {
            Some(status) if status.code() == Some(code) => Ok(start.elapsed()),
            Some(status) => {
                Err(CaseFailure::new(format!("{expected}, got {status}")))
            }
            None => Err(CaseFailure::new(format!(
                "{expected}, but the server still runs"
            ))),
        }
    }

    /// Returns the server's process, for instance to wait for its end.
    pub fn process(&mut self) -> &mut Process {
        self.server.process()
    }
}

impl Drop for TestServer<'_> {
    fn drop(&mut self) {
        self.log.borrow_mut().extend(self.server.log());
    }
}

/// How long jobs take on a subject's servers, measured at the first use.
#[derive(Debug)]
pub struct JobCosts<'a> {
    subject: &'a Subject,
    measured: OnceLock<CaseResult<JobCost>>,
}

impl<'a> JobCosts<'a> {
    /// Returns the job costs of this subject.
    pub fn of(subject: &'a Subject) -> JobCosts<'a> {
        JobCosts { subject, measured: OnceLock::new() }
    }

    /// Returns the cost that was measured; measures it at the first call.
    pub(crate) fn measured(&self) -> &CaseResult<JobCost> {
        self.measured.get_or_init(|| {
            if self.subject.has_line_framing() {
                JobCost::measure(self.subject)
            } else {
                Err(CaseFailure::new("the server has no line framing"))
            }
        })
    }
}

/// How long one job takes on the subject's server, on this machine. The cost
/// of other jobs follows from it: the naive fib of n takes as long as those of
/// n - 1 and n - 2 together.
#[derive(Debug)]
pub(crate) struct JobCost {
    n: u64,
    duration: Duration,
}

impl JobCost {
    /// Measures on a server of the subject, because the cost depends on the
    /// machine and on the server's language.
    fn measure(subject: &Subject) -> CaseResult<JobCost> {
        const NOTICEABLE: Duration = Duration::from_millis(10);
        /// How far n is increased from a noticeable job to one that takes
        /// several CPU clock ticks.
        const STEPS: u64 = 6;
        /// A few clock ticks. A job that used less CPU time was not long.
        const CPU_MIN: Duration = Duration::from_millis(50);
        /// A job that takes this long, while the server's process group uses
        /// no CPU time, is computed by a process outside the group. If the
        /// group did use CPU time, the machine is just busy.
        const LONG: Duration = Duration::from_millis(500);
        /// Every case depends on this measurement, so it must succeed on a
        /// busy machine, too.
        const WAIT_MAX: Duration = Duration::from_secs(60);
        let server = subject.launch(&[]).start()?;
        let mut client = Client::connect(server.address(), WAIT_MAX)?;
        for n in 14..=subject.largest_n() {
            if time_request(&mut client, n)? < NOTICEABLE {
                continue;
            }
            let n = subject.largest_n().min(n + STEPS);
            let before = ResourceUsage::of_group(server.pid()).cpu;
            let duration = time_request(&mut client, n)?;
            // On a busy machine, a reply takes longer than its job. A cost
            // that is too high would make cases choose jobs that are too short.
            let cpu = ResourceUsage::of_group(server.pid()).cpu - before;
            if cpu >= CPU_MIN {
                return Ok(JobCost { n, duration: duration.min(cpu) });
            }
            let is_outside_group = duration >= LONG && cpu.is_zero();
            if is_outside_group || n == subject.largest_n() {
                return Ok(JobCost { n, duration });
            }
        }
        Err(CaseFailure::new("no n takes a measurable time"))
    }

    /// Returns how long the job for `n` takes.
    fn of(&self, n: u64) -> Duration {
        let steps = n as f64 - self.n as f64;
        self.duration.mul_f64(GOLDEN_RATIO.powf(steps))
    }

    /// Returns the smallest n whose job takes at least `duration`; at most 93.
    fn n_that_takes(&self, duration: Duration) -> u64 {
        (1..=93).find(|&n| self.of(n) >= duration).unwrap_or(93)
    }
}

/// Requests F(n) and returns how long the reply took.
fn time_request(client: &mut Client, n: u64) -> CaseResult<Duration> {
    let start = Instant::now();
    client.send(format!("{n}\n").as_bytes())?;
    match client.next_reply() {
        Next::Line(line) if ExpectedReply::Fib(n).matches(&line) => {
            Ok(start.elapsed())
        }
        next => {
            let got = client.describe(&next);
            Err(client.failure(&ExpectedReply::Fib(n).to_string(), &got))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cost_of_any_job_follows_from_that_of_one() {
        let cost = JobCost { n: 30, duration: Duration::from_millis(10) };
        assert_eq!(cost.n_that_takes(Duration::from_millis(10)), 30);
        assert_eq!(cost.n_that_takes(Duration::from_millis(16)), 31);
        assert_eq!(cost.n_that_takes(Duration::from_secs(3600)), 57);
        assert_eq!(cost.n_that_takes(Duration::from_millis(4)), 29);
    }
}
