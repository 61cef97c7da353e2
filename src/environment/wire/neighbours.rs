//! The neighbours: which station answers at an address, asked by ARP or, for
//! IPv6, by neighbour discovery; neither needs an address of our own.

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
/// Packets read in one go from one socket, so that a flood cannot hold up the
/// prompt.
const AT_ONCE: usize = 4;
/// ... and from all of them.
const MAX_ANSWERS: usize = 2 * AT_ONCE * MAX_LINKS;

/// Asks for all targets on all wired interfaces until everybody has answered,
/// and has the server at its own addresses meanwhile. Dropping it leaves the
/// interfaces as they were.
pub struct Neighbours {
    targets: Vec<IpAddr, MAX_TARGETS>,
    /// Taken back before the interfaces go down: fields are dropped in order.
    own: OwnAddresses,
    links: Links,
    asked: u32,
    next: Instant,
}

impl Neighbours {
    /// For the labels among `labels` that name neighbours.
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

    /// Asks for these on the interfaces that are up; those that are down stay so.
    pub fn on_live_links<'a>(labels: impl Iterator<Item = &'a Label>, now: Instant) -> Self {
        Self {
            links: Links::new(false),
            ..Self::new(labels, now)
        }
    }

    /// The neighbours of these places, asked by a server that has the
    /// addresses which it is known by there.
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

    /// One of them, on these interfaces.
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

    /// Does what is due: one round of questions, on interfaces that have turned up
    /// since the last one too. Quick at first, once a second when it takes long: a
    /// cable or a switch may come to life at any time. Own addresses are looked
    /// after, at every call; true when one has come into use.
    pub fn ask(&mut self, now: Instant) -> bool {
        if now >= self.next {
            if self.links.find() {
                self.asked = 0;
            }
            for link in self.links.iter() {
                for target in &self.targets {
                    // ENETDOWN and a full queue pass; the next round asks again.
                    let _ = link.ask_for(*target);
                }
            }
            self.asked = self.asked.saturating_add(1);
            let pause = match self.asked {
                // Nobody is asked here, and of a card that comes the kernel tells.
                _ if self.targets.is_empty() && self.links.iter().next().is_some() => 1000,
                0..=4 => 25,
                5..=20 => 200,
                _ => 1000,
            };
            self.next = now + Duration::from_millis(pause);
        }
        self.own.look_after(&self.links, now)
    }

    /// Something has changed about the interfaces: asks at once.
    pub fn ask_soon(&mut self, now: Instant) {
        self.next = now;
    }

    /// What to poll for reading.
    pub fn sockets(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let neighbours = self.links.iter();
        let neighbours = neighbours.flat_map(Link::sockets).map(AsFd::as_fd);
        neighbours.chain(self.own.sockets())
    }

    /// The answers that have come in.
    pub fn answers(&self) -> Vec<(Label, Value), MAX_ANSWERS> {
        let mut answers = Vec::new();
        for link in self.links.iter() {
            let mut note = |ip: IpAddr, mac: Mac| {
                if self.targets.contains(&ip) && mac != link.mac {
                    let _ = answers.push((neighbour_label(ip), value_of(&mac)));
                }
            };
            take_in(&link.arp, |packet| {
                if let Some((ip, mac)) = arp::reply(packet) {
                    note(ip.into(), mac);
                }
            });
            if let Some(socket) = link.open_discovery() {
                take_in(socket, |packet| {
                    if let Some((ip, mac)) = nd::advertisement(packet) {
                        note(ip.into(), mac);
                    }
                });
            }
        }
        answers
    }
}

/// Hands over what has come, so much of it at a time.
fn take_in(socket: &PacketSocket, mut each: impl FnMut(&[u8])) {
    let mut buffer = [0; nd::ANSWER];
    for _ in 0..AT_ONCE {
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
