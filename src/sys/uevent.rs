//! Receives the kernel's device events (netlink(7), NETLINK_KOBJECT_UEVENT).

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recvfrom, socket,
};

/// The multicast group of the kernel's own events; udev uses another one.
const FROM_KERNEL: u32 = 1;

/// A socket that receives all device events. It never blocks.
pub struct UeventSocket(OwnedFd);

impl UeventSocket {
    /// Opens the socket; later events are received.
    ///
    /// # Errors
    /// What socket(2) or bind(2) says.
    pub fn open() -> Result<Self, Errno> {
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Datagram,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            SockProtocol::NetlinkKObjectUEvent,
        )?;
        bind(
            std::os::fd::AsRawFd::as_raw_fd(&socket),
            &NetlinkAddr::new(0, FROM_KERNEL),
        )?;
        Ok(Self(socket))
    }

    /// Receives the next event, cut to the buffer: `ACTION@PATH`, then
    /// `KEY=VALUE` strings, each ended by NUL. `Ok(None)` where there is none.
    ///
    /// # Errors
    /// ENOBUFS when events were lost.
    pub fn receive<'a>(&self, buffer: &'a mut [u8]) -> Result<Option<&'a [u8]>, Errno> {
        let fd = std::os::fd::AsRawFd::as_raw_fd(&self.0);
        loop {
            match recvfrom::<NetlinkAddr>(fd, buffer) {
                // Port 0 is the kernel; events of other senders are ignored.
                Ok((length, Some(from))) if from.pid() == 0 => {
                    return Ok(buffer.get(..length));
                }
                Ok(_) | Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return Ok(None),
                Err(errno) => return Err(errno),
            }
        }
    }
}

impl AsFd for UeventSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
