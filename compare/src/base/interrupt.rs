//! Ctrl-C: the first one ends the run in order, the second one at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::base::exit::INTERRUPTED;

/// Whether somebody wants the run to end.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens to SIGINT and SIGTERM from now on.
    ///
    /// # Errors
    ///
    /// When the system refuses the handlers.
    pub(crate) fn listen() -> anyhow::Result<Interrupt> {
        let wanted = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds the flag still down.
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

    /// Leaves signals as they are: they end the process.
    pub(crate) fn ignored() -> Interrupt {
        Interrupt(Arc::default())
    }

    /// Whether a signal came.
    pub(crate) fn is_requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
