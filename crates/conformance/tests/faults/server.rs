//! A server that keeps the protocol, on a thread per client, unless it is
//! given a fault.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{ExitCode, exit};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::FdFlags;
use signal_hook::consts::{SIGINT, SIGTERM};
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
    WrongNumber, TalksFib, KeepsCr, TakesSigns, TrimsAllWhiteSpace,
    TakesAllDigits, Wraps, LimitOneLower, LimitOneHigher, WaitsForLf,
    KeepsLongLines, LeavesAtBadLine, AnswersPerRead, ForgetsRestOfRead,
    AnswersTwice, ShortJobsFirst, HoldsBack, OneClientAtATime, OneJobAtATime,
    DropsAtHalfClose, AnswersUnfinished, LeaksFds, LeaksThreads,
    DiesOfClients, BuffersReplies, NeverTimesOut, BytesAreLife,
    TimesOutAlways, TimesOutJobs, TimesOutSlowReaders, NoCap, SilentCap,
    CapForGood, SpinsWithoutFds, LeavesWithoutFds, Starves, StarvesInCrowds,
    IgnoresTerm, LeavesAtTerm, TearsAtTerm, KeepsPort, NeverCutsOff,
    CutsOffQuietly, IgnoresSecondTerm, NoReuse, LongDeath, TakesAllFlags,
    TalksInLines, KnowsNoManager, StallsAtUrgentData, TakesUrgentData,
    WaitsForAcks, ReadsOnAtTerm, Refuses93, ServesFew, HidesWant,
    ReplacesNoWorker, HidesLoss, FinishesUnwanted, BeginsUnwanted,
    StopsQuickJobs, ForkStorm, SteadyBackOff, OutlivesServer, LeavesZombies,
    SharesSockets, NoJobTimeout,
}

use Fault::*;

/// What the flags said.
struct Config {
    fault: Option<Fault>,
    address: SocketAddr,
    talk: bool,
    max_n: u64,
    connections_max: usize,
    idle_timeout: Duration,
    drain_timeout: Duration,
    json: bool,
    /// 0: it computes where it is asked.
    workers: usize,
    job_timeout: Option<Duration>,
}

/// What all threads know.
struct Shared {
    config: Config,
    connections: Mutex<HashMap<u64, Arc<Connection>>>,
    /// Notified when a connection has left.
    left: Condvar,
    entered: AtomicU64,
    stopping: AtomicBool,
    /// Held while computing, by those who compute one job at a time.
    job: Mutex<()>,
    /// The same for those who compute as many as there are cores.
    jobs: Vec<Mutex<()>>,
    workers: Option<Arc<Workers>>,
}

struct Connection {
    stream: TcpStream,
    moved: Mutex<Instant>,
    computes: AtomicBool,
    writes: AtomicBool,
    /// Idle for too long.
    over: AtomicBool,
}

pub(crate) fn serve(words: impl Iterator<Item = String>) -> ExitCode {
    let words: Vec<String> = words.collect();
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
    let listener = match listen(config.address, !has(NoReuse)) {
        Ok(listener) => listener,
        Err(error) => {
            eprintln!("cannot listen on {}: {error}", config.address);
            if has(LongDeath) {
                eprintln!("stack backtrace:\n   0: main");
            }
            return ExitCode::from(1);
        }
    };
    run(listener, config)
}

fn run(listener: TcpListener, config: Config) -> ExitCode {
    let signals = Signals::new([SIGTERM, SIGINT]).expect("signals");
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
        left: Condvar::new(),
        entered: AtomicU64::new(0),
        stopping: AtomicBool::new(false),
        job: Mutex::default(),
        jobs: (0..cores).map(|_| Mutex::default()).collect(),
    });
    let door = listener.try_clone().expect("a second handle");
    let housekeeper = Arc::clone(&shared);
    thread::spawn(move || housekeeper.obey(signals, &door));
    let clock = Arc::clone(&shared);
    thread::spawn(move || clock.drop_idle_clients());
    if shared.config.talk {
        shared.log("framing is the talk's: a read is a request");
    }
    println!("listening on {} (faulty)", listener.local_addr().unwrap());
    shared.accept(&listener);
    let mut connections = lock(&shared.connections);
    while !connections.is_empty() {
        connections = shared.left.wait(connections).unwrap();
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
            if taken.is_none() && config.fault != Some(TakesAllFlags) {
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

fn listen(address: SocketAddr, reuse: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(reuse)?;
    socket.bind(&address.into())?;
    socket.listen(1024)?;
    Ok(socket.into())
}

impl Shared {
    fn has(&self, fault: Fault) -> bool {
        self.config.fault == Some(fault)
    }

    /// A place to compute in, as soon as there is one.
    fn free_core(&self) -> MutexGuard<'_, ()> {
        let free = self.jobs.iter().find_map(|job| job.try_lock().ok());
        free.unwrap_or_else(|| lock(&self.jobs[0]))
    }

    fn log(&self, text: &str) {
        match self.config.json {
            true => eprintln!("{{\"message\":\"{text}\"}}"),
            false => eprintln!("{text}"),
        }
    }

    /// Waits for signals, and for what they ask for.
    fn obey(self: &Arc<Shared>, mut signals: Signals, door: &TcpListener) {
        for signal in signals.forever() {
            if self.has(IgnoresTerm) && signal == SIGTERM {
                continue;
            }
            if self.has(LeavesAtTerm) {
                exit(0);
            }
            if self.stopping.swap(true, SeqCst) {
                if !self.has(IgnoresSecondTerm) {
                    exit(4);
                }
                continue;
            }
            if !self.has(KeepsPort) {
                let both = rustix::net::Shutdown::Both;
                let _ = rustix::net::shutdown(door, both);
            }
            for connection in lock(&self.connections).values() {
                let _ = connection.stream.shutdown(Shutdown::Read);
            }
            if self.has(KeepsPort) {
                // It still has to end when its clients have left.
                let shared = Arc::clone(self);
                thread::spawn(move || shared.leave_when_empty());
            }
            let shared = Arc::clone(self);
            thread::spawn(move || shared.cut_off_late());
        }
    }

    fn leave_when_empty(&self) {
        let mut connections = lock(&self.connections);
        while !connections.is_empty() {
            connections = self.left.wait(connections).unwrap();
        }
        exit(0);
    }

    fn cut_off_late(&self) {
        if self.has(NeverCutsOff) {
            return;
        }
        thread::sleep(self.config.drain_timeout);
        let count = lock(&self.connections).len();
        if count == 0 {
            // `run` is about to return.
            return;
        }
        if !self.has(CutsOffQuietly) {
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
                Err(error) if self.has(LeavesWithoutFds) => {
                    panic!("{error}");
                }
                Err(_) => {
                    thread::sleep(Duration::from_millis(100));
                    continue;
                }
            };
            let Some(key) = self.enter(stream) else { continue };
            let shared = Arc::clone(self);
            let converse = move || {
                let connection = lock(&shared.connections)[&key].clone();
                let end = Conversation::new(&shared, &connection).hold();
                if end.is_err() && shared.has(DiesOfClients) {
                    exit(1);
                }
                drop(connection);
                shared.leave(key);
                if shared.has(LeaksThreads) && key % 100 == 0 {
                    thread::park();
                }
            };
            if self.has(OneClientAtATime) {
                converse();
            } else if thread::Builder::new().spawn(converse).is_err() {
                if !self.has(HidesWant) {
                    self.refuse(&lock(&self.connections)[&key].stream);
                }
                self.leave(key);
            }
        }
    }

    fn enter(&self, stream: TcpStream) -> Option<u64> {
        let mut connections = lock(&self.connections);
        let few = if self.has(ServesFew) { 500 } else { usize::MAX };
        let full = connections.len() >= self.config.connections_max.min(few);
        if full && !self.has(NoCap) {
            self.refuse(&stream);
            return None;
        }
        if self.stopping.load(SeqCst) {
            let _ = stream.shutdown(Shutdown::Read);
        }
        let _ = stream.set_nodelay(!self.has(WaitsForAcks));
        if self.has(SharesSockets) {
            let _ = rustix::io::fcntl_setfd(&stream, FdFlags::empty());
        }
        let inline = self.has(TakesUrgentData);
        let _ = SockRef::from(&stream).set_out_of_band_inline(inline);
        let key = self.entered.fetch_add(1, SeqCst);
        let connection = Connection {
            stream,
            moved: Mutex::new(Instant::now()),
            computes: AtomicBool::new(false),
            writes: AtomicBool::new(false),
            over: AtomicBool::new(false),
        };
        connections.insert(key, Arc::new(connection));
        Some(key)
    }

    fn refuse(&self, mut stream: &TcpStream) {
        if !self.has(SilentCap) {
            let _ = stream.write_all(b"error: server-full\n");
        }
    }

    fn leave(&self, key: u64) {
        let mut connections = lock(&self.connections);
        if self.has(CapForGood) {
            let connection = connections[&key].clone();
            let _ = connection.stream.shutdown(Shutdown::Both);
        } else if let Some(connection) = connections.remove(&key)
            && self.has(LeaksFds)
        {
            std::mem::forget(connection.stream.try_clone());
        }
        self.left.notify_all();
    }
}

impl Connection {
    fn moved(&self) {
        *lock(&self.moved) = Instant::now();
    }

    fn drop_if_idle(&self, timeout: Duration, shared: &Shared) {
        let idle = lock(&self.moved).elapsed() >= timeout;
        let busy = self.computes.load(SeqCst) && !shared.has(TimesOutJobs);
        if idle && !busy {
            if self.writes.load(SeqCst) {
                let linger = Some(Duration::ZERO);
                let _ = SockRef::from(&self.stream).set_linger(linger);
            }
            self.over.store(true, SeqCst);
            let _ = self.stream.shutdown(Shutdown::Both);
        }
    }
}

/// What a client is told, and what it takes.
#[derive(Clone, Copy)]
enum Request {
    Fib(u64),
    Error(&'static str),
}

struct Conversation<'a> {
    shared: &'a Shared,
    connection: &'a Connection,
    /// Received, and not yet a whole line.
    input: Vec<u8>,
    /// The rest of a line that was too long is still to come.
    skips: bool,
    output: Vec<u8>,
    /// What nobody will need again.
    hoard: Vec<u8>,
    /// Its turn, if it hasn't given it up.
    job: Option<MutexGuard<'a, ()>>,
}

impl<'a> Conversation<'a> {
    fn new(shared: &'a Shared, connection: &'a Connection) -> Self {
        Conversation {
            shared,
            connection,
            input: Vec::new(),
            skips: false,
            output: Vec::new(),
            hoard: Vec::new(),
            job: None,
        }
    }

    fn has(&self, fault: Fault) -> bool {
        self.shared.has(fault)
    }

    fn hold(&mut self) -> io::Result<()> {
        let mut space = [0; 16 * 1024];
        let mut left = usize::MAX;
        while left > 0 {
            let count = (&self.connection.stream).read(&mut space)?;
            // A client that goes on sending may never let it be 0.
            if count == 0 || self.connection.over.load(SeqCst) {
                break;
            }
            let stops = self.shared.stopping.load(SeqCst);
            if stops && !self.has(ReadsOnAtTerm) {
                left = left.saturating_sub(count).min(self.received());
            }
            if self.has(BytesAreLife) {
                self.connection.moved();
            }
            if self.shared.config.talk {
                if self.has(TalksInLines) && !space[..count].contains(&b'\n') {
                    continue;
                }
                let request = self.parse(space[..count].trim_ascii());
                self.answer(request)?;
            } else {
                self.take(&space[..count])?;
            }
            self.flush()?;
            if self.has(StallsAtUrgentData) {
                self.await_an_edge();
            }
        }
        if self.has(AnswersUnfinished) && !self.input.is_empty() {
            let request = self.parse(&self.input);
            self.answer(request)?;
        }
        self.flush()
    }

    /// Answers what is complete.
    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.has(AnswersPerRead) {
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
            if !std::mem::take(&mut self.skips) {
                requests.push(self.parse(line));
            }
            if self.has(ForgetsRestOfRead) {
                taken = self.input.len();
            }
        }
        self.input.drain(..taken);
        let too_long = self.input.len() >= self.limit();
        if too_long && !self.skips && !self.has(WaitsForLf) {
            requests.push(Request::Error("line-too-long"));
            self.skips = true;
        }
        if self.skips {
            if self.has(KeepsLongLines) {
                self.hoard.extend_from_slice(&self.input);
            }
            self.input.clear();
        }
        if self.has(ShortJobsFirst) {
            requests.sort_by_key(|request| match request {
                Request::Fib(n) => *n,
                Request::Error(_) => 0,
            });
        }
        if self.has(DropsAtHalfClose) && self.is_half_closed() {
            requests.truncate(requests.len() / 2);
        }
        let shared = self.shared;
        let mut job = self.job.take();
        if self.has(OneJobAtATime) || self.has(Starves) {
            job = job.or_else(|| Some(lock(&shared.job)));
        }
        if self.has(StarvesInCrowds) {
            job = job.or_else(|| Some(shared.free_core()));
        }
        let done = requests
            .into_iter()
            .try_for_each(|request| self.answer(request))
            .and_then(|()| self.flush());
        let starves = self.has(Starves) || self.has(StarvesInCrowds);
        if starves && bytes.len() > 1_000 {
            // Whoever has more to say goes on.
            self.job = job;
        }
        done
    }

    /// How much there is to read, and more than that if the client goes on
    /// sending.
    fn received(&self) -> usize {
        let stream = &self.connection.stream;
        rustix::io::ioctl_fionread(stream).map_or(0, |count| count as usize)
    }

    /// Waits as an edge-triggered loop does that takes a short read for an
    /// empty socket: what lies behind urgent data brings no edge.
    fn await_an_edge(&self) {
        let stream = &self.connection.stream;
        let mut fds = [PollFd::new(stream, PollFlags::PRI)];
        if matches!(poll(&mut fds, Some(&Timespec::default())), Ok(1)) {
            thread::park();
        }
    }

    /// Whether the next read would return 0. (It waits for a moment, as a
    /// server that is slow would.)
    fn is_half_closed(&self) -> bool {
        let stream = &self.connection.stream;
        let _ = stream.set_read_timeout(Some(Duration::from_millis(100)));
        let ended = matches!(stream.peek(&mut [0]), Ok(0));
        let _ = stream.set_read_timeout(None);
        ended
    }

    fn limit(&self) -> usize {
        match self.shared.config.fault {
            Some(LimitOneLower) => LINE_BYTES_MAX - 1,
            Some(LimitOneHigher) => LINE_BYTES_MAX + 1,
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
            Some(TakesSigns) => text.trim_start_matches('+'),
            _ => &text,
        };
        let digits: Option<Vec<u32>> = text
            .chars()
            .map(|c| match c {
                '\u{660}'..='\u{669}' if self.has(TakesAllDigits) => {
                    Some(c as u32 - 0x660)
                }
                _ => c.to_digit(10),
            })
            .collect();
        let Some(digits) = digits.filter(|digits| !digits.is_empty()) else {
            return Request::Error("not-a-number");
        };
        let n = digits.into_iter().fold(0u64, |n, digit| {
            let next = match self.has(Wraps) {
                true => Some(n.wrapping_mul(10).wrapping_add(digit.into())),
                false => {
                    n.checked_mul(10).and_then(|n| n.checked_add(digit.into()))
                }
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
        let bad = matches!(request, Request::Error(_));
        let lifeless = bad && self.has(TimesOutSlowReaders);
        if !self.has(TimesOutAlways) && !lifeless {
            self.connection.moved();
        }
        match request {
            Request::Fib(n) => {
                if n >= 20 && !self.has(HoldsBack) {
                    self.flush()?;
                }
                let reply = self.compute(n)?;
                self.output.extend(format!("{reply}\n").bytes());
                let stops = self.shared.stopping.load(SeqCst);
                if self.has(AnswersTwice) && (n == 2 || stops) {
                    self.output.extend(format!("{reply}\n").bytes());
                }
            }
            Request::Error(token) => {
                self.output.extend(format!("error: {token}\n").bytes());
                if self.has(LeavesAtBadLine) {
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
        self.connection.computes.store(true, SeqCst);
        let reply = match &self.shared.workers {
            Some(workers) => workers.compute(n, &self.connection.stream)?,
            None => match self.shared.config.fault {
                Some(WrongNumber) if n == 20 => 1 + protocol_fib(n),
                Some(TalksFib) if n == 0 => 1,
                _ => protocol_fib(n),
            }
            .to_string(),
        };
        self.connection.computes.store(false, SeqCst);
        if !self.has(TimesOutAlways) {
            self.connection.moved();
        }
        Ok(reply)
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut stream = &self.connection.stream;
        if self.has(BuffersReplies) {
            if self.output.len() > MIB {
                return Ok(());
            }
            stream.set_nonblocking(true)?;
            let count = stream.write(&self.output).unwrap_or(0);
            self.output.drain(..count);
            return stream.set_nonblocking(false);
        }
        let stops = self.shared.stopping.load(SeqCst);
        if self.has(TearsAtTerm) && stops && !self.output.is_empty() {
            let _ = stream.write(&self.output[..self.output.len() - 1]);
            exit(0);
        }
        self.connection.writes.store(true, SeqCst);
        let mut rest = &self.output[..];
        while !rest.is_empty() {
            rest = &rest[stream.write(rest)?..];
            if !self.has(TimesOutAlways) && !self.has(TimesOutSlowReaders) {
                self.connection.moved();
            }
        }
        self.output.clear();
        self.connection.writes.store(false, SeqCst);
        Ok(())
    }
}

/// The naive recursion: what it costs is part of the protocol.
pub(crate) fn protocol_fib(n: u64) -> u64 {
    if n < 2 { n } else { protocol_fib(n - 1) + protocol_fib(n - 2) }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nobody panics with it")
}
