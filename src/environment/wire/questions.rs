//! How one station is asked on one round: from which address, and on which interface.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Instant;

use heapless::Vec;

use super::links::Link;
use super::manners::{Contact, OwnIpv4, Sender};
use super::own_address::OwnAddresses;
use super::{arp, nd};
use crate::sys::packet::BROADCAST;
use crate::sys::route;

/// Addresses of one interface that are asked from.
pub const MAX_SENDERS: usize = 16;

/// The IPv4 addresses to ask from: those that the kernel has given the interface,
/// and the server's own ones.
pub fn senders(link: &Link, own: &OwnAddresses) -> Vec<OwnIpv4, MAX_SENDERS> {
    let assigned = route::addresses(link.index).unwrap_or_default();
    let assigned = assigned.iter().filter_map(|found| match found.address {
        IpAddr::V4(address) => Some(OwnIpv4 {
            address,
            prefix: found.prefix,
            is_free: true,
        }),
        IpAddr::V6(_) => None,
    });
    let own = own.senders_on(link.index);
    assigned.chain(own).take(MAX_SENDERS).collect()
}

/// Asks for `target` as a station on its network. Where the server is none on any
/// interface it is asked by a probe, on one interface: several may lead to the same
/// network. Returns whether a question was sent.
pub fn ask_by_arp(
    links: &[(&Link, Vec<OwnIpv4, MAX_SENDERS>)],
    target: Ipv4Addr,
    contact: &mut Contact,
    now: Instant,
) -> bool {
    let mut is_sent = false;
    let mut is_on_its_network = false;
    for (link, own) in links {
        let sender = Sender::towards(target, own);
        is_on_its_network |= sender != Sender::Nobody;
        if let Sender::Station(own) = sender
            && contact.may_be_asked_as_station(now)
        {
            is_sent |= link.broadcast(&arp::request(link.mac, own, target));
        }
    }
    if is_on_its_network || links.is_empty() || !contact.may_be_probed(now) {
        return is_sent;
    }
    let (link, _) = links[contact.probes() % links.len()];
    contact.note_probe(now);
    link.broadcast(&arp::probe(link.mac, target))
}

impl Link {
    /// Returns whether it was sent. After an error, ENETDOWN or a full queue, the next
    /// round asks again.
    pub fn broadcast(&self, packet: &[u8; arp::PACKET]) -> bool {
        self.arp.send(BROADCAST, packet).is_ok()
    }

    /// As [`Link::broadcast`], by neighbour discovery.
    pub fn solicit(&self, target: Ipv6Addr) -> bool {
        let (group, packet) = nd::solicitation(self.mac, target);
        let socket = self.discovery();
        socket.is_some_and(|socket| socket.send(group, &packet).is_ok())
    }
}
