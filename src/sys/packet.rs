//! Sends and receives ARP and IPv6 neighbour discovery on one interface,
//! without needing an address (packet(7)).

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;

use super::interface::Mac;

/// The hardware address of all stations on the wire.
pub const BROADCAST: Mac = [0xff; 6];

/// A packet socket for one protocol on one interface. It never blocks. Packets
/// begin behind the Ethernet header.
pub struct PacketSocket {
    socket: OwnedFd,
    index: i32,
    protocol: u16,
}

const ARP: u16 = (libc::ETH_P_ARP as u16).to_be();
const IPV6: u16 = (libc::ETH_P_IPV6 as u16).to_be();
const ADDRESS_LENGTH: libc::socklen_t = size_of::<libc::sockaddr_ll>() as libc::socklen_t;

fn link_address(index: i32, protocol: u16, to: Mac) -> libc::sockaddr_ll {
    let mut halladdr = [0; 8];
    halladdr[..6].copy_from_slice(&to);
    libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as u16,
        sll_protocol: protocol,
        sll_ifindex: index,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 6,
        sll_addr: halladdr,
    }
}

/// One instruction of the kernel's packet filter (linux/filter.h).
const fn instruction(code: u16, jf: u8, k: u32) -> libc::sock_filter {
    libc::sock_filter { code, jt: 0, jf, k }
}

/// `BPF_LD | BPF_B | BPF_ABS`: loads the byte at this offset.
const LOAD: u16 = 0x30;
/// `BPF_JMP | BPF_JEQ | BPF_K`: continues when equal, else skips the given
/// number of instructions.
const EQUAL: u16 = 0x15;
/// `BPF_RET | BPF_K`: keeps this many bytes of the packet.
const KEEP: u16 = 0x06;

/// Filter for neighbour advertisements (RFC 4861, section 4.4) without
/// extension headers: next header ICMPv6, type 136. All other packets are
/// dropped in the kernel.
const ADVERTISEMENTS: [libc::sock_filter; 6] = [
    instruction(LOAD, 0, 6),
    instruction(EQUAL, 3, 58),
    instruction(LOAD, 0, 40),
    instruction(EQUAL, 1, 136),
    instruction(KEEP, 0, 1500),
    instruction(KEEP, 0, 0),
];

impl PacketSocket {
    /// A socket for ARP on the interface with this index.
    ///
    /// # Errors
    /// What socket(2) or bind(2) says: EPERM without CAP_NET_RAW, ENODEV when
    /// the interface has gone.
    pub fn arp(index: i32) -> Result<Self, Errno> {
        Self::open(index, ARP, &[])
    }

    /// A socket on the interface with this index that receives IPv6 neighbour
    /// advertisements and sends IPv6 packets.
    ///
    /// # Errors
    /// What socket(2), bind(2) or setsockopt(2) says: EPERM without
    /// CAP_NET_RAW, ENODEV when the interface has gone.
    pub fn advertisements(index: i32) -> Result<Self, Errno> {
        Self::open(index, IPV6, &ADVERTISEMENTS)
    }

    fn open(index: i32, protocol: u16, filter: &[libc::sock_filter]) -> Result<Self, Errno> {
        use nix::sys::socket::sockopt::SocketError;
        use nix::sys::socket::{
            AddressFamily, SockFlag, SockProtocol, SockType, getsockopt, socket,
        };
        // Opened for no protocol: it receives nothing until it is bound.
        let socket = socket(
            AddressFamily::Packet,
            SockType::Datagram,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            None::<SockProtocol>,
        )?;
        if !filter.is_empty() {
            attach(&socket, filter)?;
        }
        let address = link_address(index, protocol, [0; 6]);
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
        // Bound to an interface that is down, the socket holds ENETDOWN, which
        // would fail the first send even once the interface is up. This clears
        // it.
        getsockopt(&socket, SocketError)?;
        Ok(Self {
            socket,
            index,
            protocol,
        })
    }

    /// Sends a packet to a hardware address.
    ///
    /// # Errors
    /// What sendto(2) says; ENETDOWN while the interface is down.
    pub fn send(&self, to: Mac, packet: &[u8]) -> Result<(), Errno> {
        let address = link_address(self.index, self.protocol, to);
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

    /// Receives the next packet, cut to the buffer; `None` where there is none.
    pub fn receive<'a>(&self, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
        let length = nix::unistd::read(&self.socket, buffer).ok()?;
        buffer.get(..length)
    }
}

fn attach(socket: &OwnedFd, filter: &[libc::sock_filter]) -> Result<(), Errno> {
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_ptr().cast_mut(),
    };
    // SAFETY: the program and its instructions live until the call returns; the
    // kernel copies them and writes to neither.
    let attached = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            size_of::<libc::sock_fprog>() as libc::socklen_t,
        )
    };
    Errno::result(attached).map(drop)
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
