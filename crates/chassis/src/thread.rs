//! Threads that serve one client each.

use std::io;
use std::thread;

use crate::chassis::Chassis;

/// The stack size of a client's thread. A conversation needs a few KiB at its
/// deepest. Only pages that are touched take memory; the rest is address
/// space, but by default ten thousand threads would reserve 20 GiB of it.
const STACK_BYTES: usize = 128 * 1024;

impl Chassis {
    /// Runs a client's conversation on a new thread, and logs how it ended.
    ///
    /// If no thread is available, `conversation` is dropped, and the client
    /// with it: the client gets `error: server-full`.
    pub fn spawn_thread<F>(&'static self, conversation: F)
    where
        F: FnOnce() -> io::Result<()> + Send + 'static,
    {
        let spawned = thread::Builder::new()
            .stack_size(STACK_BYTES)
            .spawn(move || self.log_end(conversation()));
        if let Err(error) = spawned {
            self.log_refusal(&error);
        }
    }
}
