//! The kernel's announcements of devices (netlink(7), NETLINK_KOBJECT_UEVENT).

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recvfrom, socket,
};

/// The multicast group of the kernel itself; udev repeats in another one.
const FROM_KERNEL: u32 = 1;

/// Hears all device events; it never blocks.
pub struct UeventSocket(OwnedFd);

impl UeventSocket {
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

    /// The next event, cut to the buffer: `ACTION@PATH`, then `KEY=VALUE`
    /// strings, each ended by NUL. `Ok(None)` when there is none.
    ///
    /// # Errors
    /// ENOBUFS when events were lost: look at everything again.
    pub fn receive<'a>(&self, buffer: &'a mut [u8]) -> Result<Option<&'a [u8]>, Errno> {
        let fd = std::os::fd::AsRawFd::as_raw_fd(&self.0);
        loop {
            match recvfrom::<NetlinkAddr>(fd, buffer) {
                // Process 0 is the kernel; nobody else may announce devices.
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
