//! Finds out which station answers at an address: by ARP for IPv4, by neighbour
//! discovery for IPv6. Neither needs an address of our own.

use core::net::IpAddr;
use core::time::Duration;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use heapless::Vec;
use nix::errno::Errno;

use super::links::{Link, Links, MAX_LINKS};
use super::own_address::OwnAddresses;
use super::{arp, nd};
use crate::environment::factors::{address_of, neighbour_label, value_of};
use crate::sys::interface::Mac;
use crate::sys::packet::{BROADCAST, PacketSocket};
use crate::vault::{EnvironmentSlot, Label, MAX_FACTORS, MAX_PLACES, Value};

const MAX_TARGETS: usize = MAX_FACTORS * MAX_PLACES;
/// Packets read from one socket at a time: a flood must not hold up the prompt.
const PACKETS_AT_ONCE: usize = 4;
/// Answers read from all sockets at a time.
const MAX_ANSWERS: usize = 2 * PACKETS_AT_ONCE * MAX_LINKS;

/// Asks for all targets on all wired interfaces, again and again, and keeps the
/// server's own addresses set meanwhile. Dropping it leaves the interfaces as
/// they were found.
pub struct Neighbours {
    targets: Vec<IpAddr, MAX_TARGETS>,
    /// Before `links`: fields are dropped in order, and the addresses are
    /// removed before the interfaces go down.
    own: OwnAddresses,
    links: Links,
    asked: u32,
    next: Instant,
}

impl Neighbours {
    /// For the neighbours among `labels`. Interfaces that are down are put up.
    pub fn new<'a>(labels: impl Iterator<Item = &'a Label>, now: Instant) -> Self {
        let mut targets = Vec::new();
        for ip in labels.filter_map(address_of) {
            if !targets.contains(&ip) {
                // More than fit cannot have been enrolled.
                let _ = targets.push(ip);
            }
        }
        Self {
            targets,
            own: OwnAddresses::default(),
            links: Links::new(true),
            asked: 0,
            next: now,
        }
    }

    /// For the neighbours among `labels`, on the interfaces that are up; those
    /// that are down stay down.
    pub fn on_live_links<'a>(labels: impl Iterator<Item = &'a Label>, now: Instant) -> Self {
        Self {
            links: Links::new(false),
            ..Self::new(labels, now)
        }
    }

    /// For the neighbours of these places, with the server's own addresses
    /// there. Interfaces that are down are put up.
    pub fn of_places<'a>(
        places: impl Iterator<Item = &'a EnvironmentSlot> + Clone,
        now: Instant,
    ) -> Self {
        let factors = places.clone().flat_map(|place| &place.factors);
        let own = places.flat_map(|place| &place.addresses);
        Self {
            own: OwnAddresses::new(own, now),
            ..Self::new(factors.map(|factor| &factor.label), now)
        }
    }

    /// For one neighbour, on these interfaces.
    #[cfg(test)]
    pub(super) fn with_links(label: &Label, links: Links) -> Self {
        Self {
            links,
            ..Self::new([label].into_iter(), Instant::now())
        }
    }

    /// When [`Neighbours::ask`] is due; `None` where there is nothing to do.
    pub fn next(&self) -> Option<Instant> {
        let neighbours = (!self.targets.is_empty() || !self.own.is_empty()).then_some(self.next);
        neighbours.into_iter().chain(self.own.next()).min()
    }

    /// Does what is due: one round of questions, on new interfaces too. The
    /// first rounds follow quickly, later ones once a second, because a cable
    /// or a switch may come to life at any time. Also maintains the own
    /// addresses; returns whether one has come into use.
    pub fn ask(&mut self, now: Instant) -> bool {
        if now >= self.next {
            if self.links.find() {
                self.asked = 0;
            }
            for link in self.links.iter() {
                for target in &self.targets {
                    // ENETDOWN or a full queue: the next round asks again.
                    let _ = link.ask_for(*target);
                }
            }
            self.asked = self.asked.saturating_add(1);
            let pause = match self.asked {
                // Nobody is asked, and the kernel announces new cards.
                _ if self.targets.is_empty() && self.links.iter().next().is_some() => 1000,
                0..=4 => 25,
                5..=20 => 200,
                _ => 1000,
            };
            self.next = now + Duration::from_millis(pause);
        }
        self.own.maintain(&self.links, now)
    }

    /// Makes [`Neighbours::ask`] due now, because the interfaces have changed.
    pub fn ask_soon(&mut self, now: Instant) {
        self.next = now;
    }

    /// The sockets to poll for reading.
    pub fn sockets(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let neighbours = self.links.iter();
        let neighbours = neighbours.flat_map(Link::sockets).map(AsFd::as_fd);
        neighbours.chain(self.own.sockets())
    }

    /// Reads the answers that have come in, some of them at a time.
    pub fn answers(&self) -> Vec<(Label, Value), MAX_ANSWERS> {
        let mut answers = Vec::new();
        for link in self.links.iter() {
            let mut note = |ip: IpAddr, mac: Mac| {
                if self.targets.contains(&ip) && mac != link.mac {
                    let _ = answers.push((neighbour_label(ip), value_of(&mac)));
                }
            };
            receive(&link.arp, |packet| {
                if let Some((ip, mac)) = arp::reply(packet) {
                    note(ip.into(), mac);
                }
            });
            if let Some(socket) = link.open_discovery() {
                receive(socket, |packet| {
                    if let Some((ip, mac)) = nd::advertisement(packet) {
                        note(ip.into(), mac);
                    }
                });
            }
        }
        answers
    }
}

/// Passes received packets to `each`, [`PACKETS_AT_ONCE`] at most.
fn receive(socket: &PacketSocket, mut each: impl FnMut(&[u8])) {
    let mut buffer = [0; nd::ADVERTISEMENT_BYTES];
    for _ in 0..PACKETS_AT_ONCE {
        let Some(packet) = socket.receive(&mut buffer) else {
            return;
        };
        each(packet);
    }
}

impl Link {
    fn ask_for(&self, target: IpAddr) -> Result<(), Errno> {
        match target {
            IpAddr::V4(target) => self.arp.send(BROADCAST, &arp::probe(self.mac, target)),
            IpAddr::V6(target) => {
                let (group, packet) = nd::solicitation(self.mac, target);
                let socket = self.discovery().ok_or(Errno::ENODEV)?;
                socket.send(group, &packet)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_other_factors_are_not_asked_on_the_network() {
        let labels: [Label; 5] = [
            "smbios-uuid",
            "arp 10.0.0.1",
            "arp not-an-address",
            "nd fe80::1",
            "nd 10.0.0.2",
        ]
        .map(|text| text.try_into().unwrap());
        let neighbours = Neighbours::new(labels.iter(), Instant::now());
        let asked: [IpAddr; 2] = ["10.0.0.1", "fe80::1"].map(|ip| ip.parse().unwrap());
        assert_eq!(neighbours.targets[..], asked);
        assert_eq!(
            asked.map(neighbour_label),
            [labels[1].clone(), labels[3].clone()]
        );
    }
}
