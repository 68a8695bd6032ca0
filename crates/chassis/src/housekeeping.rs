//! The housekeeping thread: stops the server, drains it, ends idle clients.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use sd_notify::NotifyState;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level};
use tracing::{error, info, warn};

use crate::chassis::Chassis;
use crate::flags::Flags;
use crate::listener::Listener;
use crate::log::notify_service_manager;

/// The exit code of a stop that cut off unfinished work.
const EXIT_CUT_OFF: i32 = 3;

/// Even without clients, `accept` needs a moment to return.
const DRAIN_TIMEOUT_MIN: Duration = Duration::from_millis(100);

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
}

struct IdleClock {
    timeout: Duration,
    period: Duration,
    next_sweep: Instant,
}

/// Creates the chassis and starts the housekeeping thread.
pub(crate) fn start(
    listener: Listener,
    flags: &Flags,
) -> io::Result<&'static Chassis> {
    let (woken, wake) = UnixStream::pair()?;
    woken.set_nonblocking(true)?;
    wake.set_nonblocking(true)?;
    let signalled = catch_signals(&wake)?;
    // A process has one chassis until it exits, so that threads and tasks can
    // refer to it without reference counting.
    let chassis = Box::leak(Box::new(Chassis::new(flags, wake)));
    let housekeeper = Housekeeper {
        chassis,
        listener,
        signalled,
        woken,
        idle: flags.idle_timeout.map(IdleClock::new),
        drain_timeout: flags.drain_timeout,
        drain_deadline: None,
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
    Ok(signalled)
}

impl Housekeeper {
    fn run(mut self) -> ! {
        loop {
            self.wait();
            let now = Instant::now();
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
            if let Some(idle) = &mut self.idle {
                idle.sweep(self.chassis, now);
            }
        }
    }

    /// Waits until a wake-up, the next sweep or the drain deadline.
    fn wait(&mut self) {
        let sweep = self.idle.as_ref().map(|idle| idle.next_sweep);
        let due = sweep.into_iter().chain(self.drain_deadline).min();
        let timeout =
            due.map(|due| due.saturating_duration_since(Instant::now()));
        let timeout =
            timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        let mut fds = [PollFd::new(&self.woken, PollFlags::IN)];
        // After EINTR, too, the caller checks everything.
        let _ = poll(&mut fds, timeout.as_ref());
        while matches!(self.woken.read(&mut [0; 64]), Ok(1..)) {}
    }

    fn begin_stop(&mut self, now: Instant) {
        notify_service_manager(NotifyState::Stopping);
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
        process::exit(EXIT_CUT_OFF)
    }

    fn exit_drained(&self) -> ! {
        let served = self.chassis.registry.served();
        info!(
            connections = served.connections,
            requests = served.requests,
            "stopped",
        );
        if self.chassis.has_failed() {
            error!("stopped because the server could not accept clients");
            process::exit(1);
        }
        process::exit(0)
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
