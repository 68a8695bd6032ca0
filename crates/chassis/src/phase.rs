//! Whether the process is starting, ready or ending. Several threads may want
//! to end it, and each must know whether the ready line was printed.

use std::sync::atomic::{AtomicU8, Ordering::SeqCst};
use std::thread;

use signal_hook::low_level;

use crate::log;

const STARTING: u8 = 0;
/// The server has answered its first request.
const READY: u8 = 1;
const ENDING: u8 = 2;

static PHASE: AtomicU8 = AtomicU8::new(STARTING);

/// The exit code of a server that can't start or continue.
const EXIT_FAILURE: i32 = 1;

pub(crate) fn is_ready() -> bool {
    PHASE.load(SeqCst) == READY
}

/// Makes the server ready. Doesn't return if the process is ending.
pub(crate) fn become_ready() {
    if PHASE.compare_exchange(STARTING, READY, SeqCst, SeqCst).is_err() {
        await_end();
    }
}

/// Ends the process with exit code 1, and logs why.
pub(crate) fn fail(reason: &str) -> ! {
    begin_end();
    log::fatal(reason);
    low_level::exit(EXIT_FAILURE)
}

/// Does the same, unless the server is ready.
pub(crate) fn fail_unless_ready(reason: &str) {
    match PHASE.compare_exchange(STARTING, ENDING, SeqCst, SeqCst) {
        Ok(_) => {
            log::fatal(reason);
            low_level::exit(EXIT_FAILURE)
        }
        Err(READY) => {}
        Err(_) => await_end(),
    }
}

/// Ends the process. Unlike [`std::process::exit`], this runs no destructors
/// of this thread's values, which might wait for others or panic.
pub(crate) fn exit(code: i32) -> ! {
    begin_end();
    low_level::exit(code)
}

/// Returns in only one thread.
fn begin_end() {
    if PHASE.swap(ENDING, SeqCst) == ENDING {
        await_end();
    }
}

/// Waits for the thread that ends the process.
fn await_end() -> ! {
    loop {
        thread::park();
    }
}
