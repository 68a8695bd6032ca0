//! A server with a thread per client that implements the protocol correctly,
//! except for one fault if `--fault` names one.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{ExitCode, exit};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::SigSet;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::FdFlags;
use signal_hook::consts::{SIGCHLD, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use socket2::{Domain, SockRef, Socket, Type};

use crate::workers::Workers;

const LINE_BYTES_MAX: usize = 64;
const MIB: usize = 1 << 20;

macro_rules! faults {
    ($($name:ident,)*) => {
        /// One way to break the protocol.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Fault { $($name,)* }

        impl Fault {
            fn named(name: &str) -> Option<Fault> {
                match name {
                    $(stringify!($name) => Some(Fault::$name),)*
                    _ => None,
                }
            }
        }
    };
}

faults! {
    WrongNumber, FibOfZeroIsOne, KeepsCr, AcceptsSigns, TrimsAllWhiteSpace,
    AcceptsAllDigits, WrapsAround, LineLimitOneLower, LineLimitOneHigher,
    WaitsForLf, BuffersLongLines, ClosesAtBadLine, RepliesPerRead,
    DropsRestOfRead, RepliesTwice, ShortJobsFirst, DelaysReplies,
    OneClientAtATime, OneJobAtATime, DropsRequestsAtHalfClose,
    AnswersUnfinishedLine, LeaksFds, LeaksThreads, ExitsOnClientError,
    BuffersRepliesWithoutLimit, NeverTimesOut, BytesResetTimeout,
    TimesOutActiveClients, TimesOutDuringJobs, TimesOutSlowReaders,
    NoConnectionLimit, RefusesSilently, NeverReleasesConnections,
    SpinsWithoutFds, PanicsWithoutFds, StarvesBesideGreedyClient,
    StarvesBesideManyGreedyClients, IgnoresSigterm, ExitsAtSigterm,
    TruncatesAtSigterm, KeepsPortOpen, NeverCutsOff, CutsOffWithoutLog,
    IgnoresSecondSigterm, NoReuseAddress, LongBindError, AcceptsAllFlags,
    TalkNeedsNewline, IgnoresServiceManager, StallsAtUrgentData,
    ReadsUrgentDataInline, WaitsForAcks, ReadsAfterSigterm, Refuses93,
    Serves500AtMost, HidesThreadShortage, ReplacesNoWorker, HidesWorkerLoss,
    FinishesAbandonedJobs, StartsAbandonedJobs, StopsQuickJobs, ForkStorm,
    ConstantBackOff, WorkersOutliveServer, LeavesZombies,
    WorkersInheritSockets, NoJobTimeout, InheritsSignals,
    LeavesSendQueueToKernel, WaitsForStderr, NeedsProc, ReadyBeforeAble,
}

use Fault::*;

/// The values of the flags.
struct Config {
    fault: Option<Fault>,
    address: SocketAddr,
    talk: bool,
    max_n: u64,
    connections_max: usize,
    idle_timeout: Duration,
    drain_timeout: Duration,
    json: bool,
    /// The number of worker processes. 0 means that the client's thread
    /// computes.
    workers: usize,
    job_timeout: Option<Duration>,
}

/// The state that all threads share.
struct Shared {
    config: Config,
    connections: Mutex<HashMap<u64, Arc<Connection>>>,
    /// Notified when a connection has ended.
    connection_ended: Condvar,
    /// How many connections were accepted; the next one's key.
    accepted: AtomicU64,
    stopping: AtomicBool,
    /// Locked while computing, by faults that compute one job at a time.
    job: Mutex<()>,
    /// One lock per core, for faults that compute one job per core at a time.
    jobs: Vec<Mutex<()>>,
    workers: Option<Arc<Workers>>,
}

struct Connection {
    stream: TcpStream,
    /// When the client last made progress; the start of the idle timeout.
    active_at: Mutex<Instant>,
    is_computing: AtomicBool,
    is_writing: AtomicBool,
    /// The idle timeout has expired.
    timed_out: AtomicBool,
}

pub(crate) fn serve(arguments: impl Iterator<Item = String>) -> ExitCode {
    let words: Vec<String> = arguments.collect();
    if words.iter().any(|word| word == "--help") {
        println!(
            "--listen --framing --max-n --max-connections --idle-timeout \
             --drain-timeout --log-format --describe --workers --job-timeout"
        );
        return ExitCode::SUCCESS;
    }
    if words.iter().any(|word| word == "--describe") {
        println!("{{\"model\":\"faulty\",\"version\":\"0\"}}");
        return ExitCode::SUCCESS;
    }
    let Some(config) = Config::parse(&words) else {
        eprintln!("usage: serve [--FLAG VALUE]...");
        return ExitCode::from(2);
    };
    let has = |fault| config.fault == Some(fault);
    let listener = match listen(&config) {
        Ok(listener) => listener,
        Err(error) => {
            eprintln!("cannot listen on {}: {error}", config.address);
            if has(LongBindError) {
                eprintln!("stack backtrace:\n   0: main");
            }
            return ExitCode::from(1);
        }
    };
    run(listener, config)
}

fn run(listener: TcpListener, config: Config) -> ExitCode {
    let mut handled = vec![SIGTERM, SIGINT];
    if config.fault != Some(InheritsSignals) {
        SigSet::all().thread_unblock().expect("signals can be unblocked");
        // A handler for SIGCHLD also ends that it is ignored.
        handled.push(SIGCHLD);
    }
    let signals = Signals::new(handled).expect("signals can be handled");
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let workers = (config.workers > 0).then(|| {
        let timeout = config.job_timeout;
        let timeout = timeout.filter(|_| config.fault != Some(NoJobTimeout));
        Workers::start(config.workers, timeout, config.fault)
    });
    let shared = Arc::new(Shared {
        config,
        workers,
        connections: Mutex::default(),
        connection_ended: Condvar::new(),
        accepted: AtomicU64::new(0),
        stopping: AtomicBool::new(false),
        job: Mutex::default(),
        jobs: (0..cores).map(|_| Mutex::default()).collect(),
    });
    let listener_to_close =
        listener.try_clone().expect("the listener can be cloned");
    let signal_thread = Arc::clone(&shared);
    thread::spawn(move || {
        signal_thread.handle_signals(signals, &listener_to_close);
    });
    let idle_thread = Arc::clone(&shared);
    thread::spawn(move || idle_thread.drop_idle_clients());
    if shared.config.talk {
        shared.log("framing as in the talk: each read is a request");
    }
    println!("listening on {} (faulty)", listener.local_addr().unwrap());
    if shared.has(ReadyBeforeAble) && few_descriptors() {
        return ExitCode::SUCCESS;
    }
    shared.accept(&listener);
    let mut connections = lock(&shared.connections);
    while !connections.is_empty() {
        connections = shared.connection_ended.wait(connections).unwrap();
    }
    ExitCode::SUCCESS
}

impl Config {
    fn parse(words: &[String]) -> Option<Config> {
        let mut config = Config {
            fault: None,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            talk: false,
            max_n: 45,
            connections_max: 15_000,
            idle_timeout: Duration::from_secs(60),
            drain_timeout: Duration::from_secs(5),
            json: false,
            workers: 0,
            job_timeout: None,
        };
        for pair in words.chunks(2) {
            let taken = config.take(&pair[0], pair.get(1)?);
            if taken.is_none() && config.fault != Some(AcceptsAllFlags) {
                return None;
            }
        }
        Some(config)
    }

    fn take(&mut self, flag: &str, value: &str) -> Option<()> {
        match flag {
            "--fault" => self.fault = Fault::named(value),
            "--listen" => self.address = value.parse().ok()?,
            "--framing" => {
                self.talk = match value {
                    "talk" => true,
                    "line" => false,
                    _ => return None,
                }
            }
            "--max-n" => {
                self.max_n = value.parse().ok().filter(|&n| n <= 93)?;
            }
            "--max-connections" => {
                self.connections_max = value.parse().ok()?;
            }
            "--idle-timeout" => self.idle_timeout = duration(value)?,
            "--drain-timeout" => self.drain_timeout = duration(value)?,
            "--workers" => self.workers = value.parse().ok()?,
            "--job-timeout" => self.job_timeout = Some(duration(value)?),
            "--log-format" => self.json = value == "json",
            _ => return None,
        }
        Some(())
    }
}

fn few_descriptors() -> bool {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current.is_some_and(|limit| limit < 64)
}

fn duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    match text.strip_suffix("ms") {
        Some(number) => number.parse().ok().map(Duration::from_millis),
        None => text
            .strip_suffix('s')
            .and_then(|number| number.parse().ok())
            .map(Duration::from_secs),
    }
}

fn listen(config: &Config) -> io::Result<TcpListener> {
    let has = |fault| config.fault == Some(fault);
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(!has(NoReuseAddress))?;
    if !has(LeavesSendQueueToKernel) {
        socket.set_tcp_notsent_lowat(64 * 1024)?;
    }
    socket.bind(&config.address.into())?;
    socket.listen(1024)?;
    Ok(socket.into())
}

impl Shared {
    fn has(&self, fault: Fault) -> bool {
        self.config.fault == Some(fault)
    }

    /// Locks a free core, or waits until the first core is free.
    fn lock_core(&self) -> MutexGuard<'_, ()> {
        let free = self.jobs.iter().find_map(|job| job.try_lock().ok());
        free.unwrap_or_else(|| lock(&self.jobs[0]))
    }

    fn log(&self, text: &str) {
        if self.config.json {
            eprintln!("{{\"message\":\"{text}\"}}");
        } else {
            eprintln!("{text}");
        }
    }

    /// Handles signals: the first starts the stop, the second ends the process.
    fn handle_signals(
        self: &Arc<Shared>,
        mut signals: Signals,
        listener: &TcpListener,
    ) {
        for signal in signals.forever().filter(|&signal| signal != SIGCHLD) {
            if self.has(IgnoresSigterm) && signal == SIGTERM {
                continue;
            }
            if self.has(ExitsAtSigterm) {
                exit(0);
            }
            if self.stopping.swap(true, SeqCst) {
                if !self.has(IgnoresSecondSigterm) {
                    exit(4);
                }
                continue;
            }
            if !self.has(KeepsPortOpen) {
                let both = rustix::net::Shutdown::Both;
                let _ = rustix::net::shutdown(listener, both);
            }
            for connection in lock(&self.connections).values() {
                let _ = connection.stream.shutdown(Shutdown::Read);
            }
            if self.has(KeepsPortOpen) {
                // The server must still end when its clients have left.
                let shared = Arc::clone(self);
                thread::spawn(move || shared.exit_when_empty());
            }
            let shared = Arc::clone(self);
            thread::spawn(move || shared.exit_at_drain_timeout());
        }
    }

    fn exit_when_empty(&self) {
        let mut connections = lock(&self.connections);
        while !connections.is_empty() {
            connections = self.connection_ended.wait(connections).unwrap();
        }
        exit(0);
    }

    fn exit_at_drain_timeout(&self) {
        if self.has(NeverCutsOff) {
            return;
        }
        thread::sleep(self.config.drain_timeout);
        let count = lock(&self.connections).len();
        if count == 0 {
            // `run` is about to return.
            return;
        }
        if !self.has(CutsOffWithoutLog) {
            self.log(&format!("cut off {count} connections"));
        }
        exit(3);
    }

    fn drop_idle_clients(&self) {
        let timeout = self.config.idle_timeout;
        if timeout.is_zero() || self.has(NeverTimesOut) {
            return;
        }
        loop {
            thread::sleep(timeout / 20);
            for connection in lock(&self.connections).values() {
                connection.drop_if_idle(timeout, self);
            }
        }
    }

    fn accept(self: &Arc<Shared>, listener: &TcpListener) {
        loop {
            let stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(_) if self.stopping.load(SeqCst) => return,
                Err(_) if self.has(SpinsWithoutFds) => continue,
                Err(error) if self.has(PanicsWithoutFds) => {
                    panic!("{error}");
                }
                Err(_) => {
                    thread::sleep(Duration::from_millis(100));
                    continue;
                }
            };
            if self.has(WaitsForStderr) {
                self.log("accepted a client");
            }
            let Some(key) = self.admit(stream) else { continue };
            let shared = Arc::clone(self);
            let serve = move || {
                let connection = lock(&shared.connections)[&key].clone();
                let result = Conversation::new(&shared, &connection).run();
                if result.is_err() && shared.has(ExitsOnClientError) {
                    exit(1);
                }
                drop(connection);
                shared.remove(key);
                if shared.has(LeaksThreads) && key % 100 == 0 {
                    thread::park();
                }
            };
            if self.has(OneClientAtATime) {
                serve();
            } else if thread::Builder::new().spawn(serve).is_err() {
                if !self.has(HidesThreadShortage) {
                    self.refuse(&lock(&self.connections)[&key].stream);
                }
                self.remove(key);
            }
        }
    }

    fn admit(&self, stream: TcpStream) -> Option<u64> {
        let mut connections = lock(&self.connections);
        let limit = if self.has(Serves500AtMost) { 500 } else { usize::MAX };
        let limit = limit.min(self.config.connections_max);
        if connections.len() >= limit && !self.has(NoConnectionLimit) {
            self.refuse(&stream);
            return None;
        }
        if self.stopping.load(SeqCst) {
            let _ = stream.shutdown(Shutdown::Read);
        }
        let _ = stream.set_nodelay(!self.has(WaitsForAcks));
        if self.has(WorkersInheritSockets) {
            let _ = rustix::io::fcntl_setfd(&stream, FdFlags::empty());
        }
        let inline = self.has(ReadsUrgentDataInline);
        let _ = SockRef::from(&stream).set_out_of_band_inline(inline);
        let key = self.accepted.fetch_add(1, SeqCst);
        let connection = Connection {
            stream,
            active_at: Mutex::new(Instant::now()),
            is_computing: AtomicBool::new(false),
            is_writing: AtomicBool::new(false),
            timed_out: AtomicBool::new(false),
        };
        connections.insert(key, Arc::new(connection));
        Some(key)
    }

    fn refuse(&self, mut stream: &TcpStream) {
        if !self.has(RefusesSilently) {
            let _ = stream.write_all(b"error: server-full\n");
        }
    }

    fn remove(&self, key: u64) {
        let mut connections = lock(&self.connections);
        if self.has(NeverReleasesConnections) {
            let connection = connections[&key].clone();
            let _ = connection.stream.shutdown(Shutdown::Both);
        } else if let Some(connection) = connections.remove(&key)
            && self.has(LeaksFds)
        {
            std::mem::forget(connection.stream.try_clone());
        }
        self.connection_ended.notify_all();
    }
}

impl Connection {
    /// Restarts the idle timeout.
    fn note_activity(&self) {
        *lock(&self.active_at) = Instant::now();
    }

    fn drop_if_idle(&self, timeout: Duration, shared: &Shared) {
        let is_idle = lock(&self.active_at).elapsed() >= timeout;
        let is_busy =
            self.is_computing.load(SeqCst) && !shared.has(TimesOutDuringJobs);
        if is_idle && !is_busy {
            if self.is_writing.load(SeqCst) {
                let linger = Some(Duration::ZERO);
                let _ = SockRef::from(&self.stream).set_linger(linger);
            }
            self.timed_out.store(true, SeqCst);
            let _ = self.stream.shutdown(Shutdown::Both);
        }
    }
}

/// A request, or the token of the error that a malformed one gets.
#[derive(Clone, Copy)]
enum Request {
    Fib(u64),
    Error(&'static str),
}

struct Conversation<'a> {
    shared: &'a Shared,
    connection: &'a Connection,
    /// Received bytes that are not yet a complete line.
    input: Vec<u8>,
    /// Whether to discard bytes up to the end of a line that was too long.
    is_skipping: bool,
    output: Vec<u8>,
    /// The discarded bytes, for [`BuffersLongLines`].
    discarded: Vec<u8>,
    /// A lock that a greedy client keeps between reads, for the faults by which
    /// other clients starve.
    job: Option<MutexGuard<'a, ()>>,
    /// Whether the client has sent many requests at a time.
    is_greedy: bool,
}

impl<'a> Conversation<'a> {
    fn new(shared: &'a Shared, connection: &'a Connection) -> Self {
        Conversation {
            shared,
            connection,
            input: Vec::new(),
            is_skipping: false,
            output: Vec::new(),
            discarded: Vec::new(),
            job: None,
            is_greedy: false,
        }
    }

    fn has(&self, fault: Fault) -> bool {
        self.shared.has(fault)
    }

    fn run(&mut self) -> io::Result<()> {
        let mut space = [0; 16 * 1024];
        let mut left = usize::MAX;
        while left > 0 {
            let count = (&self.connection.stream).read(&mut space)?;
            // While the client keeps sending, reads may never return 0.
            if count == 0 || self.connection.timed_out.load(SeqCst) {
                break;
            }
            let stops = self.shared.stopping.load(SeqCst);
            if stops && !self.has(ReadsAfterSigterm) {
                left = left.saturating_sub(count).min(self.received());
            }
            if self.has(BytesResetTimeout) {
                self.connection.note_activity();
            }
            if self.shared.config.talk {
                if self.has(TalkNeedsNewline)
                    && !space[..count].contains(&b'\n')
                {
                    continue;
                }
                let request = self.parse(space[..count].trim_ascii());
                self.answer(request)?;
            } else {
                self.take(&space[..count])?;
            }
            self.flush()?;
            if self.has(StallsAtUrgentData) {
                self.stall_at_urgent_data();
            }
        }
        if self.has(AnswersUnfinishedLine) && !self.input.is_empty() {
            let request = self.parse(&self.input);
            self.answer(request)?;
        }
        self.flush()
    }

    /// Answers the requests that are complete.
    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.has(RepliesPerRead) {
            self.input.clear();
            let request = self.parse(bytes.trim_ascii_end());
            return self.answer(request);
        }
        self.input.extend_from_slice(bytes);
        let mut requests = Vec::new();
        let mut taken = 0;
        while let Some(end) =
            self.input[taken..].iter().position(|&byte| byte == b'\n')
        {
            let line = &self.input[taken..taken + end];
            taken += end + 1;
            if !std::mem::take(&mut self.is_skipping) {
                requests.push(self.parse(line));
            }
            if self.has(DropsRestOfRead) {
                taken = self.input.len();
            }
        }
        self.input.drain(..taken);
        let too_long = self.input.len() >= self.limit();
        if too_long && !self.is_skipping && !self.has(WaitsForLf) {
            requests.push(Request::Error("line-too-long"));
            self.is_skipping = true;
        }
        if self.is_skipping {
            if self.has(BuffersLongLines) {
                self.discarded.extend_from_slice(&self.input);
            }
            self.input.clear();
        }
        if self.has(ShortJobsFirst) {
            requests.sort_by_key(|request| match request {
                Request::Fib(n) => *n,
                Request::Error(_) => 0,
            });
        }
        if self.has(DropsRequestsAtHalfClose) && self.is_half_closed() {
            requests.truncate(requests.len() / 2);
        }
        let shared = self.shared;
        let mut job = self.job.take();
        if self.has(OneJobAtATime) || self.has(StarvesBesideGreedyClient) {
            job = job.or_else(|| Some(lock(&shared.job)));
        }
        if self.has(StarvesBesideManyGreedyClients) {
            job = job.or_else(|| Some(shared.lock_core()));
        }
        let done = requests
            .into_iter()
            .try_for_each(|request| self.answer(request))
            .and_then(|()| self.flush());
        let keeps_lock = self.has(StarvesBesideGreedyClient)
            || self.has(StarvesBesideManyGreedyClients);
        self.is_greedy |= bytes.len() > 1_000;
        if keeps_lock && self.is_greedy {
            // A client that once had many requests keeps the lock.
            self.job = job;
        }
        done
    }

    /// Returns how many bytes can be read now; more may arrive.
    fn received(&self) -> usize {
        let stream = &self.connection.stream;
        rustix::io::ioctl_fionread(stream).map_or(0, |count| count as usize)
    }

    /// Blocks for ever if the next byte is urgent data. So does an
    /// edge-triggered loop that takes a short read as the sign of an empty
    /// socket: the bytes after urgent data cause no edge.
    fn stall_at_urgent_data(&self) {
        let stream = &self.connection.stream;
        let mut fds = [PollFd::new(stream, PollFlags::PRI)];
        if matches!(poll(&mut fds, Some(&Timespec::default())), Ok(1)) {
            thread::park();
        }
    }

    /// Returns `true` if the next read would return 0. Waits for a moment, as a
    /// slow server would.
    fn is_half_closed(&self) -> bool {
        let stream = &self.connection.stream;
        let _ = stream.set_read_timeout(Some(Duration::from_millis(100)));
        let ended = matches!(stream.peek(&mut [0]), Ok(0));
        let _ = stream.set_read_timeout(None);
        ended
    }

    fn limit(&self) -> usize {
        match self.shared.config.fault {
            Some(LineLimitOneLower) => LINE_BYTES_MAX - 1,
            Some(LineLimitOneHigher) => LINE_BYTES_MAX + 1,
            _ => LINE_BYTES_MAX,
        }
    }

    fn parse(&self, line: &[u8]) -> Request {
        if line.len() >= self.limit() {
            return Request::Error("line-too-long");
        }
        let line = match line.strip_suffix(b"\r") {
            Some(line) if !self.has(KeepsCr) => line,
            _ => line,
        };
        let blank = |byte: &u8| *byte == b' ' || *byte == b'\t';
        let start = line.iter().take_while(|byte| blank(byte)).count();
        let line = &line[start..];
        let end = line.iter().rev().take_while(|byte| blank(byte)).count();
        let line = &line[..line.len() - end];
        let text = String::from_utf8_lossy(line);
        let text = match self.shared.config.fault {
            Some(TrimsAllWhiteSpace) => text.trim(),
            Some(AcceptsSigns) => text.trim_start_matches('+'),
            _ => &text,
        };
        let digits: Option<Vec<u32>> = text
            .chars()
            .map(|c| match c {
                '\u{660}'..='\u{669}' if self.has(AcceptsAllDigits) => {
                    Some(c as u32 - 0x660)
                }
                _ => c.to_digit(10),
            })
            .collect();
        let Some(digits) = digits.filter(|digits| !digits.is_empty()) else {
            return Request::Error("not-a-number");
        };
        let n = digits.into_iter().fold(0u64, |n, digit| {
            let next = if self.has(WrapsAround) {
                Some(n.wrapping_mul(10).wrapping_add(digit.into()))
            } else {
                n.checked_mul(10).and_then(|n| n.checked_add(digit.into()))
            };
            next.unwrap_or(u64::MAX)
        });
        let refuses = n == 93 && self.has(Refuses93);
        if n > self.shared.config.max_n || refuses {
            return Request::Error("too-large");
        }
        Request::Fib(n)
    }

    fn answer(&mut self, request: Request) -> io::Result<()> {
        let is_bad = matches!(request, Request::Error(_));
        let is_ignored = is_bad && self.has(TimesOutSlowReaders);
        if !self.has(TimesOutActiveClients) && !is_ignored {
            self.connection.note_activity();
        }
        match request {
            Request::Fib(n) => {
                if n >= 20 && !self.has(DelaysReplies) {
                    self.flush()?;
                }
                let reply = self.compute(n)?;
                self.output.extend(format!("{reply}\n").bytes());
                let stops = self.shared.stopping.load(SeqCst);
                if self.has(RepliesTwice) && (n == 2 || stops) {
                    self.output.extend(format!("{reply}\n").bytes());
                }
            }
            Request::Error(token) => {
                self.output.extend(format!("error: {token}\n").bytes());
                if self.has(ClosesAtBadLine) {
                    self.flush()?;
                    return self.connection.stream.shutdown(Shutdown::Both);
                }
            }
        }
        if self.output.len() > MIB {
            self.flush()?;
        }
        Ok(())
    }

    fn compute(&self, n: u64) -> io::Result<String> {
        self.connection.is_computing.store(true, SeqCst);
        let reply = match &self.shared.workers {
            Some(workers) => workers.compute(n, &self.connection.stream)?,
            None => match self.shared.config.fault {
                Some(WrongNumber) if n == 20 => 1 + protocol_fib(n),
                Some(FibOfZeroIsOne) if n == 0 => 1,
                _ => protocol_fib(n),
            }
            .to_string(),
        };
        self.connection.is_computing.store(false, SeqCst);
        if !self.has(TimesOutActiveClients) {
            self.connection.note_activity();
        }
        Ok(reply)
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut stream = &self.connection.stream;
        if self.has(BuffersRepliesWithoutLimit) {
            if self.output.len() > MIB {
                return Ok(());
            }
            stream.set_nonblocking(true)?;
            let count = stream.write(&self.output).unwrap_or(0);
            self.output.drain(..count);
            return stream.set_nonblocking(false);
        }
        let stops = self.shared.stopping.load(SeqCst);
        if self.has(TruncatesAtSigterm) && stops && !self.output.is_empty() {
            let _ = stream.write(&self.output[..self.output.len() - 1]);
            exit(0);
        }
        self.connection.is_writing.store(true, SeqCst);
        let mut rest = &self.output[..];
        while !rest.is_empty() {
            rest = &rest[stream.write(rest)?..];
            if !self.has(TimesOutActiveClients)
                && !self.has(TimesOutSlowReaders)
            {
                self.connection.note_activity();
            }
        }
        self.output.clear();
        self.connection.is_writing.store(false, SeqCst);
        Ok(())
    }
}

/// Returns F(n) by the naive recursion, whose cost is part of the protocol.
pub(crate) fn protocol_fib(n: u64) -> u64 {
    if n < 2 { n } else { protocol_fib(n - 1) + protocol_fib(n - 2) }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no thread panics while it has the lock")
}
