//! The listening socket: how it is opened, and how to make `accept` return.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use rustix::io::Errno;
use rustix::net::Shutdown;
use socket2::{Domain, Protocol, Socket, Type};
use tracing::{info, warn};

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 1_024;

/// How many bytes of replies that are not sent yet a connection's send queue
/// may hold. By default, the kernel lets the queue of a client that doesn't
/// read grow to megabytes, which no limit of this server would see, and the
/// server computes replies that no client reads.
const UNSENT_BYTES_MAX: u32 = 64 * 1024;

/// The listening socket, and how to stop it.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) socket: TcpListener,
    /// Whether the service manager passed the socket. It will listen on the
    /// same socket after this process, so that it must not be shut down.
    is_inherited: bool,
    /// The server's connection to itself with which it stops accepting, kept
    /// open until it is accepted.
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
            let connected = self.connect_to_self(expect);
            connected.map(|connection| self.self_connection = Some(connection))
        } else {
            let shut = rustix::net::shutdown(&self.socket, Shutdown::Both);
            shut.map_err(io::Error::from)
        };
        if let Err(error) = stopped {
            warn!("cannot stop accepting clients: {error}");
        }
    }

    /// Connects without waiting. First passes the own address of the connection
    /// to `expect`. While the backlog is full, the kernel drops
    /// the attempt and retries after a second, then at growing intervals.
    pub(crate) fn connect_to_self(
        &self,
        expect: impl FnOnce(SocketAddr),
    ) -> io::Result<Socket> {
        let mut to = self.socket.local_addr()?;
        if to.ip().is_unspecified() {
            to.set_ip(match to.ip() {
                IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
        let mut own = to;
        own.set_port(0);
        socket.bind(&own.into())?;
        let from = socket.local_addr()?.as_socket();
        expect(from.ok_or(io::ErrorKind::AddrNotAvailable)?);
        socket.set_nonblocking(true)?;
        match socket.connect(&to.into()) {
            Err(error)
                if Errno::from_io_error(&error) != Some(Errno::INPROGRESS) =>
            {
                Err(error)
            }
            _ => Ok(socket),
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
/// acknowledgement, and limits the send queue. On Linux, an accepted socket
/// inherits both options from the listening socket, which saves system calls
/// for each connection.
fn prepare(socket: &Socket) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_notsent_lowat(UNSENT_BYTES_MAX)
}
