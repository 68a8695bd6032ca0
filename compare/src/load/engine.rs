//! The load generator itself: one thread, one readiness loop, and per request
//! nothing but a wait, a read, a look at the clock and a send.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::SendFlags;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec,
    timerfd_create, timerfd_settime,
};

use super::plan::{Group, Plan};
use super::report::Report;
use super::tally::{Tally, error_token};
use crate::known::Known;
use crate::process_tree::{self, CpuTimes};

/// More than any reply of the protocol, so that one read takes it whole.
const READ_BYTES: usize = 4096;

/// A reply that is longer without an LF is none.
const LINE_BYTES_MAX: usize = 4096;

/// How many connections one wait can report.
const EVENTS_MAX: usize = 256;

/// How often silent connections are looked for, at the least.
const TICK: Duration = Duration::from_millis(100);

/// The event of the timer; connections are numbered from 0.
const TIMER: u64 = u64::MAX;

/// Plays the plan's clients until its window is over.
///
/// # Errors
///
/// Only what this side can't do at all. What the server does wrong is in the
/// report.
pub(crate) fn run(plan: &Plan) -> anyhow::Result<Report> {
    let mut engine = Engine::connect(plan)?;
    engine.start()?;
    let mut events = Vec::with_capacity(EVENTS_MAX);
    while engine.live > 0 {
        match epoll::wait(&engine.epoll, spare_capacity(&mut events), None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error).context("waiting with epoll"),
        }
        for event in events.drain(..) {
            match event.data.u64() {
                TIMER => engine.tick()?,
                index => engine.readable(index as usize, event.flags),
            }
        }
    }
    engine.finish()
}

struct Engine<'a> {
    plan: &'a Plan,
    epoll: OwnedFd,
    timer: OwnedFd,
    groups: Vec<GroupState>,
    connections: Vec<Option<Connection>>,
    /// How many connections are open.
    live: usize,
    phase: Phase,
    /// When the phase ends.
    edge: Instant,
    start: Option<Edge>,
    window: Option<Window>,
    input: Box<[u8; READ_BYTES]>,
}

struct GroupState {
    request: Vec<u8>,
    reply: Vec<u8>,
    tally: Tally,
}

/// A client, which always waits for one reply.
struct Connection {
    stream: TcpStream,
    group: usize,
    sent: Instant,
    /// The bytes of a reply that came in pieces.
    partial: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    WarmUp,
    Window,
    /// Nothing new is sent; each client leaves with its last reply.
    Drain,
}

/// What was read at the start of the window.
struct Edge {
    at: Instant,
    generator_cpu_ns: u64,
    server_cpu: Result<CpuTimes, String>,
}

/// What was read at its end.
struct Window {
    length: Duration,
    generator_cpu_ns: u64,
    server_cpu_ns: Result<u64, String>,
    server_rss_bytes: Result<u64, String>,
}

enum Next {
    Wait,
    Send,
    Leave,
}

impl Engine<'_> {
    /// Opens all connections, group by group: a server that serves its
    /// clients in the order of their arrival gets them in the plan's order.
    fn connect(plan: &Plan) -> anyhow::Result<Engine<'_>> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let mut engine = Engine {
            plan,
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            timer: timerfd_create(TimerfdClockId::Monotonic, flags)?,
            groups: plan.groups.iter().map(GroupState::new).collect(),
            connections: Vec::new(),
            live: 0,
            phase: Phase::WarmUp,
            edge: Instant::now(),
            start: None,
            window: None,
            input: Box::new([0; READ_BYTES]),
        };
        epoll::add(
            &engine.epoll,
            &engine.timer,
            EventData::new_u64(TIMER),
            EventFlags::IN,
        )?;
        for (index, group) in plan.groups.iter().enumerate() {
            for _ in 0..group.connections {
                engine.add_connection(index);
            }
        }
        Ok(engine)
    }

    fn add_connection(&mut self, group: usize) {
        let tally = &mut self.groups[group].tally;
        let id = EventData::new_u64(self.connections.len() as u64);
        let elsewhere = self.plan.groups[group].elsewhere;
        let address = elsewhere.unwrap_or(self.plan.address);
        match open(address, self.plan.reply_timeout).and_then(|stream| {
            // Edge-triggered: the kernel need not look again at a socket
            // that was read. RDHUP, because an edge is reported once.
            let flags = EventFlags::IN | EventFlags::RDHUP | EventFlags::ET;
            epoll::add(&self.epoll, &stream, id, flags)?;
            Ok(stream)
        }) {
            Ok(stream) => {
                tally.connected += 1;
                self.live += 1;
                let sent = Instant::now();
                let partial = Vec::new();
                let connection = Connection { stream, group, sent, partial };
                self.connections.push(Some(connection));
            }
            Err(error) => tally.failed(&error),
        }
    }

    fn start(&mut self) -> anyhow::Result<()> {
        self.edge = Instant::now() + self.plan.warm_up;
        if self.plan.warm_up.is_zero() {
            self.cross();
        }
        for index in 0..self.connections.len() {
            self.send(index, Instant::now());
        }
        self.arm()
    }

    fn tick(&mut self) -> anyhow::Result<()> {
        let mut expirations = [0; 8];
        match rustix::io::read(&self.timer, &mut expirations) {
            Ok(_) | Err(Errno::AGAIN | Errno::INTR) => {}
            Err(error) => return Err(error).context("reading the timer"),
        }
        let now = Instant::now();
        if now >= self.edge {
            self.cross();
        }
        self.expire(now);
        self.arm()
    }

    /// Makes the timer fire at the end of the phase, and often enough to find
    /// silent connections. A timer instead of a time limit on each wait: the
    /// kernel would have to set a clock and clear it for every request.
    fn arm(&mut self) -> anyhow::Result<()> {
        let to_edge = match self.phase {
            Phase::WarmUp | Phase::Window => {
                self.edge.saturating_duration_since(Instant::now())
            }
            Phase::Drain => TICK,
        };
        // 0 would disarm it.
        let wait = to_edge.clamp(Duration::from_micros(1), TICK);
        let once = Itimerspec {
            it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
            it_value: Timespec::try_from(wait)?,
        };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)
            .context("setting the timer")?;
        Ok(())
    }

    /// Takes what one connection has for us.
    fn readable(&mut self, index: usize, flags: EventFlags) {
        let at_end = flags
            .intersects(EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR);
        // Without `at_end`, what comes later is a new edge: one read will do.
        loop {
            let Some(connection) = &mut self.connections[index] else {
                return;
            };
            let group = &mut self.groups[connection.group];
            let input = &mut self.input[..];
            let count = match rustix::io::read(&connection.stream, input) {
                Ok(0) => {
                    group.tally.closed_early();
                    return self.close(index);
                }
                Ok(count) => count,
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => return,
                Err(error) => {
                    group.tally.failed(&error.into());
                    return self.close(index);
                }
            };
            let now = Instant::now();
            let input = &self.input[..count];
            let in_window = self.phase == Phase::Window;
            match connection.take(input, group, now, in_window) {
                Next::Wait => {}
                Next::Send => self.next_request(index, now),
                Next::Leave => return self.close(index),
            }
            if !at_end && count < READ_BYTES {
                return;
            }
        }
    }

    fn next_request(&mut self, index: usize, mut now: Instant) {
        if now >= self.edge {
            self.cross();
            // Reading the clocks took time that is not the next reply's.
            now = Instant::now();
        }
        match self.phase {
            Phase::WarmUp | Phase::Window => self.send(index, now),
            Phase::Drain => self.close(index),
        }
    }

    fn send(&mut self, index: usize, now: Instant) {
        let Some(connection) = &mut self.connections[index] else { return };
        let group = &mut self.groups[connection.group];
        connection.sent = now;
        let sent = rustix::net::send(
            &connection.stream,
            &group.request,
            SendFlags::NOSIGNAL,
        );
        let error = match sent {
            Ok(count) if count == group.request.len() => return,
            // A few bytes do not fit: cannot be with one request in flight.
            Ok(_) => io::ErrorKind::WriteZero.into(),
            Err(error) => error.into(),
        };
        group.tally.failed(&error);
        self.close(index);
    }

    fn close(&mut self, index: usize) {
        // Dropping the stream also takes it out of the epoll set.
        if self.connections[index].take().is_some() {
            self.live -= 1;
        }
    }

    /// Gives up the connections whose reply does not come.
    fn expire(&mut self, now: Instant) {
        for index in 0..self.connections.len() {
            let Some(connection) = &self.connections[index] else { continue };
            let waited = now.saturating_duration_since(connection.sent);
            if waited >= self.plan.reply_timeout {
                self.groups[connection.group].tally.timed_out();
                self.close(index);
            }
        }
    }

    /// Goes over to the next phase.
    fn cross(&mut self) {
        match self.phase {
            Phase::WarmUp => {
                let start = Edge::read(self.plan);
                self.phase = Phase::Window;
                self.edge = start.at + self.plan.window;
                self.start = Some(start);
            }
            Phase::Window => {
                self.phase = Phase::Drain;
                self.window = self.start.take().map(|start| {
                    let end = Instant::now();
                    start.to(end, self.plan)
                });
                // Far away: the drain ends with its last connection.
                self.edge += Duration::from_secs(1 << 32);
            }
            Phase::Drain => {}
        }
    }

    fn finish(mut self) -> anyhow::Result<Report> {
        // Every connection ended before its time: the window is what was
        // left of it, or else nothing.
        while self.phase != Phase::Drain {
            self.cross();
        }
        let window = self.window.context("the window was never left")?;
        let groups = self
            .groups
            .into_iter()
            .zip(&self.plan.groups)
            .map(|(state, group)| state.tally.into_report(group))
            .collect();
        Ok(Report {
            window_ns: window.length.as_nanos() as u64,
            generator_cpu_ns: window.generator_cpu_ns,
            server_cpu_ns: Known::from(window.server_cpu_ns),
            server_rss_bytes: Known::from(window.server_rss_bytes),
            groups,
        })
    }
}

impl GroupState {
    fn new(group: &Group) -> GroupState {
        GroupState {
            request: format!("{}\n", group.n).into_bytes(),
            reply: format!("{}\n", fibonacci(group.n)).into_bytes(),
            tally: Tally::new(),
        }
    }
}

impl Connection {
    /// Judges what was read; says what to do next.
    fn take(
        &mut self,
        input: &[u8],
        group: &mut GroupState,
        now: Instant,
        in_window: bool,
    ) -> Next {
        let service = now.duration_since(self.sent);
        if self.partial.is_empty() && input == group.reply {
            group.tally.right(service, in_window);
            return Next::Send;
        }
        self.partial.extend_from_slice(input);
        let mut next = Next::Wait;
        while let Some(lf) = self.partial.iter().position(|&b| b == b'\n') {
            let line = &self.partial[..lf];
            if matches!(next, Next::Send) {
                // A second reply to one request.
                group.tally.wrong(line);
            } else {
                next = Next::Send;
                if self.partial[..=lf] == group.reply[..] {
                    group.tally.right(service, in_window);
                } else {
                    group.tally.not_right(line);
                    if error_token(line).as_deref() == Some("server-full") {
                        // The protocol says that the server closes now.
                        return Next::Leave;
                    }
                }
            }
            self.partial.drain(..=lf);
        }
        if self.partial.len() > LINE_BYTES_MAX {
            group.tally.wrong(&self.partial);
            return Next::Leave;
        }
        next
    }
}

impl Edge {
    /// Reads the clocks; the moment last, so that nothing that belongs to the
    /// window is left out.
    fn read(plan: &Plan) -> Edge {
        let server_cpu = server(plan).and_then(CpuTimes::read);
        let generator_cpu_ns = own_cpu_ns();
        Edge { at: Instant::now(), generator_cpu_ns, server_cpu }
    }

    fn to(self, end: Instant, plan: &Plan) -> Window {
        let generator_cpu_ns = own_cpu_ns() - self.generator_cpu_ns;
        let server_cpu_ns =
            self.server_cpu.and_then(|start| start.used_since_ns());
        Window {
            length: end.duration_since(self.at),
            generator_cpu_ns,
            server_cpu_ns,
            server_rss_bytes: server(plan).and_then(process_tree::rss_bytes),
        }
    }
}

fn server(plan: &Plan) -> Result<rustix::process::Pid, String> {
    plan.server.ok_or_else(|| "the server's process is not known".to_owned())
}

fn own_cpu_ns() -> u64 {
    let clock = rustix::time::ClockId::ProcessCPUTime;
    let time = rustix::time::clock_gettime(clock);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

fn open(address: SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, timeout)?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

/// F(n) by addition: the generator must know the answer, not pay for it.
fn fibonacci(n: u8) -> u64 {
    let (mut last, mut next) = (0_u64, 1_u64);
    for _ in 0..n {
        (last, next) = (next, last.wrapping_add(next));
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_answers_are_those_of_the_protocol() {
        for n in 0..=25 {
            assert_eq!(fibonacci(n), protocol::fib(n));
        }
        // OEIS A000045: the last one that fits into 64 bits.
        assert_eq!(fibonacci(93), 12_200_160_415_121_876_738);
    }
}
