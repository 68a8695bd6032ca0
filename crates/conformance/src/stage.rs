//! What a case is played on: the subject's servers, and what jobs cost there.

use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use launch::{Launch, Process, Signal};
use rustix::process::Pid;

use crate::Subject;
use crate::answer::Answer;
use crate::case::{Ability, Fault, Verdict, check, until};
use crate::client::{Client, Next};
use crate::vitals::Vitals;

/// How long to wait for what by design will not come.
const IMPATIENCE: Duration = Duration::from_millis(500);

/// Lets a server compute any job that a case can come up with.
pub(crate) const ANY_N: [&str; 2] = ["--max-n", "93"];

/// The number by which the naive fib grows from an n to the next.
const GOLDEN_RATIO: f64 = 1.618_033_988_749_895;

/// How many of a server's last log lines stand in a failure.
const LOG_LINES_SHOWN: usize = 8;

/// Where a case is played: it starts the subject's servers, and knows what
/// jobs cost there.
pub struct Stage<'a> {
    /// Who is judged.
    pub(crate) subject: &'a Subject,
    /// What random choices follow from.
    pub(crate) seed: u64,
    jobs: &'a Jobs<'a>,
    log: RefCell<Vec<String>>,
}

impl<'a> Stage<'a> {
    /// A stage for a case.
    pub fn new(
        subject: &'a Subject,
        seed: u64,
        jobs: &'a Jobs<'a>,
    ) -> Stage<'a> {
        Stage { subject, seed, jobs, log: RefCell::default() }
    }

    /// A server of the subject that serves, started with these flags.
    pub fn server(&self, flags: &[&str]) -> Verdict<Served<'_>> {
        self.served(self.launch(flags))
    }

    /// The server of a launch that a case has made itself.
    pub(crate) fn served(&self, launch: Launch) -> Verdict<Served<'_>> {
        let server = launch.start()?;
        Ok(Served { server, patience: self.patience(), log: &self.log })
    }

    /// A launch with these flags. `--max-n` is a wish: a server that hasn't
    /// got it keeps the limit that it has.
    pub(crate) fn launch(&self, flags: &[&str]) -> Launch {
        let flags = match flags.iter().position(|&flag| flag == ANY_N[0]) {
            Some(at) if !self.subject.has_flag(ANY_N[0]) => {
                [&flags[..at], &flags[at + ANY_N.len()..]].concat()
            }
            _ => flags.to_vec(),
        };
        self.subject.launch(&flags)
    }

    /// Starts the subject on an address of the case's choice and waits until
    /// it serves there.
    pub(crate) fn server_at(
        &self,
        address: SocketAddr,
        flags: &[&str],
    ) -> Verdict<Process> {
        let process = self.launch(flags).spawn(address)?;
        let serves = match self.subject.is_ready_by_line() {
            true => process
                .stdout_line(self.patience())
                .is_some_and(|line| line.contains(&address.to_string())),
            false => until(self.patience(), || self.client_of(address).is_ok()),
        };
        if !serves {
            self.log.borrow_mut().extend(process.log());
        }
        check(serves, || format!("expected it to serve {address}"))?;
        Ok(process)
    }

    /// A client of whoever listens there.
    ///
    /// # Errors
    ///
    /// Those of connect(2).
    pub(crate) fn client_of(&self, address: SocketAddr) -> io::Result<Client> {
        Client::connect(address, self.patience())
    }

    /// The smallest n whose reply takes at least so long when nothing else
    /// runs. It needs a server that was told to compute any n.
    pub fn job(&self, at_least: Duration) -> Verdict<u64> {
        let cost = match self.jobs.cost() {
            Ok(cost) => cost,
            Err(fault) => {
                let what = "no job could be timed";
                return Err(Fault::new(format!("{what}: {fault}")));
            }
        };
        let n = cost.n_of(at_least);
        match self.subject.has_flag(ANY_N[0]) {
            true => Ok(n),
            false => Ok(n.min(self.subject.largest_n())),
        }
    }

    /// How long to wait for what must come.
    pub fn patience(&self) -> Duration {
        self.subject.has_patience()
    }

    /// How long to wait for what only a server with this ability does.
    pub(crate) fn patience_for(&self, ability: Ability) -> Duration {
        match self.subject.lacks(ability) {
            Some(_) => IMPATIENCE,
            None => self.patience(),
        }
    }

    /// How many clients there can be at a time, where a case would have
    /// `wanted`.
    pub(crate) fn clients_at_a_time(&self, wanted: usize) -> usize {
        if self.subject.serves_several() { wanted } else { 1 }
    }

    /// The last log lines of this stage's servers, for a failure.
    pub fn log_tail(&self) -> String {
        let log = self.log.borrow();
        let tail = &log[log.len().saturating_sub(LOG_LINES_SHOWN)..];
        tail.iter().map(|line| format!("\nlog      {line}")).collect()
    }
}

/// A server that serves, for as long as a case holds it.
pub struct Served<'a> {
    server: launch::Server,
    patience: Duration,
    log: &'a RefCell<Vec<String>>,
}

impl Served<'_> {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Its process, which leads its process group.
    pub fn pid(&self) -> Pid {
        self.server.pid()
    }

    /// A client of it.
    pub fn client(&self) -> Verdict<Client> {
        Client::connect(self.address(), self.patience).map_err(|error| {
            Fault::new(format!("expected a connection, got: {error}"))
        })
    }

    /// A client that leaves what it doesn't read at the server.
    pub fn client_with_window(&self, bytes: usize) -> Verdict<Client> {
        let (address, patience) = (self.address(), self.patience);
        Ok(Client::connect_with_window(address, patience, bytes)?)
    }

    /// The same, but the server's kernel does not hold much either.
    pub fn client_with_little_room(&self, window: usize) -> Verdict<Client> {
        let (address, patience) = (self.address(), self.patience);
        Ok(Client::connect_with_segments(address, patience, window)?)
    }

    /// A client that waits for a long job: on a busy machine it takes its
    /// time, though nothing is wrong.
    pub(crate) fn patient_client(&self) -> Verdict<Client> {
        Ok(Client::connect(self.address(), 3 * self.patience)?)
    }

    /// How long its clients wait for what must come.
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// So many clients of it.
    pub fn clients(&self, count: usize) -> Verdict<Vec<Client>> {
        (0..count).map(|_| self.client()).collect()
    }

    /// Its last log lines (what it wrote to stderr).
    pub fn log(&self) -> Vec<String> {
        self.server.log()
    }

    /// What it holds and uses now.
    pub fn vitals(&self) -> Vitals {
        Vitals::of_group(self.server.pid())
    }

    /// Has the client send a batch again and again, without reading, until
    /// the server is stuck on its replies: it takes nothing more, and rests.
    /// Says how many bytes that were.
    pub(crate) fn get_stuck_on(
        &self,
        client: &mut Client,
        batch: &[u8],
    ) -> Verdict<usize> {
        const FULL: Duration = Duration::from_millis(200);
        const REST: Duration = Duration::from_millis(300);
        const BYTES_MAX: usize = 16 << 20;
        let expected = "the server to wait for a client that does not read";
        let deadline = Instant::now() + 3 * self.patience;
        let mut sent = 0;
        while sent < BYTES_MAX {
            if client.has_room_within(FULL) {
                match client.send_some(&batch[sent % batch.len()..]) {
                    Ok(count) => sent += count,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(error) => {
                        let what = format!("sending failed: {error}");
                        return Err(client.failure(expected, &what));
                    }
                }
                continue;
            }
            // It may also be slow, or get little of a busy machine.
            let cpu = self.vitals().cpu;
            if !client.has_room_within(REST) && self.vitals().cpu == cpu {
                return Ok(sent);
            }
            if Instant::now() > deadline {
                let what = "it reads nothing, and does not rest either";
                return Err(client.failure(expected, what));
            }
        }
        let what = format!("{BYTES_MAX} bytes of its requests read");
        Err(client.failure(expected, &what))
    }

    /// Expects the server to hold as few fds again as it once did, and to
    /// live: to a new client, it has something to say.
    pub fn expect_fds_back(&self, baseline: Vitals) -> Verdict {
        self.expect_few_fds(baseline)?;
        // Only a word from it shows that it lives, be it that it is full.
        let what = "a client that came afterwards";
        let place = self.client()?.ask_for_place();
        place.map(drop).map_err(|fault| fault.about(what))
    }

    /// Expects the server to hold as few fds again as it once did. Who has
    /// ended holds none; and who is ending shows none as soon as its first
    /// thread is gone, while others hold the listener. So whoever calls this
    /// has it say something afterwards.
    pub fn expect_few_fds(&self, baseline: Vitals) -> Verdict {
        let mut now = baseline;
        let back = until(self.patience, || {
            now = self.vitals();
            now.fds <= baseline.fds
        });
        check(back, || {
            let (before, after) = (baseline.fds, now.fds);
            format!("expected {before} fds as before, got {after}")
        })
    }

    /// Expects that the most memory it ever held is little more than what it
    /// held before.
    pub fn expect_memory_bounded(
        &self,
        before: Vitals,
        growth_bytes_max: u64,
    ) -> Verdict {
        let peak = self.vitals().memory_bytes_peak;
        let growth = peak.saturating_sub(before.memory_bytes);
        check(growth <= growth_bytes_max, || {
            format!(
                "expected at most {} KiB more memory, got {} KiB more",
                growth_bytes_max / 1024,
                growth / 1024
            )
        })
    }

    /// Expects that it still serves: a new client gets an answer.
    pub fn expect_service(&self) -> Verdict {
        let what = "a client that came afterwards";
        self.client()?.ask(10).map_err(|fault| fault.about(what))
    }

    /// Expects that its port takes no more connections.
    pub(crate) fn expect_port_closed(&self) -> Verdict {
        let closed = until(self.patience, || self.client().is_err());
        check(closed, || "expected the port to be closed".to_owned())
    }

    /// Waits until the port is closed: the stop has begun.
    pub fn stop(&self) -> Verdict {
        self.signal(Signal::TERM);
        self.expect_port_closed()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        // It fails only for a process that has ended, and how that ended is
        // what a case looks at.
        let _ = rustix::process::kill_process(self.server.pid(), signal);
    }

    /// How long it takes to end with this exit code.
    pub fn expect_exit(
        &mut self,
        code: i32,
        within: Duration,
    ) -> Verdict<Duration> {
        let start = Instant::now();
        let status = self.server.process().wait(within);
        let expected = format!("expected exit code {code} within {within:?}");
        match status {
            Some(status) if status.code() == Some(code) => Ok(start.elapsed()),
            Some(status) => {
                Err(Fault::new(format!("{expected}, got {status}")))
            }
            None => Err(Fault::new(format!("{expected}, but it still runs"))),
        }
    }

    /// Its process, to be waited for.
    pub fn process(&mut self) -> &mut Process {
        self.server.process()
    }
}

impl Drop for Served<'_> {
    fn drop(&mut self) {
        self.log.borrow_mut().extend(self.server.log());
    }
}

/// What jobs cost at a subject, measured when it is first asked for.
#[derive(Debug)]
pub struct Jobs<'a> {
    subject: &'a Subject,
    cost: OnceLock<Verdict<Cost>>,
}

impl<'a> Jobs<'a> {
    /// Those of this subject.
    pub fn of(subject: &'a Subject) -> Jobs<'a> {
        Jobs { subject, cost: OnceLock::new() }
    }

    pub(crate) fn cost(&self) -> &Verdict<Cost> {
        self.cost.get_or_init(|| match self.subject.speaks_lines() {
            true => Cost::measure(self.subject),
            false => Err(Fault::new("it speaks no lines")),
        })
    }
}

/// What one job costs at this server, here and now. What others cost follows
/// from it: the naive fib of n takes the sum of the two before.
#[derive(Debug)]
pub(crate) struct Cost {
    n: u64,
    takes: Duration,
}

impl Cost {
    /// Asks the server itself: machines differ, and so do languages.
    fn measure(subject: &Subject) -> Verdict<Cost> {
        const NOTICEABLE: Duration = Duration::from_millis(10);
        /// From noticeable to so long that clock ticks can measure it.
        const STEPS: u64 = 6;
        /// Some clock ticks: what used less was not long.
        const CPU_MIN: Duration = Duration::from_millis(50);
        /// What takes this is long, though its CPU time is not seen: it is no
        /// process of the server's group that computes. Where some is seen,
        /// it is rather the machine that is busy.
        const LONG: Duration = Duration::from_millis(500);
        /// Every case depends on it, however busy the machine is.
        const LONGEST: Duration = Duration::from_secs(60);
        let server = subject.launch(&[]).start()?;
        let mut client = Client::connect(server.address(), LONGEST)?;
        for n in 14..=subject.largest_n() {
            if time(&mut client, n)? < NOTICEABLE {
                continue;
            }
            let n = subject.largest_n().min(n + STEPS);
            let before = Vitals::of_group(server.pid()).cpu;
            let takes = time(&mut client, n)?;
            // On a busy machine the reply takes longer than its job, and jobs
            // that were taken for long would be short.
            let cpu = Vitals::of_group(server.pid()).cpu - before;
            if cpu >= CPU_MIN {
                return Ok(Cost { n, takes: takes.min(cpu) });
            }
            let is_unseen = takes >= LONG && cpu.is_zero();
            if is_unseen || n == subject.largest_n() {
                return Ok(Cost { n, takes });
            }
        }
        Err(Fault::new("it computes nothing that takes time"))
    }

    fn of(&self, n: u64) -> Duration {
        let steps = n as f64 - self.n as f64;
        self.takes.mul_f64(GOLDEN_RATIO.powf(steps))
    }

    fn n_of(&self, at_least: Duration) -> u64 {
        (1..=93).find(|&n| self.of(n) >= at_least).unwrap_or(93)
    }
}

fn time(client: &mut Client, n: u64) -> Verdict<Duration> {
    let start = Instant::now();
    client.send(format!("{n}\n").as_bytes())?;
    match client.next_reply() {
        Next::Line(line) if Answer::Fib(n).is(&line) => Ok(start.elapsed()),
        other => {
            let what = client.describe(&other);
            Err(client.failure(&Answer::Fib(n).to_string(), &what))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cost_of_a_job_follows_from_that_of_another() {
        let cost = Cost { n: 30, takes: Duration::from_millis(10) };
        assert_eq!(cost.n_of(Duration::from_millis(10)), 30);
        assert_eq!(cost.n_of(Duration::from_millis(16)), 31);
        assert_eq!(cost.n_of(Duration::from_secs(3600)), 57);
        assert_eq!(cost.n_of(Duration::from_millis(4)), 29);
    }
}
