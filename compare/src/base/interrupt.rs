//! Ctrl-C: the first one stops the run and keeps its record, the second one
//! ends the process immediately. Ctrl-Z: a measurement that was suspended is
//! not valid.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use signal_hook::consts::{SIGCONT, SIGINT, SIGTERM};
use signal_hook::flag;

use crate::base::exit::INTERRUPTED;

/// A machine that slept for a shorter time has not slept: its clocks can't be
/// read at the same time.
const SLEEP_MIN: Duration = Duration::from_millis(20);

/// What signals have asked of this process.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt {
    /// Set by the first SIGINT or SIGTERM.
    is_requested: Arc<AtomicBool>,
    /// Set by SIGCONT, and taken into the count below.
    was_continued: Arc<AtomicBool>,
    continued: Arc<AtomicU64>,
}

impl Interrupt {
    /// Handles SIGINT, SIGTERM and SIGCONT from now on.
    ///
    /// # Errors
    ///
    /// Returns an error if the handlers can't be registered.
    pub(crate) fn listen() -> anyhow::Result<Interrupt> {
        let wanted = Arc::new(AtomicBool::new(false));
        let continued = Arc::new(AtomicBool::new(false));
        flag::register(SIGCONT, Arc::clone(&continued))?;
        for signal in [SIGINT, SIGTERM] {
            // The order matters: at the first signal, the flag isn't set yet.
            let code = i32::from(INTERRUPTED);
            flag::register_conditional_shutdown(
                signal,
                code,
                Arc::clone(&wanted),
            )?;
            flag::register(signal, Arc::clone(&wanted))?;
        }
        Ok(Interrupt {
            is_requested: wanted,
            was_continued: continued,
            continued: Arc::default(),
        })
    }

    /// Returns a flag that no signal sets: signals end the process.
    pub(crate) fn ignored() -> Interrupt {
        Interrupt {
            is_requested: Arc::default(),
            was_continued: Arc::default(),
            continued: Arc::default(),
        }
    }

    /// Returns `true` if a signal arrived.
    pub(crate) fn is_requested(&self) -> bool {
        self.is_requested.load(Ordering::Relaxed)
    }

    /// Watches from now on whether this process is suspended.
    pub(crate) fn watch(&self) -> Watch<'_> {
        Watch { interrupt: self, continued: self.continued(), slept: slept() }
    }

    /// Returns how many times this process was found to have been continued.
    fn continued(&self) -> u64 {
        let is_new = self.was_continued.swap(false, Ordering::Relaxed);
        let before = self.continued.fetch_add(is_new.into(), Ordering::Relaxed);
        before + u64::from(is_new)
    }
}

/// Whether this process is suspended: by Ctrl-Z, or with the whole machine.
#[derive(Debug)]
pub(crate) struct Watch<'a> {
    interrupt: &'a Interrupt,
    continued: u64,
    slept: Duration,
}

impl Watch<'_> {
    /// Returns `true` if the process was suspended, and continued.
    pub(crate) fn was_suspended(&self) -> bool {
        self.interrupt.continued() != self.continued
            || slept().saturating_sub(self.slept) >= SLEEP_MIN
    }
}

/// Returns how long this machine has slept since it was started; see
/// clock_gettime(2).
fn slept() -> Duration {
    let read = |clock| {
        let time = clock_gettime(clock);
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    };
    loop {
        let before = read(ClockId::Monotonic);
        let boot_time = read(ClockId::Boottime);
        // This process may have to wait for a processor between the readings.
        if read(ClockId::Monotonic) - before < SLEEP_MIN / 2 {
            return boot_time.saturating_sub(before);
        }
    }
}
