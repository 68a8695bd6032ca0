//! Ctrl-C: the first one stops the run and keeps its record, the second one
//! ends the process immediately.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::base::exit::INTERRUPTED;

/// A flag that the first SIGINT or SIGTERM sets.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Handles SIGINT and SIGTERM from now on.
    ///
    /// # Errors
    ///
    /// Returns an error if the handlers can't be registered.
    pub(crate) fn listen() -> anyhow::Result<Interrupt> {
        let wanted = Arc::new(AtomicBool::new(false));
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
        Ok(Interrupt(wanted))
    }

    /// Returns a flag that no signal sets: signals end the process.
    pub(crate) fn ignored() -> Interrupt {
        Interrupt(Arc::default())
    }

    /// Returns `true` if a signal arrived.
    pub(crate) fn is_requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
