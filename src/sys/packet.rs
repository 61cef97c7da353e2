//! ARP packets on one interface, without an IP address (packet(7)).

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;

use super::interface::Mac;

/// A packet socket for ARP, bound to one interface; it never blocks.
pub struct ArpSocket {
    socket: OwnedFd,
    index: i32,
}

const PROTOCOL: u16 = (libc::ETH_P_ARP as u16).to_be();
const BROADCAST: Mac = [0xff; 6];

fn link_address(index: i32, to: Mac) -> libc::sockaddr_ll {
    let mut halladdr = [0; 8];
    halladdr[..6].copy_from_slice(&to);
    libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as u16,
        sll_protocol: PROTOCOL,
        sll_ifindex: index,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 6,
        sll_addr: halladdr,
    }
}

const ADDRESS_LENGTH: libc::socklen_t = size_of::<libc::sockaddr_ll>() as libc::socklen_t;

impl ArpSocket {
    /// # Errors
    /// What socket(2) or bind(2) says: EPERM without CAP_NET_RAW, ENODEV when
    /// the interface has gone.
    pub fn open(index: i32) -> Result<Self, Errno> {
        use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};
        // Opened for no protocol: it hears nothing until it is bound to ARP
        // on its interface.
        let socket = socket(
            AddressFamily::Packet,
            SockType::Datagram,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            None::<SockProtocol>,
        )?;
        let address = link_address(index, [0; 6]);
        // SAFETY: the address is a sockaddr_ll of the length given, and lives
        // until the call returns.
        let bound = unsafe {
            libc::bind(
                socket.as_raw_fd(),
                (&raw const address).cast(),
                ADDRESS_LENGTH,
            )
        };
        Errno::result(bound)?;
        Ok(Self { socket, index })
    }

    pub fn index(&self) -> i32 {
        self.index
    }

    /// Sends to every station on the wire.
    ///
    /// # Errors
    /// What sendto(2) says; ENETDOWN while the interface is down.
    pub fn broadcast(&self, packet: &[u8]) -> Result<(), Errno> {
        let address = link_address(self.index, BROADCAST);
        // SAFETY: packet and address are valid for the lengths given until
        // the call returns.
        let sent = unsafe {
            libc::sendto(
                self.socket.as_raw_fd(),
                packet.as_ptr().cast(),
                packet.len(),
                0,
                (&raw const address).cast(),
                ADDRESS_LENGTH,
            )
        };
        Errno::result(sent).map(drop)
    }

    /// The next packet's bytes, cut to the buffer; `None` when there is none.
    pub fn receive<'a>(&self, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
        let length = nix::unistd::read(&self.socket, buffer).ok()?;
        buffer.get(..length)
    }
}

impl AsFd for ArpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
