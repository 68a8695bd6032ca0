//! Starts a server that is only known as a command line, waits until it
//! serves, and ties its life to ours.
//!
//! The conformance suite and `compare` both start servers that may be written
//! in any language. Whatever becomes of the process that started it, a server
//! ends: by [`Server`]'s `Drop`, and by the kernel's parent-death signal
//! (`PR_SET_PDEATHSIG` in prctl(2)) when there was nobody left to drop it.
//! What it started in its turn ends with it if it stayed in its process group,
//! and else if this process [adopts orphans](adopt_orphans).

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

use orphans::Member;

/// How many of a server's last log lines are kept.
const LOG_LINES_MAX: usize = 2_000;

/// The longest line of a log that is kept in one piece.
const LOG_LINE_BYTES_MAX: u64 = 64 * 1024;

/// The longest line of stdout that is kept in one piece: a load generator's
/// report, with all its histograms, is one.
const LINE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// How many lines of stdout wait for a reader; further ones are dropped.
const LINES_AHEAD_MAX: usize = 10_000;

/// How long to wait for a ready line before looking around.
const LOOK_AROUND: Duration = Duration::from_millis(50);

/// How long to wait for the last log lines of a process that has ended.
const LOG_TAIL_WAIT: Duration = Duration::from_millis(500);

/// How long one attempt to reach a server's port waits for the next.
const PORT_RETRY: Duration = Duration::from_millis(5);

/// A port of loopback that is free.
const ANY_PORT: SocketAddr =
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Moves stdin to descriptor 3 and announces it.
const PASS_SOCKET: &str = "exec 3<&0 0</dev/null; \
    export LISTEN_PID=$$ LISTEN_FDS=1; exec \"$0\" \"$@\"";

/// How a server shows that it serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ready {
    /// A line on stdout that holds its address, as in
    /// `listening on 127.0.0.1:25000 (threads)`. It is told to listen on
    /// port 0.
    #[default]
    Line,
    /// Its port accepts a connection. It is told a port that was free.
    Port,
    /// Whichever comes first: a line with its address, or a connection to the
    /// port that it is told, which was free.
    Either,
}

/// A server to start: a command line and the conditions that it starts under.
#[derive(Clone, Debug)]
pub struct Launch {
    command: Vec<String>,
    ready: Ready,
    timeout: Duration,
    environment: Vec<(String, String)>,
    passed: Option<Arc<TcpListener>>,
    pub(crate) cpus: Vec<usize>,
    pub(crate) limits: Vec<(Resource, u64)>,
}

/// A server that could not be started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line was empty.
    #[error("the command is empty")]
    Empty,
    /// The program could not be executed.
    #[error("cannot start `{program}`: {source}")]
    Start {
        /// The program's name, as in the command.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// It ended before it was ready.
    #[error("ended before it was ready ({status}){}", log_tail(log))]
    Ended {
        /// How it ended.
        status: ExitStatus,
        /// Its last log lines.
        log: Vec<String>,
    },
    /// It was not ready, and no server could have been: this machine has no
    /// port for it, or no descriptor to try one with.
    #[error("had no port to listen on ({source}); it {}", log_said(log))]
    NoPort {
        /// What the system says to whoever wants one.
        source: io::Error,
        /// Its last log lines.
        log: Vec<String>,
    },
    /// Nobody wanted it any more.
    #[error("its start was cancelled")]
    Cancelled,
    /// It was not ready in time.
    #[error("was not ready within {timeout:?}{}", log_tail(log))]
    NotReady {
        /// How long it had.
        timeout: Duration,
        /// Its last log lines.
        log: Vec<String>,
    },
}

impl Error {
    /// Whether the server, or its command line, is to blame: not if this side
    /// had no process, no descriptor or no port for it.
    pub fn is_of_server(&self) -> bool {
        match self {
            Error::Start { source, .. } => {
                let of_program = [Errno::NOENT, Errno::ACCESS, Errno::NOEXEC];
                Errno::from_io_error(source)
                    .is_some_and(|error| of_program.contains(&error))
            }
            Error::Empty | Error::Ended { .. } | Error::NotReady { .. } => true,
            Error::NoPort { .. } | Error::Cancelled => false,
        }
    }
}

impl Launch {
    /// A launch of `command`: a program and its arguments, in which `{addr}`,
    /// `{host}` and `{port}` stand for the address to listen on.
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
            passed: None,
            cpus: Vec::new(),
            limits: Vec::new(),
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

    /// Sets how the server shows that it serves.
    pub fn ready(mut self, ready: Ready) -> Launch {
        self.ready = ready;
        self
    }

    /// Sets how long the server has until it must be ready (default: 10 s).
    pub fn timeout(mut self, timeout: Duration) -> Launch {
        self.timeout = timeout;
        self
    }

    /// Holds the server on these processors (numbers as in `/proc/cpuinfo`).
    pub fn cpus(mut self, cpus: &[usize]) -> Launch {
        self.cpus = cpus.to_vec();
        self
    }

    /// Sets a resource limit, soft and hard; see setrlimit(2).
    pub fn limit(mut self, resource: Resource, limit: u64) -> Launch {
        self.limits.push((resource, limit));
        self
    }

    /// Sets a variable in the server's environment.
    pub fn env(mut self, name: &str, value: &str) -> Launch {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Passes a listening socket, as a service manager does: the server finds
    /// it as descriptor 3, announced by `LISTEN_FDS`; see sd_listen_fds(3).
    pub fn pass(mut self, socket: TcpListener) -> Launch {
        // A shell, because only the process itself can name its id, and
        // because it can move a descriptor to another number.
        let shell = ["sh", "-c", PASS_SOCKET].map(str::to_owned);
        self.command.splice(..0, shell);
        self.passed = Some(Arc::new(socket));
        self
    }

    /// Starts the server and waits until it is ready.
    ///
    /// Must be called from a thread that lives as long as the server should:
    /// the kernel ends the server when that thread ends.
    ///
    /// # Errors
    ///
    /// [`Error`] says why there is no server; none is left behind.
    pub fn start(self) -> Result<Server, Error> {
        self.start_with(|_| (), || false)
    }

    /// The same; but `started` is told the process id before it is ready, and
    /// the wait is given up as soon as `is_cancelled` says so.
    ///
    /// # Errors
    ///
    /// As for [`Launch::start`]; [`Error::Cancelled`] if it was.
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
                Ready::Line => process.ready_address(LOOK_AROUND),
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
                    Err(source) => Error::NoPort { source, log },
                });
            } else if Instant::now() >= deadline {
                let log = process.log();
                // Its own port is not looked at: it may listen there. But to
                // find that out takes a port, too.
                return Err(match can_listen(ANY_PORT) {
                    Ok(()) => Error::NotReady { timeout: self.timeout, log },
                    Err(source) => Error::NoPort { source, log },
                });
            }
        }
    }

    /// Starts the command without waiting for anything. `address` takes the
    /// place of the command's `{addr}`.
    ///
    /// # Errors
    ///
    /// When the command is empty or can't be executed.
    pub fn spawn(&self, address: SocketAddr) -> Result<Process, Error> {
        let words: Vec<String> =
            self.command.iter().map(|word| fill(word, address)).collect();
        let (program, arguments) = words.split_first().ok_or(Error::Empty)?;
        let stdin = match &self.passed {
            Some(socket) => {
                socket.try_clone().map(OwnedFd::from).map(Stdio::from)
            }
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
        let member = Member::new();
        let mut child =
            command.spawn().map_err(|source| self.start_error(source))?;
        let stdout = child.stdout.take().expect("stdout is piped");
        let stderr = child.stderr.take().expect("stderr is piped");
        let pid = Pid::from_child(&child);
        let ended = pidfd_open(pid, PidfdFlags::empty())
            .map_err(|error| self.start_error(error.into()));
        let log = Arc::new(Mutex::new(VecDeque::new()));
        let log_ended = keep_lines(stderr, Arc::clone(&log));
        let mut process = Process {
            child,
            pid,
            ended: None,
            status: None,
            lines: forward_lines(stdout),
            log,
            log_ended,
            _member: member,
        };
        process.ended = Some(ended?);
        Ok(process)
    }

    fn start_error(&self, source: io::Error) -> Error {
        let program = self.command.first().cloned().unwrap_or_default();
        Error::Start { program, source }
    }
}

/// A server that serves. Dropping it kills its process group and reaps it.
#[derive(Debug)]
pub struct Server {
    process: Process,
    address: SocketAddr,
}

impl Server {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Its process id.
    pub fn pid(&self) -> Pid {
        self.process.pid
    }

    /// Its last log lines (what it wrote to stderr).
    pub fn log(&self) -> Vec<String> {
        self.process.log()
    }
}

/// A process in a group of its own. Dropping it kills the group and reaps it.
#[derive(Debug)]
pub struct Process {
    child: std::process::Child,
    pid: Pid,
    /// Readable when the process has ended; see pidfd_open(2).
    ended: Option<OwnedFd>,
    status: Option<ExitStatus>,
    lines: mpsc::Receiver<String>,
    log: Arc<Mutex<VecDeque<String>>>,
    /// Disconnected once stderr is at its end.
    log_ended: mpsc::Receiver<Infallible>,
    /// Dropped last: orphans are there once their parent is gone.
    _member: Member,
}

impl Process {
    /// Its process id.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// The next line of its stdout; `None` at end-of-file or after `timeout`.
    pub fn stdout_line(&self, timeout: Duration) -> Option<String> {
        self.lines.recv_timeout(timeout).ok()
    }

    /// Its last log lines (what it wrote to stderr). They are complete once
    /// [`Process::wait`] has returned a status.
    pub fn log(&self) -> Vec<String> {
        lock(&self.log).iter().cloned().collect()
    }

    /// Sends a signal. One that has ended already gets none.
    pub fn signal(&self, signal: Signal) {
        if self.status.is_none() {
            // It fails only for a process that has ended meanwhile.
            let _ = rustix::process::kill_process(self.pid, signal);
        }
    }

    /// How it ended, or `None` while it still runs after `timeout`.
    pub fn wait(&mut self, timeout: Duration) -> Option<ExitStatus> {
        if self.status.is_none() && self.ended_within(timeout) {
            self.status = self.status_unreaped();
            // The last lines are on their way. What the process started may
            // hold stderr open for longer, so the wait is bounded.
            let _ = self.log_ended.recv_timeout(LOG_TAIL_WAIT);
        }
        self.status
    }

    /// Its status, without reaping it: until it is reaped, its id can't be
    /// taken by another process, so that `Drop` can still name its group.
    fn status_unreaped(&self) -> Option<ExitStatus> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let status = waitid(WaitId::Pid(self.pid), options).ok()??;
        // The encoding of wait(2): the code is the second byte, a signal the
        // low seven bits.
        let code = status.exit_status().map(|code| code << 8);
        code.or(status.terminating_signal()).map(ExitStatus::from_raw)
    }

    fn ended_within(&self, timeout: Duration) -> bool {
        let Some(ended) = &self.ended else { return false };
        let timeout = Timespec::try_from(timeout).ok();
        let mut fds = [PollFd::new(ended, PollFlags::IN)];
        matches!(poll(&mut fds, timeout.as_ref()), Ok(1))
    }

    /// The address in its next lines, if they come soon.
    fn ready_address(&self, mut wait: Duration) -> Option<SocketAddr> {
        while let Ok(line) = self.lines.recv_timeout(wait) {
            if let Some(address) = address_in(&line) {
                return Some(address);
            }
            wait = Duration::ZERO;
        }
        None
    }

    /// Whether its port accepts, or will not within a moment.
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
        // The group first: what the server started goes with it. Its id stays
        // taken until the leader is reaped, so this can hit nobody else.
        let _ = rustix::process::kill_process_group(self.pid, Signal::KILL);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn fill(word: &str, address: SocketAddr) -> String {
    word.replace("{addr}", &address.to_string())
        .replace("{host}", &address.ip().to_string())
        .replace("{port}", &address.port().to_string())
}

/// An address on loopback that was free a moment ago.
fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind(ANY_PORT)?.local_addr()
}

/// Whether any server could listen there. Without SO_REUSEADDR, which the
/// standard library sets, because a server may do without it, too.
fn can_listen(address: SocketAddr) -> io::Result<()> {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    bind(&socket, &address)?;
    Ok(listen(&socket, 1)?)
}

/// The first word of a line that is an address with a port.
fn address_in(line: &str) -> Option<SocketAddr> {
    line.split_whitespace().find_map(|word| word.parse().ok())
}

/// Hands the lines of stdout on, as many as somebody has room for: a server
/// that talks must not be stopped by that, nor fill our memory.
fn forward_lines(stdout: ChildStdout) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::sync_channel(LINES_AHEAD_MAX);
    thread::spawn(move || {
        for_each_line(stdout, LINE_BYTES_MAX, |line| _ = sender.try_send(line));
    });
    receiver
}

/// Reads lines to the end, whatever their bytes are. One that is too long is
/// taken as several.
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

/// Keeps the last lines of stderr. The channel that it returns, which never
/// holds anything, is disconnected at end-of-file.
fn keep_lines(
    stderr: ChildStderr,
    log: Arc<Mutex<VecDeque<String>>>,
) -> mpsc::Receiver<Infallible> {
    let (at_end, ended) = mpsc::channel();
    thread::spawn(move || {
        let _at_end: mpsc::Sender<Infallible> = at_end;
        for_each_line(stderr, LOG_LINE_BYTES_MAX, |line| {
            let mut log = lock(&log);
            if log.len() == LOG_LINES_MAX {
                log.pop_front();
            }
            log.push_back(line);
        });
    });
    ended
}

/// The log, whatever became of a thread that held it: it is only text.
fn lock(log: &Mutex<VecDeque<String>>) -> MutexGuard<'_, VecDeque<String>> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a log says, or that it says nothing.
fn log_said(log: &[String]) -> String {
    match log.is_empty() {
        true => "said nothing".to_owned(),
        false => format!("said:{}", log_tail(log)),
    }
}

/// The last lines of a log, as they stand in an error message.
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
    fn the_ready_line_gives_the_address() {
        let server =
            shell("echo listening on 127.0.0.1:25000; exec cat").start();
        // stdin is /dev/null, so `cat` ends: the line alone must do.
        assert_eq!(server.unwrap().address().port(), 25_000);
    }

    #[test]
    fn an_end_before_the_ready_line_names_status_and_log() {
        let error = shell("echo no such luck >&2; exit 7").start();
        let text = error.unwrap_err().to_string();
        assert!(text.contains("exit status: 7"), "{text}");
        assert!(text.contains("no such luck"), "{text}");
    }

    #[test]
    fn lines_that_are_not_utf_8_are_lines_all_the_same() {
        let script = r"printf '\377\n\376\n'; echo at 127.0.0.1:25000; \
            printf '\377\n' >&2; echo still here >&2; exec sleep 1000";
        let server = shell(script).start().unwrap();
        while !server.log().iter().any(|line| line == "still here") {
            thread::yield_now();
        }
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
    fn only_what_is_wrong_with_its_program_is_a_servers_fault() {
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
    fn a_port_that_somebody_else_has_is_no_fault_of_a_server() {
        // Nobody else takes a port of this address, once it is free.
        let listener = TcpListener::bind("127.77.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert!(can_listen(address).is_err());
        drop(listener);
        assert!(can_listen(address).is_ok());
    }

    #[test]
    fn dropping_a_process_ends_what_it_started() {
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
    fn dropping_a_process_ends_what_left_its_group_where_orphans_come() {
        adopt_orphans().unwrap();
        let launch = shell("setsid sleep 1000 & echo $!; wait");
        let process =
            launch.spawn(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let line = process.stdout_line(Duration::from_secs(5)).unwrap();
        let daemon = Pid::from_raw(line.parse().unwrap()).unwrap();
        let ended = pidfd_open(daemon, PidfdFlags::empty()).unwrap();
        drop(process);
        // With those of other tests, if one of them runs at this moment.
        let mut fds = [PollFd::new(&ended, PollFlags::IN)];
        let timeout = Timespec { tv_sec: 10, tv_nsec: 0 };
        assert_eq!(poll(&mut fds, Some(&timeout)), Ok(1));
    }

    #[test]
    fn limits_hold_in_the_server() {
        let launch = shell("ulimit -n").limit(Resource::Nofile, 77);
        let process =
            launch.spawn(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let line = process.stdout_line(Duration::from_secs(5));
        assert_eq!(line.as_deref(), Some("77"));
    }
}
