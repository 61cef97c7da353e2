//! TCP connections that never block (tcp(7)).

use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, bind, connect, socket};

/// A TCP connection, made or being made.
pub struct Connection(TcpStream);

impl Connection {
    /// Begins to connect. When the socket becomes writable,
    /// [`Connection::finish`] tells the result.
    ///
    /// # Errors
    /// What socket(2) or connect(2) says at once: ENETUNREACH without a route.
    pub fn begin(address: SocketAddr) -> Result<Self> {
        let (family, any) = match address {
            SocketAddr::V4(_) => (AddressFamily::Inet, Ipv4Addr::UNSPECIFIED.into()),
            SocketAddr::V6(_) => (AddressFamily::Inet6, Ipv6Addr::UNSPECIFIED.into()),
        };
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket: OwnedFd = socket(family, SockType::Stream, flags, None)?;
        // The port is chosen with bind(2): the first connect(2) of a boot that
        // chooses one generates 256 KiB of random numbers for it
        // (`table_perturb` in net/ipv4/inet_hashtables.c). Where bind(2) finds
        // no port, connect(2) chooses one.
        let port_of_its_own = SockaddrStorage::from(SocketAddr::new(any, 0));
        let _ = bind(socket.as_raw_fd(), &port_of_its_own);
        match connect(socket.as_raw_fd(), &SockaddrStorage::from(address)) {
            Ok(()) | Err(Errno::EINPROGRESS) => Ok(Self(TcpStream::from(socket))),
            Err(errno) => Err(errno.into()),
        }
    }

    /// The result of connecting; `None` while it is not known.
    pub fn finish(&self) -> Option<Result<()>> {
        match self.0.take_error() {
            Ok(None) => match self.0.peer_addr() {
                Ok(_) => Some(Ok(())),
                Err(_) => None,
            },
            Ok(Some(error)) | Err(error) => Some(Err(error)),
        }
    }

    /// Writes bytes; returns how many were accepted, 0 where none can be now.
    ///
    /// # Errors
    /// What write(2) says.
    pub fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        not_now(self.0.write(bytes)).map(Option::unwrap_or_default)
    }

    /// Reads bytes; `None` where there are none now, empty at the end of the
    /// connection.
    ///
    /// # Errors
    /// What read(2) says.
    pub fn read<'a>(&mut self, buffer: &'a mut [u8]) -> Result<Option<&'a [u8]>> {
        let read = not_now(self.0.read(buffer))?;
        Ok(read.and_then(|length| buffer.get(..length)))
    }
}

fn not_now(done: Result<usize>) -> Result<Option<usize>> {
    match done {
        Ok(length) => Ok(Some(length)),
        Err(error) => match Error::kind(&error) {
            ErrorKind::WouldBlock | ErrorKind::Interrupted => Ok(None),
            _ => Err(error),
        },
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
