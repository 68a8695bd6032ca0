//! One thread of the load generator: a readiness loop that, for each request,
//! only waits, reads, takes the time and sends.

use std::collections::VecDeque;
use std::io;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{SendFlags, sockopt};
use rustix::process::Pid;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec,
    timerfd_create, timerfd_settime,
};

use crate::base::interrupt::Interrupt;
use crate::load::connection::{Connection, READ_BYTES, Received};
use crate::load::group_share::{GroupShare, OpenLoopState};
use crate::load::resources::{Activity, Survey, WindowEnd, WindowStart};
use crate::load::tally::{Sent, Tally};
use crate::model::load_plan::{
    CONNECT_HANGS_MAX, FIRST_WINDOW_MAX, LoadPlan, Pace,
};
use crate::model::load_report::LoadReport;

/// How many events one wait can report.
const EVENTS_MAX: usize = 256;

/// The share of a turn's warm-up over which the clients begin, one after the
/// other. If all of them began at once, they would stay in step, and some
/// servers would cost more than in a long window.
const STAGGER_SHARE: f64 = 0.5;

/// How often to check, after the window of a turn, whether the server still
/// works on requests.
const DRAIN_POLL: Duration = Duration::from_millis(4);

/// For how many polls in a row the server must be idle. One is not enough: the
/// machine may have run nothing at all in the meantime.
const DRAIN_POLLS: u32 = 3;

/// How long no reply has to arrive, after the window of a turn, before the
/// remaining clients are left waiting, if it is unknown whether the server
/// works.
const DRAIN_QUIET: Duration = Duration::from_millis(200);

/// The same if a client waits that was served before, or in the first turn, if
/// none was served yet: an idle server that sleeps before a reply still sends
/// it. Other clients that never got a reply may have to wait until those that
/// did leave.
const DRAIN_QUIET_SERVED: Duration = Duration::from_millis(500);

/// The interval of the checks for connections that have timed out.
const TICK: Duration = Duration::from_millis(100);

/// Longer than any drain, which ends with the last reply or timeout.
const DRAIN_END: Duration = Duration::from_secs(1 << 32);

/// The event data of the timer. That of a connection is its index, from 0.
const TIMER: u64 = u64::MAX;

/// How many connections share a source address: fewer than an address has ports
/// (28,232 by default, see ip(7)).
const CONNECTIONS_PER_ADDRESS: usize = 20_000;

/// How many source addresses churning clients use, because each connection
/// leaves its port in TIME_WAIT.
const ADDRESSES_OF_CHURN: usize = 8;

/// One thread's share of the clients.
pub(crate) struct Worker<'a> {
    plan: &'a LoadPlan,
    interrupt: &'a Interrupt,
    epoll: OwnedFd,
    timer: OwnedFd,
    /// When the timer fires, if it is set.
    armed: Option<Instant>,
    groups: Vec<GroupShare>,
    clients: Vec<Client>,
    /// How many clients are not done yet.
    live: usize,
    /// Whether some requests are sent at a given time, not after a reply.
    is_timed: bool,
    phase: Phase,
    /// When the phase ends.
    phase_end: Instant,
    /// The length of the window.
    window: Duration,
    /// Whether the clients stay connected after the window, for another turn.
    stays: bool,
    /// Whether no turn has ended yet.
    is_first_turn: bool,
    /// The end of a turn, while the server works on the last requests.
    drain: Option<TurnDrain>,
    /// When the clients were asked to leave after the last turn. Time that a
    /// client has waited before that doesn't count towards the timeout.
    ended_at: Option<Instant>,
    next_tick: Instant,
    /// The last survey of the server before the window; none, if another thread
    /// measures the server.
    survey: Option<Survey>,
    /// When the next survey is made.
    next_survey: Option<Instant>,
    start: Option<WindowStart>,
    /// The readings at the end of a turn's window, while the server works on
    /// the last requests.
    stopped: Option<WindowEnd>,
    report: Option<LoadReport>,
    input: Box<[u8; READ_BYTES]>,
}

/// A client, which has one connection at a time.
struct Client {
    group: usize,
    /// The client's number among all clients of the plan.
    number: usize,
    connection: Option<Connection>,
}

/// The end of a turn: the window is over, and the server works on the last
/// requests.
struct TurnDrain {
    began: Instant,
    last_reply: Instant,
    next_poll: Instant,
    activity: Activity,
    /// The number of polls in a row for which the server was idle.
    idle_polls: u32,
    /// Whether the server will send no more replies in this turn.
    is_over: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    WarmUp,
    Window,
    /// Only requests that were due in the window are still sent. Each client
    /// closes its connection after its last reply, unless another turn follows.
    Drain,
}

impl<'a> Worker<'a> {
    /// Returns the worker of the `index`-th of `of` threads, without clients.
    pub(crate) fn new(
        plan: &'a LoadPlan,
        interrupt: &'a Interrupt,
        index: usize,
        of: usize,
    ) -> anyhow::Result<Worker<'a>> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        let data = EventData::new_u64(TIMER);
        epoll::add(&epoll, &timer, data, EventFlags::IN)?;
        let now = Instant::now();
        let share = |group| GroupShare::new(plan, group, index, of);
        Ok(Worker {
            plan,
            interrupt,
            epoll,
            timer,
            armed: None,
            groups: (0..plan.groups.len()).map(share).collect(),
            clients: Vec::new(),
            live: 0,
            is_timed: false,
            phase: Phase::WarmUp,
            phase_end: now,
            window: plan.window,
            stays: false,
            is_first_turn: true,
            drain: None,
            ended_at: None,
            next_tick: now,
            survey: None,
            next_survey: None,
            start: None,
            stopped: None,
            report: None,
            input: Box::new([0; READ_BYTES]),
        })
    }

    /// Makes the first survey of the server, which this thread measures.
    pub(crate) fn survey(&mut self, server: Option<Pid>) {
        self.survey = Some(Survey::read(server));
    }

    /// The same for a turn in which the processors count for the server.
    pub(crate) fn count(&mut self, server: Option<Pid>) {
        self.survey = Some(Survey::counting(server));
    }

    /// Connects one client, the `number`-th of all.
    pub(crate) fn add_client(&mut self, group: usize, number: usize) {
        let index = self.clients.len();
        self.clients.push(Client { group, number, connection: None });
        let share = &mut self.groups[group];
        match share.pace {
            // The client connects for each request.
            Pace::Churn => {}
            Pace::Closed { think, .. } => self.is_timed |= !think.is_zero(),
            Pace::Open { .. } => self.is_timed = true,
            Pace::Silent => {}
        }
        if share.pace == Pace::Churn {
            self.live += 1;
            return;
        }
        if share.tally.hangs() >= CONNECT_HANGS_MAX {
            // The backlog is full, and the server does not accept.
            share.tally.timed_out();
            return;
        }
        let planned = number / CONNECTIONS_PER_ADDRESS;
        let timeout = self.plan.reply_timeout;
        let opened = share.sockets.connect(planned, timeout);
        let connected = opened.and_then(|stream| {
            self.watch(&stream, index, EventFlags::empty())?;
            Ok(stream)
        });
        let share = &mut self.groups[group];
        match connected {
            Ok(stream) => {
                share.tally.connected += 1;
                self.live += 1;
                let in_flight = VecDeque::with_capacity(share.pace.depth());
                let now = Instant::now();
                let connection = Connection::new(stream, in_flight, now);
                self.clients[index].connection = Some(connection);
            }
            Err(error) => share.tally.failed(&error),
        }
    }

    /// Runs the clients from `start` on, until the window is over and every
    /// client has its last reply. An interrupt ends the window; before the
    /// window, it leaves nothing to report.
    pub(crate) fn run(
        &mut self,
        start: Instant,
    ) -> anyhow::Result<Option<(LoadReport, Vec<Tally>)>> {
        self.start(start)?;
        if !self.serve(|worker| worker.live == 0)? {
            return Ok(None);
        }
        self.finish().map(Some)
    }

    /// Runs the first turn, which is shorter than the others: it lets the
    /// server start its threads and touch its memory.
    pub(crate) fn first_turn(
        &mut self,
        start: Instant,
    ) -> anyhow::Result<Option<(LoadReport, Vec<Tally>)>> {
        self.window = self.plan.window.min(FIRST_WINDOW_MAX);
        let measured = self.turn(start);
        self.window = self.plan.window;
        measured
    }

    /// Runs one turn from `start` on: the clients that don't wait for a reply
    /// send requests until the window is over, and stay connected. Returns when
    /// the server has sent its last reply. Clients that it doesn't serve stay
    /// waiting.
    pub(crate) fn turn(
        &mut self,
        start: Instant,
    ) -> anyhow::Result<Option<(LoadReport, Vec<Tally>)>> {
        self.stays = true;
        self.phase = Phase::WarmUp;
        self.drain = None;
        for share in &mut self.groups {
            share.tally.count_late_replies();
        }
        self.start(start)?;
        if !self.serve(Worker::is_drained)? {
            return Ok(None);
        }
        self.note_unfinished();
        self.is_first_turn = false;
        let stopped = self.stopped.take().context("the window did not end")?;
        let share = self.share_in_window();
        Ok(Some((stopped.report(Some(share)), self.take_tallies())))
    }

    /// Lets the clients leave after the last turn: each one that waits for a
    /// reply leaves when it has it.
    pub(crate) fn end(
        &mut self,
        _start: Instant,
    ) -> anyhow::Result<Option<(LoadReport, Vec<Tally>)>> {
        let now = Instant::now();
        self.stays = false;
        self.drain = None;
        self.ended_at = Some(now);
        // A window without length, after which idle clients leave.
        self.start = Some(WindowStart::read(Survey::read(None), false));
        self.phase = Phase::Window;
        self.phase_end = now;
        self.keep_time()?;
        self.serve(|worker| worker.live == 0)?;
        self.finish().map(Some)
    }

    /// Waits for events and handles them until `is_done`. Returns `false` if an
    /// interrupt came before the window.
    fn serve(
        &mut self,
        is_done: impl Fn(&Worker<'a>) -> bool,
    ) -> anyhow::Result<bool> {
        let mut events = Vec::with_capacity(EVENTS_MAX);
        while !is_done(self) {
            if self.interrupt.is_requested() {
                match self.phase {
                    Phase::WarmUp => return Ok(false),
                    Phase::Window => self.next_phase(),
                    Phase::Drain => {}
                }
                // Sends what is still due, and closes free connections.
                self.keep_time()?;
            }
            match epoll::wait(&self.epoll, spare_capacity(&mut events), None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => {
                    return Err(error).context("cannot wait for events");
                }
            }
            let mut timer_fired = false;
            for event in events.drain(..) {
                match event.data.u64() {
                    TIMER => timer_fired = true,
                    index => self.ready(index as usize, event.flags),
                }
            }
            if timer_fired {
                self.clear_timer()?;
            }
            if timer_fired || self.is_timed {
                self.keep_time()?;
            }
        }
        Ok(true)
    }

    fn start(&mut self, start: Instant) -> anyhow::Result<()> {
        if let Some(wait) = start.checked_duration_since(Instant::now()) {
            std::thread::sleep(wait);
        }
        self.phase_end = start + self.plan.warm_up;
        self.next_tick = start + TICK;
        // Before a turn, the server is silent, so one survey is enough.
        let survey = self.survey.as_ref().filter(|_| !self.stays);
        self.next_survey = survey.and_then(|s| s.next(start, self.phase_end));
        if self.plan.warm_up.is_zero() {
            self.next_phase();
        }
        // Reading the clocks took time. Without a warm-up, the first request
        // must not be due before the window.
        let begin = self.start.as_ref().map_or(start, |start| start.at);
        for open in self.groups.iter_mut().filter_map(|s| s.open.as_mut()) {
            open.schedule.begin(begin);
        }
        let mut ranks = vec![0; self.groups.len()];
        for index in 0..self.clients.len() {
            let group = self.clients[index].group;
            let share = &mut self.groups[group];
            match share.pace {
                Pace::Closed { .. } if self.stays => {
                    self.begin_turn(index, ranks[group], start);
                    ranks[group] += 1;
                }
                Pace::Closed { depth, .. } => {
                    let now = Instant::now();
                    self.send(index, depth, now, now);
                }
                Pace::Open { .. } => {
                    if let Some(open) = &mut share.open
                        && self.clients[index].connection.is_some()
                    {
                        open.free.push_back(index);
                    }
                }
                Pace::Churn => self.reconnect(index),
                Pace::Silent => {}
            }
        }
        self.keep_time()
    }

    /// Lets a client, the `rank`-th of its group, begin its part of a turn,
    /// unless it still waits for all its replies. The clients of a group begin
    /// one after the other.
    fn begin_turn(&mut self, index: usize, rank: usize, start: Instant) {
        let client = &self.clients[index];
        let Some(connection) = &client.connection else { return };
        let share = &mut self.groups[client.group];
        let count = share.pace.depth() - connection.owed();
        if count == 0 {
            return;
        }
        let stagger = self.plan.warm_up.mul_f64(STAGGER_SHARE);
        let offset = stagger.mul_f64(rank as f64 / share.clients as f64);
        share.pause(start + offset, index, count);
    }

    /// Does everything that is due by now, and sets the timer to the next
    /// moment at which something is due.
    fn keep_time(&mut self) -> anyhow::Result<()> {
        let mut now = Instant::now();
        if self.next_survey.is_some_and(|at| now >= at) {
            let survey = self.survey.take().map(|s| s.again(self.phase_end));
            now = Instant::now();
            self.next_survey =
                survey.as_ref().and_then(|s| s.next(now, self.phase_end));
            self.survey = survey;
        }
        if now >= self.phase_end {
            self.next_phase();
        }
        if now >= self.next_tick {
            self.expire(now);
            self.next_tick = now + TICK;
        }
        for group in 0..self.groups.len() {
            self.stop_thinking(group, now);
            self.send_due(group, now);
        }
        let next_poll = self.poll_drain(now);
        let timed = self.groups.iter().filter_map(GroupShare::next_time);
        let timed = timed.chain(self.next_survey).chain(next_poll);
        let next = timed.fold(self.phase_end.min(self.next_tick), Instant::min);
        self.arm(next)
    }

    /// Checks, after the window of a turn, whether the server still works.
    /// Returns when to check again.
    fn poll_drain(&mut self, now: Instant) -> Option<Instant> {
        let drain = self.drain.as_mut()?;
        if now < drain.next_poll {
            return Some(drain.next_poll);
        }
        let is_idle = drain.activity.is_idle();
        let connections = self.clients.iter().flat_map(|c| &c.connection);
        let mut served = connections.filter(|c| c.is_served).peekable();
        let none_served_yet = self.is_first_turn && served.peek().is_none();
        let quiet = if none_served_yet || served.any(|c| c.owed() > 0) {
            DRAIN_QUIET_SERVED
        } else if is_idle.is_none() {
            DRAIN_QUIET
        } else {
            DRAIN_POLL
        };
        let is_quiet = now.saturating_duration_since(drain.last_reply) >= quiet;
        let is_idle = is_quiet && is_idle != Some(false);
        drain.polled(is_idle);
        let next_poll = drain.next_poll;
        if now.saturating_duration_since(drain.began) >= self.plan.reply_timeout
        {
            // The server works, but does not reply.
            for index in 0..self.clients.len() {
                let client = &self.clients[index];
                let connection = client.connection.as_ref();
                if connection.is_some_and(|c| c.waits_since().is_some()) {
                    self.groups[client.group].tally.timed_out();
                    self.leave(index);
                }
            }
        }
        Some(next_poll)
    }

    /// Returns `true` if a turn is over: no client waits for a reply, or the
    /// server does not work on any.
    fn is_drained(&self) -> bool {
        let Some(drain) = &self.drain else { return false };
        let mut connections =
            self.clients.iter().filter_map(|client| client.connection.as_ref());
        drain.is_over || connections.all(|c| c.waits_since().is_none())
    }

    /// Sets the timer. With a timeout for each wait instead, the kernel would
    /// have to set and cancel a timer for every request.
    fn arm(&mut self, at: Instant) -> anyhow::Result<()> {
        if self.armed == Some(at) {
            return Ok(());
        }
        let wait = at.saturating_duration_since(Instant::now());
        // 0 would disarm the timer.
        let wait = wait.max(Duration::from_nanos(1));
        let once = Itimerspec {
            it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
            it_value: Timespec::try_from(wait)?,
        };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)
            .context("cannot set the timer")?;
        self.armed = Some(at);
        Ok(())
    }

    fn clear_timer(&mut self) -> anyhow::Result<()> {
        self.armed = None;
        let mut expirations = [0; 8];
        match rustix::io::read(&self.timer, &mut expirations) {
            Ok(_) | Err(Errno::AGAIN | Errno::INTR) => Ok(()),
            Err(error) => Err(error).context("cannot read the timer"),
        }
    }

    /// Reads and processes the input of one connection.
    fn ready(&mut self, index: usize, flags: EventFlags) {
        let Some(connection) = &mut self.clients[index].connection else {
            return;
        };
        if connection.is_connecting {
            if !flags
                .intersects(EventFlags::OUT | EventFlags::ERR | EventFlags::HUP)
            {
                return;
            }
            connection.is_connecting = false;
            self.connected(index);
        }
        let at_end = flags
            .intersects(EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR);
        // Unless the connection has ended, later input is a new edge, so one
        // read is enough.
        loop {
            let client = &mut self.clients[index];
            let Some(connection) = &mut client.connection else { return };
            let share = &mut self.groups[client.group];
            let input = &mut self.input[..];
            let count = match rustix::io::read(&connection.stream, input) {
                Ok(0) => {
                    share.tally.closed_early();
                    return self.leave(index);
                }
                Ok(count) => count,
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => return,
                Err(error) => {
                    share.tally.failed(&error.into());
                    return self.leave(index);
                }
            };
            let now = Instant::now();
            let input = &self.input[..count];
            let GroupShare { bytes, tally, .. } = share;
            match connection.receive(input, bytes, tally, now) {
                Received::Answered(0) => {}
                Received::Answered(count) => self.next(index, count, now),
                Received::Unusable => return self.leave(index),
            }
            if !at_end && count < READ_BYTES {
                return;
            }
        }
    }

    /// Continues after `count` requests of a client were answered.
    fn next(&mut self, index: usize, count: usize, mut now: Instant) {
        if now >= self.phase_end {
            self.next_phase();
            // Reading the clocks took time, which must not count as service
            // time of the next request.
            now = Instant::now();
        }
        let is_over = self.phase == Phase::Drain;
        if let Some(drain) = &mut self.drain {
            drain.last_reply = now;
        }
        let client = &mut self.clients[index];
        let share = &mut self.groups[client.group];
        let Some(connection) = &mut client.connection else { return };
        match share.pace {
            Pace::Closed { .. } if is_over => {
                if connection.waits_since().is_none() && !self.stays {
                    self.leave(index);
                }
            }
            Pace::Closed { think, .. } if think.is_zero() => {
                self.send(index, count, now, now);
            }
            Pace::Closed { think, .. } => {
                share.pause(now + think, index, count);
            }
            Pace::Open { .. } => {
                let Some(open) = &mut share.open else { return };
                connection.free_since = now;
                open.free.push_back(index);
                let group = client.group;
                self.send_due(group, now);
            }
            Pace::Churn if is_over => self.leave(index),
            Pace::Churn => self.reconnect(index),
            Pace::Silent => {}
        }
    }

    /// Sends the next requests of the clients whose pause is over.
    fn stop_thinking(&mut self, group: usize, now: Instant) {
        while let Some(&(until, index, count)) =
            self.groups[group].thinking.front()
            && until <= now
        {
            self.groups[group].thinking.pop_front();
            // Sending the requests before this one took time.
            let now = Instant::now();
            self.send(index, count, now, now);
        }
    }

    /// Sends the requests that are due in an open loop, while connections are
    /// free.
    fn send_due(&mut self, group: usize, now: Instant) {
        loop {
            let share = &mut self.groups[group];
            let Some(open) = &mut share.open else { return };
            if open.is_over() {
                // All requests that were due are sent, so the free connections
                // can be closed.
                while let Some(index) = self.groups[group]
                    .open
                    .as_mut()
                    .and_then(OpenLoopState::take_free)
                {
                    self.leave(index);
                }
                return;
            }
            let due = open.schedule.next();
            if due > now {
                return;
            }
            let Some(index) = open.take_free() else { return };
            open.schedule.advance();
            // If many requests are due, the last one is sent later than the
            // first one.
            let at = Instant::now();
            let connection = self.clients[index].connection.as_ref();
            if connection.is_some_and(|free| free.free_since <= due) {
                share.tally.lagged(due, at);
            }
            self.send(index, 1, due, at);
        }
    }

    /// Sends this number of requests at once.
    fn send(&mut self, index: usize, count: usize, due: Instant, at: Instant) {
        let client = &mut self.clients[index];
        let Some(connection) = &mut client.connection else { return };
        let share = &mut self.groups[client.group];
        let requests = &share.bytes.requests[..count * share.bytes.request_len];
        connection.sent(Sent { at, due, count });
        let stream = &connection.stream;
        let sent = rustix::net::send(stream, requests, SendFlags::NOSIGNAL);
        let error = match sent {
            Ok(count) if count == requests.len() => return,
            // So few bytes always fit into the socket's buffer, as the server
            // has read all earlier ones.
            Ok(_) => io::ErrorKind::WriteZero.into(),
            Err(error) => error.into(),
        };
        share.tally.failed(&error);
        self.leave(index);
    }

    /// Opens the next connection of a churning client.
    fn reconnect(&mut self, index: usize) {
        let client = &mut self.clients[index];
        let connection = client.connection.take();
        let in_flight = connection.map(Connection::close).unwrap_or_default();
        let (group, number) = (client.group, client.number);
        let share = &mut self.groups[group];
        let at = Instant::now();
        let planned = number % ADDRESSES_OF_CHURN;
        let opened = share.sockets.start_to_connect(planned);
        let watched = opened.and_then(|stream| {
            self.watch(&stream, index, EventFlags::OUT)?;
            Ok(stream)
        });
        match watched {
            Ok(stream) => {
                let mut connection = Connection::new(stream, in_flight, at);
                connection.is_connecting = true;
                // Connecting is a part of the service time.
                connection.sent(Sent { at, due: at, count: 1 });
                self.clients[index].connection = Some(connection);
            }
            Err(error) => {
                self.groups[group].tally.failed(&error);
                self.leave(index);
            }
        }
    }

    /// Sends the request of a churning client, which is connected now.
    fn connected(&mut self, index: usize) {
        let client = &mut self.clients[index];
        let Some(connection) = &mut client.connection else { return };
        let share = &mut self.groups[client.group];
        let stream = &connection.stream;
        let outcome = match sockopt::socket_error(stream) {
            Ok(Ok(())) => {
                let request = &share.bytes.requests;
                rustix::net::send(stream, request, SendFlags::NOSIGNAL)
            }
            Ok(Err(error)) | Err(error) => Err(error),
        };
        match outcome {
            Ok(_) => share.tally.connected += 1,
            Err(error) => {
                share.tally.failed(&error.into());
                self.leave(index);
            }
        }
    }

    fn watch(
        &self,
        stream: &TcpStream,
        index: usize,
        more: EventFlags,
    ) -> io::Result<()> {
        // Edge-triggered: the kernel need not check a socket again that was
        // read. With RDHUP, because an edge is reported only once.
        let flags = EventFlags::IN | EventFlags::RDHUP | EventFlags::ET | more;
        let data = EventData::new_u64(index as u64);
        Ok(epoll::add(&self.epoll, stream, data, flags)?)
    }

    fn leave(&mut self, index: usize) {
        let client = &mut self.clients[index];
        let is_churn = self.groups[client.group].pace == Pace::Churn;
        if client.connection.take().is_some() || is_churn {
            self.live -= 1;
        }
    }

    /// Gives up connections that have waited for a reply for too long, and open
    /// loops that are still not done that long after the window.
    fn expire(&mut self, now: Instant) {
        let timeout = self.plan.reply_timeout;
        for index in 0..self.clients.len() {
            let client = &self.clients[index];
            let Some(connection) = &client.connection else { continue };
            // Between turns, clients of a server that doesn't serve them may
            // wait for long.
            let since = connection.waits_since().filter(|_| !self.stays);
            let since = since.map(|since| self.ended_at.unwrap_or(since));
            let waited =
                since.map(|since| now.saturating_duration_since(since));
            if waited.is_some_and(|waited| waited >= timeout) {
                self.groups[client.group].tally.timed_out();
                self.give_up(index, now);
            }
        }
        for group in 0..self.groups.len() {
            let open = self.groups[group].open.as_ref();
            let end = open.and_then(|open| open.end);
            if end.is_some_and(|end| now >= end + timeout) {
                self.give_up_open_loop(group, now);
            }
        }
    }

    fn give_up(&mut self, index: usize, now: Instant) {
        let client = &self.clients[index];
        let tally = &mut self.groups[client.group].tally;
        let connection = client.connection.iter();
        for sent in connection.flat_map(Connection::unanswered) {
            tally.unanswered(sent.due, now);
        }
        self.leave(index);
    }

    /// Gives up an open loop whose requests of the window were not all answered
    /// before the timeout.
    fn give_up_open_loop(&mut self, group: usize, now: Instant) {
        if self.groups[group].open.is_none() {
            return;
        }
        for index in 0..self.clients.len() {
            if self.clients[index].group == group {
                self.give_up(index, now);
            }
        }
        let GroupShare { open, tally, .. } = &mut self.groups[group];
        let Some(open) = open else { return };
        while !open.is_over() {
            tally.unanswered(open.schedule.next(), now);
            open.schedule.advance();
        }
        open.free.clear();
    }

    /// Begins the next phase.
    fn next_phase(&mut self) {
        match self.phase {
            Phase::WarmUp => {
                self.next_survey = None;
                let survey = self.survey.take();
                // The machine is watched over all turns of a round.
                let reads_machine = !self.stays && survey.is_some();
                let survey = survey.unwrap_or_else(|| Survey::read(None));
                let start = WindowStart::read(survey, reads_machine);
                self.phase = Phase::Window;
                self.phase_end = start.at + self.window;
                for share in &mut self.groups {
                    share.tally.begin(start.at);
                }
                self.start = Some(start);
            }
            Phase::Window => {
                let end = Instant::now();
                self.phase = Phase::Drain;
                let start = self.start.take();
                if let Some(start) = &start {
                    self.note_starved(start.at);
                }
                for share in &mut self.groups {
                    share.tally.end(end);
                    if let Some(open) = &mut share.open {
                        open.end = Some(end);
                    }
                }
                let stopped = start.map(|start| start.stop(end));
                self.phase_end += DRAIN_END;
                if self.stays {
                    // Reading the rest takes milliseconds, in which the last
                    // replies would wait.
                    self.stopped = stopped;
                    self.drain = Some(TurnDrain::begin(self.plan));
                    self.groups.iter_mut().for_each(|g| g.thinking.clear());
                } else {
                    self.report = stopped.map(|stopped| stopped.report(None));
                    self.close_idle();
                }
            }
            Phase::Drain => {}
        }
    }

    /// Returns the replies in the window of a turn as a share of all since its
    /// beginning.
    fn share_in_window(&self) -> f64 {
        let tallies = self.groups.iter().map(|share| &share.tally);
        let [mut replies, mut in_all] = [0, 0];
        for tally in tallies {
            replies += tally.replies();
            in_all += tally.replies_in_all();
        }
        if in_all == 0 { 1.0 } else { replies as f64 / in_all as f64 }
    }

    /// Counts, at the end of the window, the clients that have been waiting for
    /// a reply since before it began.
    fn note_starved(&mut self, begin: Instant) {
        for client in &self.clients {
            let connection = client.connection.as_ref();
            let since = connection.and_then(Connection::waits_since);
            if since.is_some_and(|since| since < begin) {
                self.groups[client.group].tally.starved();
            }
        }
    }

    /// Counts, at the end of a turn, the requests without a reply, and the
    /// clients that have never got one.
    fn note_unfinished(&mut self) {
        for client in &self.clients {
            let tally = &mut self.groups[client.group].tally;
            let Some(connection) = &client.connection else { continue };
            if connection.is_served {
                connection.unanswered().for_each(|sent| tally.unfinished(sent));
            } else if let Some(sent) = connection.unanswered().next() {
                tally.unserved(sent);
            }
        }
    }

    /// Closes the connections that wait for no reply, at the end of the window.
    fn close_idle(&mut self) {
        for group in &mut self.groups {
            group.thinking.clear();
        }
        for index in 0..self.clients.len() {
            let client = &self.clients[index];
            let pace = self.groups[client.group].pace;
            let has_nothing_to_do = client
                .connection
                .as_ref()
                .is_some_and(|connection| connection.waits_since().is_none());
            // Connections of an open loop may still have to send requests that
            // are due by now.
            if has_nothing_to_do && !matches!(pace, Pace::Open { .. }) {
                self.leave(index);
            }
        }
    }

    fn finish(&mut self) -> anyhow::Result<(LoadReport, Vec<Tally>)> {
        // If every connection ended early, the window ends here, or has no
        // length.
        while self.phase != Phase::Drain {
            self.next_phase();
        }
        let now = Instant::now();
        for group in 0..self.groups.len() {
            self.give_up_open_loop(group, now);
        }
        let report = self.report.take().context("the window did not end")?;
        Ok((report, self.take_tallies()))
    }

    fn take_tallies(&mut self) -> Vec<Tally> {
        self.groups.iter_mut().map(|share| share.tally.take()).collect()
    }
}

impl TurnDrain {
    fn begin(plan: &LoadPlan) -> TurnDrain {
        let servers = plan.server.into_iter().chain(plan.apart_server);
        let now = Instant::now();
        TurnDrain {
            began: now,
            last_reply: now,
            next_poll: now + DRAIN_POLL,
            activity: Activity::of(servers.collect()),
            idle_polls: 0,
            is_over: false,
        }
    }

    /// Notes the result of one poll.
    fn polled(&mut self, is_idle: bool) {
        self.idle_polls = if is_idle { self.idle_polls + 1 } else { 0 };
        self.is_over = self.idle_polls >= DRAIN_POLLS;
        self.next_poll = Instant::now() + DRAIN_POLL;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::net::{SocketAddr, TcpListener};

    use super::*;
    use crate::model::contestant::Framing;
    use crate::model::load_plan::Arrivals;
    use crate::model::load_plan::GroupPlan;

    #[test]
    fn each_request_of_a_burst_has_its_own_time() {
        // The clients wait in the backlog, which is enough to send to.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (rate, arrivals) = (1e6, Arrivals::Constant);
        let think = Duration::from_nanos(1);
        let paces =
            [Pace::Open { rate, arrivals }, Pace::Closed { depth: 1, think }];
        for pace in paces {
            let plan = plan(listener.local_addr().unwrap(), pace);
            let ignored = Interrupt::ignored();
            let mut worker = Worker::new(&plan, &ignored, 0, 1).unwrap();
            (0..8).for_each(|number| worker.add_client(0, number));
            let now = Instant::now();
            match pace {
                Pace::Open { .. } => {
                    let open = worker.groups[0].open.as_mut().unwrap();
                    open.free.extend(0..8);
                    let second = Duration::from_secs(1);
                    open.schedule.begin(now.checked_sub(second).unwrap());
                    worker.send_due(0, now);
                }
                Pace::Closed { .. } | Pace::Churn | Pace::Silent => {
                    let thinking = &mut worker.groups[0].thinking;
                    thinking.extend((0..8).map(|index| (now, index, 1)));
                    worker.stop_thinking(0, now);
                }
            }
            let sent = worker.clients.iter().map(|client| {
                let connection = client.connection.as_ref().unwrap();
                connection.waits_since().unwrap()
            });
            assert_eq!(sent.collect::<BTreeSet<_>>().len(), 8, "{pace:?}");
        }
    }

    #[test]
    fn the_clients_of_a_turn_begin_one_after_the_other() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let plan = plan(listener.local_addr().unwrap(), Pace::EAGER);
        let ignored = Interrupt::ignored();
        let mut worker = Worker::new(&plan, &ignored, 0, 1).unwrap();
        (0..8).for_each(|number| worker.add_client(0, number));
        worker.stays = true;
        let start = Instant::now();
        worker.start(start).unwrap();
        // No one replies, so those that have begun wait.
        let now = Instant::now();
        let begun = worker.clients.iter().map_while(|client| {
            let connection = client.connection.as_ref().unwrap();
            connection.waits_since()
        });
        let begun: Vec<Instant> = begun.collect();
        let later = worker.groups[0].thinking.iter();
        let later: Vec<Instant> = later.map(|(at, ..)| *at).collect();
        assert_eq!(begun.len() + later.len(), 8);
        assert!(begun.iter().all(|at| *at <= now));
        let end = start + plan.warm_up.mul_f64(STAGGER_SHARE);
        assert!(later.iter().all(|at| (now..end).contains(at)));
        // The whole time is used.
        let pause = plan.warm_up.mul_f64(STAGGER_SHARE / 8.0);
        let pauses = later.windows(2).map(|pair| pair[1] - pair[0]);
        let is_pause = |found: Duration| found.abs_diff(pause).as_millis() == 0;
        assert!(later.len() >= 2 && pauses.into_iter().all(is_pause));
        // In the next turn, clients that still wait don't ask again.
        worker.groups[0].thinking.clear();
        worker.start(Instant::now()).unwrap();
        let waiting = worker.groups[0].thinking.iter();
        let waiting = waiting.filter(|(_, index, _)| *index < begun.len());
        assert_eq!(waiting.count(), 0);
    }

    #[test]
    fn a_client_begins_a_turn_with_its_depth_of_requests_in_flight() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let pace = Pace::Closed { depth: 4, think: Duration::ZERO };
        let plan = LoadPlan {
            warm_up: Duration::ZERO,
            ..plan(listener.local_addr().unwrap(), pace)
        };
        let ignored = Interrupt::ignored();
        let mut worker = Worker::new(&plan, &ignored, 0, 1).unwrap();
        (0..3).for_each(|number| worker.add_client(0, number));
        // The last turn left this many requests without a reply.
        for (index, count) in [0, 1, 4].into_iter().enumerate() {
            let now = Instant::now();
            worker.send(index, count, now, now);
        }
        worker.stays = true;
        worker.start(Instant::now()).unwrap();
        let owed = worker.clients.iter().map(|client| {
            let connection = client.connection.as_ref().unwrap();
            connection.owed()
        });
        assert_eq!(owed.collect::<Vec<_>>(), [4, 4, 4]);
    }

    #[test]
    fn a_drain_ends_after_three_idle_polls_in_a_row() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let plan = plan(listener.local_addr().unwrap(), Pace::EAGER);
        let mut drain = TurnDrain::begin(&plan);
        let polls = [true, true, false, true, true, true];
        let ends = polls.map(|is_idle| {
            drain.polled(is_idle);
            drain.is_over
        });
        assert_eq!(ends, [false, false, false, false, false, true]);
    }

    #[test]
    fn switches_are_scaled_by_the_share_of_replies_in_the_window() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let plan = plan(listener.local_addr().unwrap(), Pace::EAGER);
        let ignored = Interrupt::ignored();
        let mut worker = Worker::new(&plan, &ignored, 0, 1).unwrap();
        assert_eq!(worker.share_in_window(), 1.0);
        let now = Instant::now();
        let sent = Sent { at: now, due: now, count: 1 };
        let tally = &mut worker.groups[0].tally;
        tally.right(&sent, 2, now);
        tally.begin(now);
        tally.right(&sent, 5, now);
        tally.end(now);
        tally.right(&sent, 3, now);
        assert_eq!(worker.share_in_window(), 0.5);
    }

    /// Returns a plan with eight clients, and a warm-up that doesn't end.
    fn plan(address: SocketAddr, pace: Pace) -> LoadPlan {
        let group = GroupPlan {
            name: "burst".to_owned(),
            n: 1,
            connections: 8,
            pace,
            elsewhere: None,
        };
        LoadPlan {
            address,
            groups: vec![group],
            warm_up: Duration::from_secs(60),
            window: Duration::from_secs(1),
            framing: Framing::Line,
            reply_timeout: Duration::from_secs(60),
            server: None,
            apart_server: None,
            processors: Vec::new(),
            seed: 1,
        }
    }
}
