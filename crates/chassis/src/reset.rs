//! How to notice that a connection was reset, without reading from it.

use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// The poll(2) events of a connection that was reset. A client that has only
/// shut down its writing side causes none of them.
pub const RESET: PollFlags = PollFlags::HUP.union(PollFlags::ERR);

/// Returns `true` if the connection was reset.
pub fn is_reset(stream: &impl AsFd) -> bool {
    let mut fds = [PollFd::new(stream, PollFlags::empty())];
    let polled = poll(&mut fds, Some(&Timespec::default()));
    polled.is_ok() && fds[0].revents().intersects(RESET)
}
