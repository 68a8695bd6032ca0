//! Starts a server from its command line, waits until it is ready, and makes
//! sure that it ends.
//!
//! The conformance suite and `compare` use this crate to start servers that may
//! be written in any language. A server ends at the latest with the process
//! that started it: [`Server`]'s `Drop` kills it, and if `Drop` never runs, the
//! kernel's parent-death signal does (`PR_SET_PDEATHSIG` in prctl(2)). The
//! processes that the server started are killed, too, if they stayed in its
//! process group, or if this process [adopts orphans](adopt_orphans).

mod child;
pub mod keeper;
mod orphans;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::{self, BufRead, BufReader, Read};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::process::{ChildStderr, ChildStdout, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType, bind, listen, socket};
use rustix::process::{
    Pid, PidfdFlags, WaitId, WaitIdOptions, pidfd_open, waitid,
};

pub use orphans::{adopt_orphans, end_children};
pub use rustix::process::{Resource, Signal};

use orphans::RunningProcess;

/// How many of a process's last log lines are kept.
const LOG_LINES_MAX: usize = 2_000;

/// How many bytes they may have.
const LOG_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The longest log line in bytes. Longer ones are split.
const LOG_LINE_BYTES_MAX: u64 = 64 * 1024;

/// The longest line of stdout in bytes. Longer ones are split. A load
/// generator's report, with all its histograms, is a single line.
const LINE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// How many unread lines of stdout are kept; further ones are dropped.
const UNREAD_LINES_MAX: usize = 10_000;

/// How long to wait for a ready line before checking whether the process has
/// ended or its start was cancelled.
const CHECK_PERIOD: Duration = Duration::from_millis(50);

/// How long to wait for the last log lines of a process that has ended.
const LOG_TAIL_WAIT: Duration = Duration::from_millis(500);

/// How long to wait between two attempts to connect to a server's port.
const PORT_RETRY: Duration = Duration::from_millis(5);

/// The loopback address with port 0: the kernel chooses a free port.
const ANY_PORT: SocketAddr =
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Moves stdin to descriptor 3, announces it as a service manager does, and
/// executes the rest of the command.
const PASS_SOCKET: &str = "exec 3<&0 0</dev/null; \
    export LISTEN_PID=$$ LISTEN_FDS=1; exec \"$0\" \"$@\"";

/// Moves stdin to stderr, and executes the rest of the command.
const STDIN_AS_STDERR: &str = "exec 2<&0 0</dev/null; exec \"$0\" \"$@\"";

/// How a server shows that it is ready.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ready {
    /// By a line on stdout with its address, such as
    /// `listening on 127.0.0.1:25000 (threads)`. The server gets port 0.
    #[default]
    Line,
    /// By accepting a connection. The server gets a port that was free.
    Port,
    /// By a line with its address or by accepting a connection, whichever
    /// happens first. The server gets a port that was free.
    Either,
}

/// How to start a server: its command line, environment and limits.
#[derive(Clone, Debug)]
pub struct Launch {
    command: Vec<String>,
    ready: Ready,
    timeout: Duration,
    environment: Vec<(String, String)>,
    /// The standard input; /dev/null, if there is none.
    stdin: Option<Arc<OwnedFd>>,
    pub(crate) cpus: Vec<usize>,
    pub(crate) limits: Vec<(Resource, u64)>,
    pub(crate) blocked: Vec<Signal>,
    pub(crate) ignored: Vec<Signal>,
}

/// The reason why a server could not be started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line was empty.
    #[error("the command is empty")]
    Empty,
    /// The program could not be executed.
    #[error("cannot start `{program}`: {cause}")]
    Start {
        /// The program's name, as in the command.
        program: String,
        /// The error of the operating system.
        cause: io::Error,
    },
    /// The process ended before it was ready.
    #[error("ended before it was ready ({status}){}", log_tail(log))]
    Ended {
        /// The status of the process.
        status: ExitStatus,
        /// Its last log lines.
        log: Vec<String>,
    },
    /// The process was not ready, and no server could have been: this machine
    /// has no free port, or this process no free file descriptor to test one.
    #[error("had no port to listen on ({cause}); {}", log_or_none(log))]
    NoPort {
        /// The error of a test socket.
        cause: io::Error,
        /// The last log lines of the process.
        log: Vec<String>,
    },
    /// The caller cancelled the start.
    #[error("was cancelled before it was ready")]
    Cancelled,
    /// The process was not ready in time.
    #[error("was not ready within {timeout:?}{}", log_tail(log))]
    NotReady {
        /// How long it had.
        timeout: Duration,
        /// Its last log lines.
        log: Vec<String>,
    },
}

impl Error {
    /// Returns `true` if the cause is the server or its command line, and
    /// `false` if this machine had no process, file descriptor or port for it.
    pub fn is_of_server(&self) -> bool {
        match self {
            Error::Start { cause, .. } => {
                let of_program = [Errno::NOENT, Errno::ACCESS, Errno::NOEXEC];
                Errno::from_io_error(cause)
                    .is_some_and(|error| of_program.contains(&error))
            }
            Error::Empty | Error::Ended { .. } | Error::NotReady { .. } => true,
            Error::NoPort { .. } | Error::Cancelled => false,
        }
    }
}

impl Launch {
    /// Returns a launch of `command`: a program and its arguments, in which
    /// `{addr}`, `{host}` and `{port}` are replaced by the address to listen
    /// on.
    pub fn new<I>(command: I) -> Launch
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        Launch {
            command: command.into_iter().map(Into::into).collect(),
            ready: Ready::default(),
            timeout: Duration::from_secs(10),
            environment: Vec::new(),
            stdin: None,
            cpus: Vec::new(),
            limits: Vec::new(),
            blocked: Vec::new(),
            ignored: Vec::new(),
        }
    }

    /// Adds arguments to the command.
    pub fn args<I>(mut self, arguments: I) -> Launch
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.command.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets how the server shows that it is ready (default:
    /// [`Ready::Line`]).
    pub fn ready(mut self, ready: Ready) -> Launch {
        self.ready = ready;
        self
    }

    /// Sets the time within which the server must be ready (default: 10 s).
    pub fn timeout(mut self, timeout: Duration) -> Launch {
        self.timeout = timeout;
        self
    }

    /// Restricts the server to these processors (numbers as in
    /// `/proc/cpuinfo`).
    pub fn cpus(mut self, cpus: &[usize]) -> Launch {
        self.cpus = cpus.to_vec();
        self
    }

    /// Sets a resource limit, soft and hard; see setrlimit(2).
    pub fn limit(mut self, resource: Resource, limit: u64) -> Launch {
        self.limits.push((resource, limit));
        self
    }

    /// Starts the server with these signals blocked (default: none).
    pub fn block(mut self, signals: &[Signal]) -> Launch {
        self.blocked = signals.to_vec();
        self
    }

    /// Starts the server with these signals ignored (default: none).
    pub fn ignore(mut self, signals: &[Signal]) -> Launch {
        self.ignored = signals.to_vec();
        self
    }

    /// Sets a variable in the server's environment.
    pub fn env(mut self, name: &str, value: &str) -> Launch {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the standard input (default: `/dev/null`).
    pub fn stdin(mut self, stdin: impl Into<OwnedFd>) -> Launch {
        self.stdin = Some(Arc::new(stdin.into()));
        self
    }

    /// Puts a command before the server's, which executes the rest of its
    /// arguments, as env(1) and nice(1) do.
    pub fn through(mut self, command: &[&str]) -> Launch {
        let words = command.iter().map(|word| (*word).to_owned());
        self.command.splice(..0, words);
        self
    }

    /// Sets the standard error (default: kept as the server's log).
    pub fn stderr(self, stderr: impl Into<OwnedFd>) -> Launch {
        self.through(&["sh", "-c", STDIN_AS_STDERR]).stdin(stderr)
    }

    /// Passes a listening socket, as a service manager does: as descriptor 3,
    /// announced by `LISTEN_FDS`; see sd_listen_fds(3).
    pub fn pass(self, socket: TcpListener) -> Launch {
        // A shell does this, because `LISTEN_PID` must be the id of the process
        // itself, and because a shell can move a descriptor to number 3.
        self.through(&["sh", "-c", PASS_SOCKET]).stdin(socket)
    }

    /// Starts the server and waits until it is ready.
    ///
    /// Must be called from a thread that lives as long as the server should:
    /// the kernel kills the server when that thread ends.
    ///
    /// # Errors
    ///
    /// Returns an error if the server could not be started or was not ready in
    /// time. Its process has then been killed.
    pub fn start(self) -> Result<Server, Error> {
        self.start_with(|_| (), || false)
    }

    /// Like [`start`](Launch::start), but calls `started` with the process id
    /// before the server is ready, and stops waiting as soon as `is_cancelled`
    /// returns `true`.
    ///
    /// # Errors
    ///
    /// As for [`Launch::start`], and [`Error::Cancelled`] if the start was
    /// cancelled.
    pub fn start_with(
        self,
        started: impl FnOnce(Pid),
        is_cancelled: impl Fn() -> bool,
    ) -> Result<Server, Error> {
        let deadline = Instant::now() + self.timeout;
        let address = match self.ready {
            Ready::Line => ANY_PORT,
            Ready::Port | Ready::Either => {
                free_address().map_err(|source| self.start_error(source))?
            }
        };
        let mut process = self.spawn(address)?;
        started(process.pid);
        loop {
            let ready = match self.ready {
                Ready::Line => process.ready_address(CHECK_PERIOD),
                Ready::Port => process.accepts(address).then_some(address),
                Ready::Either => process
                    .ready_address(Duration::ZERO)
                    .or_else(|| process.accepts(address).then_some(address)),
            };
            if let Some(address) = ready {
                return Ok(Server { process, address });
            } else if is_cancelled() {
                return Err(Error::Cancelled);
            } else if let Some(status) = process.wait(Duration::ZERO) {
                let log = process.log();
                return Err(match can_listen(address) {
                    Ok(()) => Error::Ended { status, log },
                    Err(cause) => Error::NoPort { cause, log },
                });
            } else if Instant::now() >= deadline {
                let log = process.log();
                // The server may be listening on its own port, so this tests
                // another. If there is no free port at all, this side could
                // not connect to the server either.
                return Err(match can_listen(ANY_PORT) {
                    Ok(()) => Error::NotReady { timeout: self.timeout, log },
                    Err(cause) => Error::NoPort { cause, log },
                });
            }
        }
    }

    /// Starts the command without waiting until it is ready. `address` replaces
    /// the command's `{addr}`, `{host}` and `{port}`.
    ///
    /// # Errors
    ///
    /// Returns an error if the command is empty or can't be executed.
    pub fn spawn(&self, address: SocketAddr) -> Result<Process, Error> {
        let words: Vec<String> =
            self.command.iter().map(|word| fill(word, address)).collect();
        let (program, arguments) = words.split_first().ok_or(Error::Empty)?;
        let stdin = match &self.stdin {
            Some(stdin) => stdin.try_clone().map(Stdio::from),
            None => Ok(Stdio::null()),
        };
        let mut command = std::process::Command::new(program);
        command
            .args(arguments)
            .envs(self.environment.iter().cloned())
            .stdin(stdin.map_err(|source| self.start_error(source))?)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        child::prepare(&mut command, self);
        let running = RunningProcess::new();
        let mut child =
            command.spawn().map_err(|source| self.start_error(source))?;
        let stdout = child.stdout.take().expect("stdout is piped");
        let stderr = child.stderr.take().expect("stderr is piped");
        let pid = Pid::from_child(&child);
        let ended = pidfd_open(pid, PidfdFlags::empty())
            .map_err(|error| self.start_error(error.into()));
        let log = Arc::new(Mutex::new(Log::default()));
        let (lines_in, lines) = mpsc::sync_channel(UNREAD_LINES_MAX);
        let (log_end, log_ended) = mpsc::channel();
        // From here on, an error ends the process.
        let mut process = Process {
            child,
            pid,
            ended: None,
            status: None,
            lines,
            log: Arc::clone(&log),
            log_ended,
            _running: running,
        };
        process.ended = Some(ended?);
        forward_lines(stdout, lines_in)
            .and_then(|()| keep_lines(stderr, log, log_end))
            .map_err(|source| self.start_error(source))?;
        Ok(process)
    }

    fn start_error(&self, cause: io::Error) -> Error {
        let program = self.command.first().cloned().unwrap_or_default();
        Error::Start { program, cause }
    }
}

/// A server that is ready. Dropping it kills its process group and reaps its
/// process.
#[derive(Debug)]
pub struct Server {
    process: Process,
    address: SocketAddr,
}

impl Server {
    /// Returns the address that the server listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the server's process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Returns the server's process id.
    pub fn pid(&self) -> Pid {
        self.process.pid
    }

    /// Returns the server's last log lines: what it wrote to stderr.
    pub fn log(&self) -> Vec<String> {
        self.process.log()
    }
}

/// A process that leads its own process group. Dropping it kills the group and
/// reaps the process.
#[derive(Debug)]
pub struct Process {
    child: std::process::Child,
    pid: Pid,
    /// Readable when the process has ended; see pidfd_open(2).
    ended: Option<OwnedFd>,
    status: Option<ExitStatus>,
    lines: mpsc::Receiver<String>,
    log: Arc<Mutex<Log>>,
    /// Disconnected when stderr reaches end-of-file.
    log_ended: mpsc::Receiver<Infallible>,
    /// Dropped last: the orphans exist only when their parent is gone.
    _running: RunningProcess,
}

impl Process {
    /// Returns the process id.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Returns the next line of the process's stdout, or `None` at end-of-file
    /// or after `timeout`.
    pub fn stdout_line(&self, timeout: Duration) -> Option<String> {
        self.lines.recv_timeout(timeout).ok()
    }

    /// Returns the process's last log lines: what it wrote to stderr. They are
    /// complete once [`Process::wait`] has returned a status.
    pub fn log(&self) -> Vec<String> {
        lock(&self.log).lines.iter().cloned().collect()
    }

    /// Sends a signal, unless the process has already ended.
    pub fn signal(&self, signal: Signal) {
        if self.status.is_none() {
            // Fails only if the process has just ended.
            let _ = rustix::process::kill_process(self.pid, signal);
        }
    }

    /// Waits until the process ends, and returns its status; `None` if it still
    /// runs after `timeout`.
    pub fn wait(&mut self, timeout: Duration) -> Option<ExitStatus> {
        if self.status.is_none() && self.ended_within(timeout) {
            self.status = self.status_unreaped();
            // The last log lines may not have been read yet. The wait for them
            // is bounded, because another process may have stderr open.
            let _ = self.log_ended.recv_timeout(LOG_TAIL_WAIT);
        }
        self.status
    }

    /// Returns the status without reaping the process. Until it is reaped, no
    /// other process can get its id, so that `Drop` can still kill its group.
    fn status_unreaped(&self) -> Option<ExitStatus> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let status = waitid(WaitId::Pid(self.pid), options).ok()??;
        // Encoded as by wait(2): the exit code in the second byte, a signal in
        // the low seven bits.
        let code = status.exit_status().map(|code| code << 8);
        code.or(status.terminating_signal()).map(ExitStatus::from_raw)
    }

    /// Waits until the process has ended; returns `false` if it still runs
    /// after `timeout`.
    fn ended_within(&self, timeout: Duration) -> bool {
        let Some(ended) = &self.ended else { return false };
        let timeout = Timespec::try_from(timeout).ok();
        let mut fds = [PollFd::new(ended, PollFlags::IN)];
        matches!(poll(&mut fds, timeout.as_ref()), Ok(1))
    }

    /// Returns the address in the next lines of stdout, if one arrives within
    /// `wait`.
    fn ready_address(&self, mut wait: Duration) -> Option<SocketAddr> {
        while let Ok(line) = self.lines.recv_timeout(wait) {
            if let Some(address) = address_in(&line) {
                return Some(address);
            }
            wait = Duration::ZERO;
        }
        None
    }

    /// Returns `true` if `address` accepts a connection. If not, waits for
    /// [`PORT_RETRY`] or until the process has ended.
    fn accepts(&self, address: SocketAddr) -> bool {
        let is_open = TcpStream::connect_timeout(&address, PORT_RETRY).is_ok();
        is_open || {
            self.ended_within(PORT_RETRY);
            false
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // First the group, with the processes that the server started. Until
        // the leader is reaped, no other group can have its id.
        let _ = rustix::process::kill_process_group(self.pid, Signal::KILL);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Replaces the placeholders for the address in a word of the command.
fn fill(word: &str, address: SocketAddr) -> String {
    word.replace("{addr}", &address.to_string())
        .replace("{host}", &address.ip().to_string())
        .replace("{port}", &address.port().to_string())
}

/// Returns a loopback address that was free a moment ago.
fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind(ANY_PORT)?.local_addr()
}

/// Checks that a server could listen on `address`. The test socket doesn't set
/// `SO_REUSEADDR`, as the standard library would, because some servers don't.
fn can_listen(address: SocketAddr) -> io::Result<()> {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    bind(&socket, &address)?;
    Ok(listen(&socket, 1)?)
}

/// Returns the first word of a line that is an address with a port.
fn address_in(line: &str) -> Option<SocketAddr> {
    line.split_whitespace().find_map(|word| word.parse().ok())
}

/// Reads the lines of stdout into a channel of bounded size, on a thread, and
/// drops lines when it is full: a server with much output must neither block
/// nor fill this process's memory.
fn forward_lines(
    stdout: ChildStdout,
    lines: mpsc::SyncSender<String>,
) -> io::Result<()> {
    spawn(move || {
        for_each_line(stdout, LINE_BYTES_MAX, |line| _ = lines.try_send(line));
    })
}

/// Starts a thread.
fn spawn(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().spawn(work).map(drop)
}

/// Calls `take` with each line up to end-of-file. Bytes that are not UTF-8 are
/// replaced; a line longer than `bytes_max` is split.
fn for_each_line(
    stream: impl Read,
    bytes_max: u64,
    mut take: impl FnMut(String),
) {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut piece = stream.by_ref().take(bytes_max);
        match piece.read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {
                let text = String::from_utf8_lossy(&line);
                take(text.trim_end_matches(['\r', '\n']).to_owned());
            }
        }
    }
}

/// Keeps the last lines of stderr in `log`, on a thread. The channel never
/// carries a message; it is disconnected at end-of-file.
fn keep_lines(
    stderr: ChildStderr,
    log: Arc<Mutex<Log>>,
    end: mpsc::Sender<Infallible>,
) -> io::Result<()> {
    spawn(move || {
        let _disconnects_at_end = end;
        for_each_line(stderr, LOG_LINE_BYTES_MAX, |line| lock(&log).add(line));
    })
}

/// The last lines of a process's stderr.
#[derive(Debug, Default)]
struct Log {
    lines: VecDeque<String>,
    bytes: usize,
}

impl Log {
    fn add(&mut self, line: String) {
        self.bytes += line.len();
        self.lines.push_back(line);
        while self.lines.len() > LOG_LINES_MAX || self.bytes > LOG_BYTES_MAX {
            let Some(first) = self.lines.pop_front() else { return };
            self.bytes -= first.len();
        }
    }
}

/// Locks the log, even if a thread panicked while it had the lock: the log is
/// only text.
fn lock(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Formats the end of a log for an error message, or notes that it is empty.
fn log_or_none(log: &[String]) -> String {
    if log.is_empty() {
        "its log is empty".to_owned()
    } else {
        format!("its log:{}", log_tail(log))
    }
}

/// Formats the last five lines of a log for an error message.
fn log_tail(log: &[String]) -> String {
    let tail = &log[log.len().saturating_sub(5)..];
    tail.iter().map(|line| format!("\n    {line}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Launch {
        Launch::new(["sh", "-c", script]).timeout(Duration::from_secs(5))
    }

    #[test]
    fn the_address_is_read_from_the_ready_line() {
        let server =
            shell("echo listening on 127.0.0.1:25000; exec cat").start();
        // stdin is /dev/null, so `cat` ends at once: the line alone suffices.
        assert_eq!(server.unwrap().address().port(), 25_000);
    }

    #[test]
    fn the_error_for_an_early_end_contains_status_and_log() {
        let error = shell("echo no such luck >&2; exit 7").start();
        let text = error.unwrap_err().to_string();
        assert!(text.contains("exit status: 7"), "{text}");
        assert!(text.contains("no such luck"), "{text}");
    }

    #[test]
    fn lines_that_are_not_utf_8_are_read() {
        let script = r"printf '\377\n\376\n'; echo at 127.0.0.1:25000; \
            printf '\377\n' >&2; echo still here >&2; exec sleep 1000";
        let server = shell(script).start().unwrap();
        while !server.log().iter().any(|line| line == "still here") {
            thread::yield_now();
        }
    }

    #[test]
    fn a_log_keeps_its_last_lines_within_its_bounds() {
        let mut log = Log::default();
        (0..LOG_LINES_MAX + 5).for_each(|n| log.add(n.to_string()));
        assert_eq!(log.lines.len(), LOG_LINES_MAX);
        assert_eq!(log.lines[0], "5");
        for _ in 0..100 {
            log.add("x".repeat(LOG_LINE_BYTES_MAX as usize));
            assert!(log.bytes <= LOG_BYTES_MAX);
        }
        assert_eq!(log.bytes, log.lines.iter().map(String::len).sum());
    }

    #[test]
    fn a_start_can_be_cancelled() {
        let mut pid = None;
        let error = shell("exec sleep 1000")
            .start_with(|started| pid = Some(started), || true);
        assert!(matches!(error, Err(Error::Cancelled)));
        assert!(pid.is_some());
    }

    #[test]
    fn a_program_that_does_not_exist_is_named() {
        let error = Launch::new(["/no/such/program"]).start();
        let text = error.unwrap_err().to_string();
        assert!(text.contains("/no/such/program"), "{text}");
    }

    #[test]
    fn only_an_error_of_the_program_is_the_servers_fault() {
        let cases = [
            (Errno::NOENT, true),
            (Errno::ACCESS, true),
            (Errno::NOEXEC, true),
            (Errno::MFILE, false),
            (Errno::NFILE, false),
            (Errno::AGAIN, false),
            (Errno::NOMEM, false),
            (Errno::ADDRINUSE, false),
        ];
        for (errno, expected) in cases {
            let error = shell("true").start_error(errno.into());
            assert_eq!(error.is_of_server(), expected, "{error}");
        }
        assert!(shell("exit 7").start().unwrap_err().is_of_server());
    }

    #[test]
    fn a_port_that_is_in_use_is_not_the_servers_fault() {
        // No other program uses this address, so its port stays free.
        let listener = TcpListener::bind("127.77.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert!(can_listen(address).is_err());
        drop(listener);
        // Children that other tests fork have the listener open until they
        // execute their program.
        let deadline = Instant::now() + Duration::from_secs(5);
        while can_listen(address).is_err() {
            assert!(Instant::now() < deadline, "{address} is still in use");
            thread::yield_now();
        }
    }

    #[test]
    fn dropping_a_process_kills_its_process_group() {
        let launch = shell("sleep 1000 & echo $!; wait");
        let process =
            launch.spawn(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let line = process.stdout_line(Duration::from_secs(5)).unwrap();
        let grandchild = Pid::from_raw(line.parse().unwrap()).unwrap();
        let ended = pidfd_open(grandchild, PidfdFlags::empty()).unwrap();
        drop(process);
        let mut fds = [PollFd::new(&ended, PollFlags::IN)];
        let timeout = Timespec { tv_sec: 5, tv_nsec: 0 };
        assert_eq!(poll(&mut fds, Some(&timeout)), Ok(1));
    }

    #[test]
    fn dropping_a_process_kills_orphans_that_left_its_group() {
        adopt_orphans().unwrap();
        let launch = shell("setsid sleep 1000 & echo $!; wait");
        let process =
            launch.spawn(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let line = process.stdout_line(Duration::from_secs(5)).unwrap();
        let daemon = Pid::from_raw(line.parse().unwrap()).unwrap();
        let ended = pidfd_open(daemon, PidfdFlags::empty()).unwrap();
        drop(process);
        // If another test runs a process at this moment, the orphans are
        // killed only when that process is dropped.
        let mut fds = [PollFd::new(&ended, PollFlags::IN)];
        let timeout = Timespec { tv_sec: 10, tv_nsec: 0 };
        assert_eq!(poll(&mut fds, Some(&timeout)), Ok(1));
    }

    #[test]
    fn resource_limits_apply_to_the_process() {
        let launch = shell("ulimit -n").limit(Resource::Nofile, 77);
        let process =
            launch.spawn(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let line = process.stdout_line(Duration::from_secs(5));
        assert_eq!(line.as_deref(), Some("77"));
    }
}
