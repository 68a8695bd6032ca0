//! The housekeeping thread: reports that the server is ready, ends idle
//! clients, stops the server and drains it. It never waits for a reader of its
//! reports.

use std::io::{self, Read};
use std::iter;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::SigSet;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::{flag, low_level};
use tracing::{info, warn};

use crate::admission::is_shortage;
use crate::chassis::Chassis;
use crate::first_request::{FirstRequest, Progress};
use crate::flags::Flags;
use crate::listener::Listener;
use crate::log::{self, notify_service_manager};
use crate::phase::{self, is_ready};

/// The exit code of a stop that cut off unfinished work.
const EXIT_CUT_OFF: i32 = 3;

/// Even without clients, `accept` needs a moment to return.
const DRAIN_TIMEOUT_MIN: Duration = Duration::from_millis(100);

/// How often to check whether a report can be written now that could not be
/// before.
const REPORT_PERIOD: Duration = Duration::from_secs(1);

/// How many sweeps for idle clients happen within the idle timeout.
const SWEEPS_PER_IDLE_TIMEOUT: u32 = 10;
const SWEEP_PERIOD_MAX: Duration = Duration::from_secs(1);
const SWEEP_PERIOD_MIN: Duration = Duration::from_millis(1);

/// The state of the housekeeping thread.
struct Housekeeper {
    chassis: &'static Chassis,
    listener: Listener,
    /// Whether SIGTERM or SIGINT was received.
    signalled: Arc<AtomicBool>,
    /// Readable after a signal, or when the last client of a stopping server
    /// has gone.
    woken: UnixStream,
    idle: Option<IdleClock>,
    drain_timeout: Duration,
    drain_deadline: Option<Instant>,
    address: SocketAddr,
    model: &'static str,
    /// The first request, until its connection has ended.
    first_request: Option<FirstRequest>,
    /// Whether stdout had no room for the ready line.
    is_unprinted: bool,
    /// A message that the service manager's queue had no room for.
    unsent: Option<&'static str>,
}

struct IdleClock {
    timeout: Duration,
    period: Duration,
    next_sweep: Instant,
}

/// Creates the chassis and starts the housekeeping thread.
pub(crate) fn start(
    listener: Listener,
    model: &'static str,
    flags: &Flags,
) -> io::Result<&'static Chassis> {
    let (woken, wake) = UnixStream::pair()?;
    woken.set_nonblocking(true)?;
    wake.set_nonblocking(true)?;
    let signalled = catch_signals(&wake)?;
    // A process has one chassis until it exits, so that threads and tasks can
    // refer to it without reference counting.
    let chassis = Box::leak(Box::new(Chassis::new(flags, wake)));
    let address = listener.socket.local_addr()?;
    let expect = |from| chassis.expect_first_request(from);
    let first_request = match listener.connect_to_self(expect) {
        Ok(connection) => Some(FirstRequest::new(connection.into())),
        Err(error) if is_shortage(&error) => return Err(error),
        Err(error) => {
            unanswered(&error);
            None
        }
    };
    let housekeeper = Housekeeper {
        chassis,
        listener,
        signalled,
        woken,
        idle: flags.idle_timeout.map(IdleClock::new),
        drain_timeout: flags.drain_timeout,
        drain_deadline: None,
        address,
        model,
        first_request,
        is_unprinted: false,
        unsent: None,
    };
    thread::Builder::new()
        .name("housekeeping".into())
        .spawn(move || housekeeper.run())?;
    Ok(chassis)
}

/// Makes SIGTERM and SIGINT set the returned flag and write to `wake`. A
/// second signal ends the process from within the signal handler, whatever the
/// threads do.
fn catch_signals(wake: &UnixStream) -> io::Result<Arc<AtomicBool>> {
    let signalled = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        let armed = Arc::clone(&signalled);
        flag::register_conditional_shutdown(signal, 128 + signal, armed)?;
        flag::register(signal, Arc::clone(&signalled))?;
        low_level::pipe::register(signal, wake.try_clone()?)?;
    }
    // A log at the limit on the size of files is like one on a full disk: by
    // default, the signal would end the process.
    flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
    // The process that started this one may have blocked signals, and one may
    // be pending. Threads and worker processes inherit the mask of this thread.
    SigSet::all().thread_unblock()?;
    Ok(signalled)
}

/// Makes a panic of any thread end the process with one line and exit code 1,
/// until the server is ready. Runtimes panic if they can't start a thread.
pub(crate) fn exit_on_panic_until_ready() {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let payload = info.payload();
        let text = payload.downcast_ref::<&str>().copied();
        let text = text
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let text = text.unwrap_or("a thread panicked");
        phase::fail_unless_ready(&format!("cannot serve: {text}"));
        report(info);
    }));
}

/// Logs that this process could not connect to itself. Others may still be able
/// to.
fn unanswered(error: &io::Error) {
    warn!("cannot check that requests are answered: {error}");
}

impl Housekeeper {
    fn run(mut self) -> ! {
        if self.first_request.is_none() {
            self.become_ready();
        }
        loop {
            self.wait();
            let now = Instant::now();
            log::report_lost();
            if self.is_unprinted {
                self.print_ready();
            }
            self.unsent = self.unsent.filter(|s| !notify_service_manager(s));
            if !is_ready() && self.drain_deadline.is_none() {
                self.await_first_reply(now);
            }
            if self.chassis.registry.is_drained() {
                self.exit_drained();
            }
            let must_stop =
                self.chassis.has_failed() || self.signalled.load(SeqCst);
            match self.drain_deadline {
                None if must_stop => self.begin_stop(now),
                None => {}
                Some(deadline) if now >= deadline => self.exit_cut_off(),
                Some(_) => {}
            }
            if let Some(idle) = &mut self.idle
                && is_ready()
            {
                idle.sweep(self.chassis, now);
            }
        }
    }

    /// Waits until a wake-up, the next sweep, the drain deadline or the next
    /// chance to report, or until the first request can continue.
    fn wait(&mut self) {
        let idle = self.idle.as_ref().filter(|_| is_ready());
        let sweep = idle.map(|idle| idle.next_sweep);
        let due = sweep.into_iter().chain(self.drain_deadline).min();
        let timeout =
            due.map(|due| due.saturating_duration_since(Instant::now()));
        let timeout = timeout.map_or(REPORT_PERIOD, |t| t.min(REPORT_PERIOD));
        let timeout = Timespec::try_from(timeout).ok();
        let first = self.first_request.as_ref().map(FirstRequest::interest);
        let woken = (self.woken.as_fd(), PollFlags::IN);
        let mut fds: Vec<PollFd<'_>> = iter::once(woken)
            .chain(first)
            .map(|(fd, flags)| PollFd::from_borrowed_fd(fd, flags))
            .collect();
        // After EINTR, too, the caller checks everything.
        let _ = poll(&mut fds, timeout.as_ref());
        while matches!(self.woken.read(&mut [0; 64]), Ok(1..)) {}
    }

    /// Reports that the server is ready, once its first request is answered and
    /// the connection has ended, so that it occupies nothing.
    fn await_first_reply(&mut self, now: Instant) {
        let progress = match &mut self.first_request {
            // Others may come first, above all on a socket that was passed.
            Some(first) if !self.chassis.serves_another_first() => {
                first.proceed(now)
            }
            _ => Progress::Done,
        };
        match progress {
            Progress::Waits => {}
            Progress::Done => self.become_ready(),
            Progress::NotConnected(error) => {
                unanswered(&error);
                self.become_ready();
            }
            Progress::Failed(error) => {
                phase::fail(&format!("cannot serve: first request: {error}"));
            }
        }
    }

    fn become_ready(&mut self) {
        self.first_request = None;
        phase::become_ready();
        self.print_ready();
        self.notify("READY=1");
    }

    /// Prints the ready line, now or when stdout has room.
    fn print_ready(&mut self) {
        self.is_unprinted = !log::print_ready(self.address, self.model);
    }

    /// Sends a state to the service manager, now or when its queue has room.
    fn notify(&mut self, state: &'static str) {
        self.unsent = (!notify_service_manager(state)).then_some(state);
    }

    fn begin_stop(&mut self, now: Instant) {
        self.notify("STOPPING=1");
        let unfinished = self.chassis.registry.stop();
        info!(
            connections = unfinished.connections,
            computing = unfinished.computing,
            "stopping: waiting up to {:?} for unfinished work",
            self.drain_timeout,
        );
        self.listener.stop(|from| self.chassis.expect_self_connection(from));
        let timeout = self.drain_timeout.max(DRAIN_TIMEOUT_MIN);
        self.drain_deadline = Some(now + timeout);
    }

    fn exit_cut_off(&self) -> ! {
        let unfinished = self.chassis.registry.unfinished();
        warn!(
            "cut off {} connections, {} of them with a request in progress: \
             not finished within --drain-timeout",
            unfinished.connections, unfinished.computing,
        );
        phase::exit(EXIT_CUT_OFF)
    }

    fn exit_drained(&self) -> ! {
        let served = self.chassis.registry.served();
        info!(
            connections = served.connections,
            requests = served.requests,
            "stopped",
        );
        if self.chassis.has_failed() {
            phase::fail("stopped because the server could not accept clients");
        }
        phase::exit(0)
    }
}

impl IdleClock {
    fn new(timeout: Duration) -> IdleClock {
        let period = (timeout / SWEEPS_PER_IDLE_TIMEOUT)
            .clamp(SWEEP_PERIOD_MIN, SWEEP_PERIOD_MAX);
        IdleClock { timeout, period, next_sweep: Instant::now() + period }
    }

    fn sweep(&mut self, chassis: &Chassis, now: Instant) {
        if now < self.next_sweep {
            return;
        }
        self.next_sweep = now + self.period;
        let ended = chassis.registry.sweep(now, self.timeout);
        if ended > 0 {
            info!(
                connections = ended,
                "closed clients that were idle for {:?}", self.timeout,
            );
        }
    }
}
