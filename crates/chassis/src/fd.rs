//! File descriptors by number: the only `unsafe` code of this crate.

#![allow(unsafe_code)]

use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Borrows the descriptor of a registered connection for one call.
///
/// The registry stores the number of each connection's descriptor, and uses it
/// only under its lock. A [`Client`](crate::Client) is deregistered, under the
/// same lock, before its stream is closed. So each number in the registry is
/// an open descriptor of the right client.
pub(crate) fn registered(fd: &RawFd) -> BorrowedFd<'_> {
    // SAFETY: `fd` is not -1, because it came from an `AsFd`, and it stays
    // open for as long as the caller holds the registry's lock (see above),
    // which the borrow of the registry's own field can't outlive.
    unsafe { BorrowedFd::borrow_raw(*fd) }
}

/// Takes over a descriptor that the service manager passed to this process.
pub(crate) fn inherited(fd: RawFd) -> OwnedFd {
    // SAFETY: sd_listen_fds(3) passes these descriptors to the process that
    // LISTEN_PID names, which is this one, and nothing else takes them over.
    unsafe { OwnedFd::from_raw_fd(fd) }
}
