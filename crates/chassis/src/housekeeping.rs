//! The one thread that stops the server, drains it and ends idle clients.

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

use crate::Chassis;
use crate::flags::Flags;
use crate::listener::Listener;
use crate::log::tell_service_manager;

/// The exit code of a stop that had to cut something off.
const EXIT_CUT_OFF: i32 = 3;

/// Even with nobody to wait for, `accept` needs a moment to return.
const DRAIN_TIMEOUT_MIN: Duration = Duration::from_millis(100);

/// How many times within its timeout a client is looked at.
const SWEEPS_PER_IDLE_TIMEOUT: u32 = 10;
const SWEEP_PERIOD_MAX: Duration = Duration::from_secs(1);
const SWEEP_PERIOD_MIN: Duration = Duration::from_millis(1);

/// The housekeeping thread's own things.
struct Housekeeper {
    chassis: &'static Chassis,
    listener: Listener,
    /// A signal has come.
    signalled: Arc<AtomicBool>,
    /// Readable when a signal has come or the last client has gone.
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

/// Starts keeping house: makes the chassis, and the thread that cares for it.
pub(crate) fn start(
    listener: Listener,
    flags: &Flags,
) -> io::Result<&'static Chassis> {
    let (woken, wake) = UnixStream::pair()?;
    woken.set_nonblocking(true)?;
    wake.set_nonblocking(true)?;
    let signalled = catch_signals(&wake)?;
    // One server a process, for as long as the process: its clients' threads
    // and tasks may refer to it without counting.
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
        .spawn(move || housekeeper.keep_house())?;
    Ok(chassis)
}

/// Makes SIGTERM and SIGINT set the flag that is returned, and write to
/// `wake`. A second one ends the process, from within its handler: whatever
/// the threads are busy with.
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
    fn keep_house(mut self) -> ! {
        loop {
            self.wait();
            let now = Instant::now();
            if self.chassis.registry.is_drained() {
                self.leave();
            }
            let failed = self.chassis.has_failed();
            match self.drain_deadline {
                None if failed || self.signalled.load(SeqCst) => {
                    self.begin_stop(now);
                }
                None => {}
                Some(deadline) if now >= deadline => self.cut_off(),
                Some(_) => {}
            }
            if let Some(idle) = &mut self.idle {
                idle.sweep(self.chassis, now);
            }
        }
    }

    /// Waits until it is woken or something is due.
    fn wait(&mut self) {
        let sweep = self.idle.as_ref().map(|idle| idle.next_sweep);
        let due = sweep.into_iter().chain(self.drain_deadline).min();
        let timeout =
            due.map(|due| due.saturating_duration_since(Instant::now()));
        let timeout =
            timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        let mut fds = [PollFd::new(&self.woken, PollFlags::IN)];
        // EINTR and a spurious return are as good as any other.
        let _ = poll(&mut fds, timeout.as_ref());
        while matches!(self.woken.read(&mut [0; 64]), Ok(1..)) {}
    }

    fn begin_stop(&mut self, now: Instant) {
        tell_service_manager(NotifyState::Stopping);
        let unfinished = self.chassis.registry.stop();
        info!(
            connections = unfinished.connections,
            computing = unfinished.computing,
            "stopping, with {:?} to finish in",
            self.drain_timeout,
        );
        self.listener.stop(|from| self.chassis.expect_knock(from));
        let timeout = self.drain_timeout.max(DRAIN_TIMEOUT_MIN);
        self.drain_deadline = Some(now + timeout);
    }

    fn cut_off(&self) -> ! {
        let unfinished = self.chassis.registry.unfinished();
        warn!(
            "cut off {} connections, {} of them with a request in work: not \
             finished within --drain-timeout",
            unfinished.connections, unfinished.computing,
        );
        process::exit(EXIT_CUT_OFF)
    }

    fn leave(&self) -> ! {
        let served = self.chassis.registry.served();
        info!(
            connections = served.connections,
            requests = served.requests,
            "stopped",
        );
        if self.chassis.has_failed() {
            error!("stopped because it could not go on");
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
            info!(connections = ended, "idle for {:?}: closed", self.timeout);
        }
    }
}
