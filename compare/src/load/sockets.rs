//! Connecting clients, from loopback addresses that have free ports.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt::IpBindAddressNoPort};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use rustix::time::Timespec;

/// How many loopback addresses clients may connect from.
const ADDRESSES: usize = 250;

/// The target and the source addresses of a group's connections.
pub(crate) struct Sockets {
    to: SocketAddr,
    /// How many source addresses are skipped because they had no free port.
    skipped: usize,
}

impl Sockets {
    /// Returns the addresses for clients of the server at `to`.
    pub(crate) fn new(to: SocketAddr) -> Sockets {
        Sockets { to, skipped: 0 }
    }

    /// Connects from the planned source address or one after it, and waits
    /// until the connection is established.
    pub(crate) fn connect(
        &mut self,
        planned: usize,
        timeout: Duration,
    ) -> io::Result<TcpStream> {
        let stream = self.start_to_connect(planned)?;
        let deadline = Instant::now() + timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let left = Timespec::try_from(left).unwrap_or_default();
            let mut fds = [PollFd::new(&stream, PollFlags::OUT)];
            match poll(&mut fds, Some(&left)) {
                Ok(0) => return Err(Errno::TIMEDOUT.into()),
                Ok(_) => break,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        sockopt::socket_error(&stream)??;
        Ok(stream)
    }

    /// Starts to connect. The socket becomes writable when the connection is
    /// established.
    pub(crate) fn start_to_connect(
        &mut self,
        planned: usize,
    ) -> io::Result<TcpStream> {
        for _ in 1..ADDRESSES {
            match start(self.to, source(self.to, planned + self.skipped)) {
                // Later connections don't try this address again.
                Err(Errno::ADDRNOTAVAIL) if is_loopback(self.to) => {
                    self.skipped += 1;
                }
                started => return Ok(started?),
            }
        }
        Ok(start(self.to, source(self.to, planned + self.skipped))?)
    }
}

fn start(to: SocketAddr, from: Option<SocketAddr>) -> Result<TcpStream, Errno> {
    let socket = socket(to)?;
    if let Some(from) = from {
        // Without this option, bind(2) would reserve a port that no other
        // address could use.
        setsockopt(&socket, IpBindAddressNoPort, &true)
            .map_err(|error| Errno::from_raw_os_error(error as i32))?;
        rustix::net::bind(&socket, &from)?;
    }
    sockopt::set_tcp_nodelay(&socket, true)?;
    match rustix::net::connect(&socket, &to) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(TcpStream::from(socket)),
        Err(error) => Err(error),
    }
}

fn socket(to: SocketAddr) -> Result<OwnedFd, Errno> {
    let family = match to {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    rustix::net::socket_with(family, SocketType::STREAM, flags, None)
}

/// Returns the address to connect from, or `None` for the default. All
/// addresses of 127.0.0.0/8 are this machine, and each has its own ports.
fn source(to: SocketAddr, index: usize) -> Option<SocketAddr> {
    if index == 0 || !is_loopback(to) {
        return None;
    }
    let last = u8::try_from(1 + index % ADDRESSES).expect("at most 250");
    Some((Ipv4Addr::new(127, 0, 0, last), 0).into())
}

fn is_loopback(to: SocketAddr) -> bool {
    matches!(to.ip(), IpAddr::V4(ip) if ip.is_loopback())
}
