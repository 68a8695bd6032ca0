use std::os::fd::AsFd;

use protocol::{Error, Reply, Request};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::Chassis;
use crate::registry::Seat;

/// What a client that was reset shows to poll(2). One that only said that it
/// has no more requests shows none of them.
pub const RESET: PollFlags = PollFlags::HUP.union(PollFlags::ERR);

/// A request on its way to a pool, where it may have to wait for long.
///
/// It can cross to any thread and outlive its client: it knows the connection
/// by its place in the registry, and not by a descriptor's number.
#[derive(Debug)]
pub struct Job {
    chassis: &'static Chassis,
    pub(crate) seat: Seat,
    request: Request,
}

impl Job {
    pub(crate) fn new(
        chassis: &'static Chassis,
        seat: Seat,
        request: Request,
    ) -> Job {
        Job { chassis, seat, request }
    }

    /// What is to be computed.
    pub fn request(&self) -> Request {
        self.request
    }

    /// Computes the answer; see [`Request::compute`]. But a slow one whose
    /// client was reset meanwhile is not begun: its answer is any, as the
    /// write of it will fail.
    pub fn compute(&self) -> Reply {
        match self.request.is_slow() && self.is_unwanted() {
            true => Reply::Error(Error::WorkerLost),
            false => self.request.compute(),
        }
    }

    /// Whether its client was reset or has left.
    fn is_unwanted(&self) -> bool {
        self.chassis.registry.has_lost(&self.seat)
    }
}

/// Whether the connection was reset.
pub fn is_reset(stream: &impl AsFd) -> bool {
    let mut fds = [PollFd::new(stream, PollFlags::empty())];
    let polled = poll(&mut fds, Some(&Timespec::default()));
    polled.is_ok() && fds[0].revents().intersects(RESET)
}
