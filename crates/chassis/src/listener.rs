use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use rustix::io::Errno;
use rustix::net::Shutdown;
use socket2::{Domain, Protocol, Socket, Type};
use tracing::{info, warn};

/// How many clients may wait to be accepted.
const BACKLOG: i32 = 1_024;

/// The listening socket, and how to stop it.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) socket: TcpListener,
    /// The service manager holds the same socket and will listen on it when
    /// this process is gone, so that it must not be shut down.
    inherited: bool,
    /// Our own connection to it, which must stay until it is accepted.
    knock: Option<Socket>,
}

/// Why there is no listening socket.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenError {
    #[error("cannot listen on {0}: {1} (choose another with --listen)")]
    Address(SocketAddr, io::Error),
    #[error("cannot use the sockets in LISTEN_FDS: {0}")]
    Inherited(#[from] io::Error),
}

impl Listener {
    /// Takes the socket that the service manager passed, or else listens on
    /// `address`.
    pub(crate) fn open(address: SocketAddr) -> Result<Listener, ListenError> {
        if let Some(socket) = inherited()? {
            info!("listening on a socket of the service manager's");
            return Ok(Listener { socket, inherited: true, knock: None });
        }
        let socket = listen(address)
            .map_err(|error| ListenError::Address(address, error))?;
        Ok(Listener { socket, inherited: false, knock: None })
    }

    /// Makes `accept` return, in whatever way it waits.
    ///
    /// A socket of our own is shut down: from now on, connecting is refused
    /// and `accept` fails with EINVAL. On an inherited one, which is not ours
    /// to end, we knock ourselves: `expect` is told beforehand from where, so
    /// that the knock can be told from a client.
    pub(crate) fn stop(&mut self, expect: impl FnOnce(SocketAddr)) {
        let stopped = if self.inherited {
            self.knock(expect)
        } else {
            let shut = rustix::net::shutdown(&self.socket, Shutdown::Both);
            shut.map_err(io::Error::from)
        };
        if let Err(error) = stopped {
            warn!("cannot stop accepting: {error}");
        }
    }

    /// Knocks without waiting: while the backlog is full, the kernel drops
    /// the knock and tries again, a second later and ever more rarely.
    fn knock(&mut self, expect: impl FnOnce(SocketAddr)) -> io::Result<()> {
        let mut door = self.socket.local_addr()?;
        if door.ip().is_unspecified() {
            door.set_ip(match door.ip() {
                IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        let knock = Socket::new(Domain::for_address(door), Type::STREAM, None)?;
        knock.bind(&SocketAddr::new(door.ip(), 0).into())?;
        let from = knock.local_addr()?.as_socket();
        expect(from.ok_or(io::ErrorKind::AddrNotAvailable)?);
        knock.set_nonblocking(true)?;
        let connected = knock.connect(&door.into());
        self.knock = Some(knock);
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

/// The first listening TCP socket that the service manager passed.
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
    match passed {
        0 => Ok(None),
        _ => Err(io::Error::other("none is a listening TCP socket")),
    }
}

/// Small replies must not wait for the last one's acknowledgement. On Linux,
/// an accepted socket has the listening one's TCP_NODELAY, which saves a
/// system call per connection.
fn prepare(socket: &Socket) -> io::Result<()> {
    socket.set_tcp_nodelay(true)
}
