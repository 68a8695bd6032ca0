//! File descriptors by number. The only `unsafe` of this crate.

#![allow(unsafe_code)]

use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// The open descriptor `fd`, for as long as one call needs it.
///
/// The registry knows each connection by its descriptor's number and uses it
/// under its lock. A [`Client`](crate::Client) leaves the registry, under the
/// same lock, before it closes its stream. So a number in the registry is an
/// open descriptor, and that client's.
pub(crate) fn registered(fd: &RawFd) -> BorrowedFd<'_> {
    // SAFETY: `fd` is not -1, because it came from an `AsFd`, and it stays
    // open for as long as the caller holds the registry's lock (see above),
    // which the borrow of the registry's own field can't outlive.
    unsafe { BorrowedFd::borrow_raw(*fd) }
}

/// A descriptor that the service manager has passed to this process.
pub(crate) fn inherited(fd: RawFd) -> OwnedFd {
    // SAFETY: sd_listen_fds(3) hands these descriptors over to the process
    // that LISTEN_PID names, which is this one; nothing else here takes them.
    unsafe { OwnedFd::from_raw_fd(fd) }
}
