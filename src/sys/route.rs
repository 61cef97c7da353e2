//! Addresses of interfaces, routes, and IPv6 neighbours.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;

use heapless::Vec;
use nix::errno::Errno;

use super::netlink::{NetlinkRequest, attributes};

/// Addresses of one interface that are read, at most.
const MAX_ADDRESSES: usize = 32;
/// Metric of the routes that are set here. The kernel prefers lower ones, as
/// all other software sets them.
const LAST_RESORT: u32 = 4096;
/// `RTNH_F_ONLINK`: the router is on this wire, whatever its address.
const ON_LINK: u32 = 4;
/// `IFA_FLAGS`, linux/if_addr.h: all flags; the head has room for eight only.
const IFA_FLAGS: u16 = 8;
/// Bytes of struct ifaddrmsg.
const ADDRESS_HEAD: usize = 8;
/// Bytes of struct rtmsg.
const ROUTE_HEAD: usize = 12;

const CREATE: i32 = libc::NLM_F_ACK | libc::NLM_F_CREATE | libc::NLM_F_REPLACE;

/// An address of an interface, with global scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InterfaceAddress {
    /// The address, without the prefix.
    pub address: IpAddr,
    /// Length of the network prefix in bits.
    pub prefix: u8,
    /// Whether it has a limited lifetime.
    pub is_temporary: bool,
    /// Whether another station has it too; known for IPv6 only (RFC 4862,
    /// section 5.4).
    pub is_duplicate: bool,
}

fn family(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => libc::AF_INET as u8,
        IpAddr::V6(_) => libc::AF_INET6 as u8,
    }
}

fn octets(address: IpAddr) -> Vec<u8, 16> {
    match address {
        IpAddr::V4(ip) => ip.octets().into_iter().collect(),
        IpAddr::V6(ip) => ip.octets().into_iter().collect(),
    }
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(octets).ok().map(Ipv4Addr::from);
    let v6 = || <[u8; 16]>::try_from(octets).ok().map(Ipv6Addr::from);
    v4().map(IpAddr::V4).or_else(|| v6().map(IpAddr::V6))
}

fn word(data: &[u8]) -> Option<u32> {
    data.first_chunk().map(|word| u32::from_ne_bytes(*word))
}

fn address_head(ip: IpAddr, prefix: u8, index: i32) -> [u8; ADDRESS_HEAD] {
    let mut head = [family(ip), prefix, 0, libc::RT_SCOPE_UNIVERSE, 0, 0, 0, 0];
    head[4..].copy_from_slice(&index.to_ne_bytes());
    head
}

/// The addresses of an interface with global scope, 32 at most.
///
/// # Errors
/// What the kernel says.
pub fn addresses(index: i32) -> Result<Vec<InterfaceAddress, MAX_ADDRESSES>, Errno> {
    let mut found = Vec::new();
    let all = [0; ADDRESS_HEAD];
    NetlinkRequest::new(libc::RTM_GETADDR, libc::NLM_F_DUMP, &all).ask(|_, message| {
        if let Some((of, one)) = read_address(message)
            && of == index
        {
            let _ = found.push(one);
        }
    })?;
    Ok(found)
}

fn read_address(message: &[u8]) -> Option<(i32, InterfaceAddress)> {
    let (head, rest) = message.split_at_checked(ADDRESS_HEAD)?;
    let of = i32::from_ne_bytes([head[4], head[5], head[6], head[7]]);
    if head[3] != libc::RT_SCOPE_UNIVERSE {
        return None;
    }
    let mut flags = u32::from(head[2]);
    let (mut local, mut other) = (None, None);
    for (kind, data) in attributes(rest) {
        match kind {
            libc::IFA_LOCAL => local = address(data),
            libc::IFA_ADDRESS => other = address(data),
            IFA_FLAGS => flags = word(data)?,
            _ => {}
        }
    }
    let found = InterfaceAddress {
        address: local.or(other)?,
        prefix: head[1],
        is_temporary: flags & libc::IFA_F_PERMANENT == 0,
        is_duplicate: flags & libc::IFA_F_DADFAILED != 0,
    };
    Some((of, found))
}

/// Adds an address with this lifetime to an interface, or renews its lifetime.
/// At its end the kernel removes the address and the route to its network.
///
/// # Errors
/// What the kernel says.
pub fn add_temporary_address(
    index: i32,
    ip: IpAddr,
    prefix: u8,
    time: Duration,
) -> Result<(), Errno> {
    let seconds = u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
    // struct ifa_cacheinfo: preferred and valid seconds, then two times that
    // only the kernel says.
    let mut lifetime = [0; 16];
    lifetime[..4].copy_from_slice(&seconds.to_ne_bytes());
    lifetime[4..8].copy_from_slice(&seconds.to_ne_bytes());
    NetlinkRequest::new(libc::RTM_NEWADDR, CREATE, &address_head(ip, prefix, index))
        .with(libc::IFA_LOCAL, &octets(ip))
        .with(libc::IFA_ADDRESS, &octets(ip))
        .with(libc::IFA_CACHEINFO, &lifetime)
        .ask(|_, _| ())
}

/// Removes an address of an interface, with the routes that use it.
///
/// # Errors
/// What the kernel says; EADDRNOTAVAIL where it is not there.
pub fn remove_address(index: i32, ip: IpAddr, prefix: u8) -> Result<(), Errno> {
    NetlinkRequest::new(
        libc::RTM_DELADDR,
        libc::NLM_F_ACK,
        &address_head(ip, prefix, index),
    )
    .with(libc::IFA_LOCAL, &octets(ip))
    .with(libc::IFA_ADDRESS, &octets(ip))
    .ask(|_, _| ())
}

/// A request about the default route through this router, with a high metric.
fn router(kind: u16, flags: i32, index: i32, router: IpAddr, rank: u8) -> NetlinkRequest {
    let mut head = [0; ROUTE_HEAD];
    head[0] = family(router);
    head[4] = libc::RT_TABLE_MAIN;
    head[5] = libc::RTPROT_STATIC;
    head[6] = libc::RT_SCOPE_UNIVERSE;
    head[7] = libc::RTN_UNICAST;
    head[8..].copy_from_slice(&ON_LINK.to_ne_bytes());
    NetlinkRequest::new(kind, flags, &head)
        .with(libc::RTA_OIF, &index.to_ne_bytes())
        .with(libc::RTA_GATEWAY, &octets(router))
        .with(
            libc::RTA_PRIORITY,
            &(LAST_RESORT + u32::from(rank)).to_ne_bytes(),
        )
}

/// Adds a default route through a router, with a high metric; lower ranks come
/// first. IPv4 packets are sent from the address `from`, and the route goes
/// when that address does; an IPv6 route must be removed.
///
/// # Errors
/// What the kernel says.
pub fn add_router(index: i32, through: IpAddr, from: IpAddr, rank: u8) -> Result<(), Errno> {
    let request = router(libc::RTM_NEWROUTE, CREATE, index, through, rank);
    match from {
        IpAddr::V4(_) => request.with(libc::RTA_PREFSRC, &octets(from)),
        // Refused for as long as the address is tentative.
        IpAddr::V6(_) => request,
    }
    .ask(|_, _| ())
}

/// Removes a default route that [`add_router`] has added.
///
/// # Errors
/// What the kernel says; ESRCH where it is not there.
pub fn remove_router(index: i32, through: IpAddr, rank: u8) -> Result<(), Errno> {
    router(libc::RTM_DELROUTE, libc::NLM_F_ACK, index, through, rank).ask(|_, _| ())
}

/// The route to a station.
#[cfg(feature = "admin")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Index of the interface.
    pub index: i32,
    /// The address that packets are sent from.
    pub from: IpAddr,
    /// The router; `None` where the station is on the same wire.
    pub through: Option<IpAddr>,
}

/// The route by which a station is reached now.
///
/// # Errors
/// What the kernel says; ENETUNREACH where nothing leads there.
#[cfg(feature = "admin")]
pub fn route_to(station: IpAddr) -> Result<Route, Errno> {
    let mut head = [0; ROUTE_HEAD];
    head[0] = family(station);
    head[1] = 8 * octets(station).len() as u8;
    let mut way = None;
    NetlinkRequest::new(libc::RTM_GETROUTE, libc::NLM_F_ACK, &head)
        .with(libc::RTA_DST, &octets(station))
        .ask(|_, message| way = way.or(read_route(message)))?;
    way.ok_or(Errno::ENETUNREACH)
}

#[cfg(feature = "admin")]
fn read_route(message: &[u8]) -> Option<Route> {
    let (mut index, mut from, mut through) = (None, None, None);
    for (kind, data) in attributes(message.get(ROUTE_HEAD..)?) {
        match kind {
            libc::RTA_OIF => index = word(data),
            libc::RTA_PREFSRC => from = address(data),
            libc::RTA_GATEWAY => through = address(data),
            _ => {}
        }
    }
    Some(Route {
        index: index?.try_into().ok()?,
        from: from?,
        through,
    })
}

/// A neighbour in the kernel's IPv6 neighbour table.
#[cfg(feature = "admin")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv6Neighbour {
    /// Its IPv6 address.
    pub address: Ipv6Addr,
    /// The index of the interface that leads to it.
    pub interface: i32,
    /// Its hardware address.
    pub mac: super::interface::Mac,
    /// Whether it says that it is a router (RFC 4861, section 4.4).
    pub is_router: bool,
}

/// The kernel's table of IPv6 neighbours (ip-neighbour(8)), 256 at most.
///
/// # Errors
/// What the kernel says.
#[cfg(feature = "admin")]
pub fn ipv6_neighbours() -> Result<Vec<Ipv6Neighbour, 256>, Errno> {
    let mut found = Vec::new();
    let head = [libc::AF_INET6 as u8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    NetlinkRequest::new(libc::RTM_GETNEIGH, libc::NLM_F_DUMP, &head).ask(|_, message| {
        if let Some(station) = read_ipv6_neighbour(message) {
            let _ = found.push(station);
        }
    })?;
    Ok(found)
}

#[cfg(feature = "admin")]
fn read_ipv6_neighbour(message: &[u8]) -> Option<Ipv6Neighbour> {
    // struct ndmsg: family, padding, interface (4 bytes), state (u16), flags.
    let (head, rest) = message.split_at_checked(12)?;
    let state = u16::from_ne_bytes([head[8], head[9]]);
    let spoken = libc::NUD_REACHABLE | libc::NUD_STALE | libc::NUD_DELAY | libc::NUD_PROBE;
    if state & spoken == 0 {
        return None;
    }
    let (mut ip, mut mac) = (None, None);
    for (kind, data) in attributes(rest) {
        match kind {
            libc::NDA_DST => ip = address(data),
            libc::NDA_LLADDR => mac = data.try_into().ok(),
            _ => {}
        }
    }
    match ip? {
        IpAddr::V4(_) => None,
        IpAddr::V6(address) => Some(Ipv6Neighbour {
            address,
            interface: i32::from_ne_bytes([head[4], head[5], head[6], head[7]]),
            mac: mac?,
            is_router: head[10] & libc::NTF_ROUTER != 0,
        }),
    }
}
