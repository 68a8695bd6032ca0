//! The listening socket: how it is opened, and how to make `accept` return.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use rustix::io::Errno;
use rustix::net::Shutdown;
use socket2::{Domain, Protocol, Socket, Type};
use tracing::{info, warn};

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 1_024;

/// The listening socket, and how to stop it.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) socket: TcpListener,
    /// Whether the service manager passed the socket. It will listen on the
    /// same socket after this process, so that it must not be shut down.
    is_inherited: bool,
    /// The server's connection to itself, kept open until it is accepted.
    self_connection: Option<Socket>,
}

/// Why the server can't listen.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenError {
    #[error("cannot listen on {0}: {1}; choose another address with --listen")]
    Address(SocketAddr, io::Error),
    #[error("cannot use the sockets in LISTEN_FDS: {0}")]
    Inherited(#[from] io::Error),
}

impl Listener {
    /// Takes the socket that the service manager passed, or else listens on
    /// `address`.
    pub(crate) fn open(address: SocketAddr) -> Result<Listener, ListenError> {
        if let Some(socket) = inherited()? {
            info!("listening on a socket from the service manager");
            return Ok(Listener::new(socket, true));
        }
        let socket = listen(address)
            .map_err(|error| ListenError::Address(address, error))?;
        Ok(Listener::new(socket, false))
    }

    fn new(socket: TcpListener, is_inherited: bool) -> Listener {
        Listener { socket, is_inherited, self_connection: None }
    }

    /// Makes `accept` return, in whatever way the server waits for it.
    ///
    /// The server's own socket is shut down: from now on, connections are
    /// refused and `accept` fails with EINVAL. An inherited socket must stay
    /// usable. There, the server connects to itself, and first passes the
    /// address of that connection to `expect`, so that it can be told apart
    /// from a client.
    pub(crate) fn stop(&mut self, expect: impl FnOnce(SocketAddr)) {
        let stopped = if self.is_inherited {
            self.connect_to_self(expect)
        } else {
            let shut = rustix::net::shutdown(&self.socket, Shutdown::Both);
            shut.map_err(io::Error::from)
        };
        if let Err(error) = stopped {
            warn!("cannot stop accepting clients: {error}");
        }
    }

    /// Connects without waiting. While the backlog is full, the kernel drops
    /// the attempt and retries after a second, then at growing intervals.
    fn connect_to_self(
        &mut self,
        expect: impl FnOnce(SocketAddr),
    ) -> io::Result<()> {
        let mut to = self.socket.local_addr()?;
        if to.ip().is_unspecified() {
            to.set_ip(match to.ip() {
                IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
        socket.bind(&SocketAddr::new(to.ip(), 0).into())?;
        let from = socket.local_addr()?.as_socket();
        expect(from.ok_or(io::ErrorKind::AddrNotAvailable)?);
        socket.set_nonblocking(true)?;
        let connected = socket.connect(&to.into());
        self.self_connection = Some(socket);
        match connected.map_err(|error| Errno::from_io_error(&error)) {
            Err(Some(Errno::INPROGRESS)) | Ok(()) => Ok(()),
            Err(errno) => Err(errno.unwrap_or(Errno::IO).into()),
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    prepare(&socket)?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Returns the first listening TCP socket that the service manager passed.
fn inherited() -> io::Result<Option<TcpListener>> {
    let fds = sd_notify::listen_fds()?;
    let passed = fds.len();
    for fd in fds {
        let socket = Socket::from(crate::fd::inherited(fd));
        if socket.r#type()? == Type::STREAM && socket.is_listener()? {
            prepare(&socket)?;
            socket.set_nonblocking(false)?;
            return Ok(Some(socket.into()));
        }
    }
    if passed == 0 {
        Ok(None)
    } else {
        Err(io::Error::other("none is a listening TCP socket"))
    }
}

/// Sets TCP_NODELAY, so that a small reply doesn't wait for the last one's
/// acknowledgement. On Linux, an accepted socket inherits the option from the
/// listening socket, which saves a system call per connection.
fn prepare(socket: &Socket) -> io::Result<()> {
    socket.set_tcp_nodelay(true)
}
