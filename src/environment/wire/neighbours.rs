//! Finds out which station answers at an address: by ARP for IPv4, by neighbour
//! discovery for IPv6.

use core::net::IpAddr;
use core::time::Duration;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use heapless::Vec;

use super::heard_on::HeardOn;
use super::links::{Cards, Link, Links, MAX_LINKS};
use super::manners::{Contact, OwnIpv4};
use super::own_address::{CARRIER_POLL, OwnAddresses};
use super::questions::{MAX_SENDERS, ask_by_arp, senders};
use super::{arp, nd};
use crate::environment::factors::{Attachment, address_of, neighbour_label, value_of};
use crate::sys::interface::{self, InterfaceName, Mac};
use crate::sys::packet::PacketSocket;
use crate::vault::{EnvironmentSlot, Label, MAX_FACTORS, MAX_PLACES, Value};

const MAX_TARGETS: usize = MAX_FACTORS * MAX_PLACES;
/// Packets read from one socket at a time: a flood must not hold up the prompt.
const PACKETS_AT_ONCE: usize = 4;
/// Answers read from all sockets at a time.
const MAX_ANSWERS: usize = 2 * PACKETS_AT_ONCE * MAX_LINKS;
/// A station that is asked for.
struct Target {
    ip: IpAddr,
    contact: Contact,
    heard_on: HeardOn,
    /// The indices of the interfaces that it was heard on.
    interfaces: Vec<i32, MAX_LINKS>,
    /// Whether a question was sent to it.
    is_asked: bool,
}

/// Asks for all targets on all wired interfaces, again and again, and keeps the
/// server's own addresses set meanwhile. Dropping it leaves the interfaces as
/// they were found.
pub struct Neighbours {
    targets: Vec<Target, MAX_TARGETS>,
    /// Before `links`: fields are dropped in order, and the addresses are removed
    /// before the interfaces go down.
    own: OwnAddresses,
    links: Links,
    /// The interfaces that had a carrier in the last round, by index.
    live: Vec<i32, MAX_LINKS>,
    /// Rounds since something has changed about the interfaces.
    rounds: u32,
    next: Instant,
}

impl Neighbours {
    /// For the neighbours among `labels`.
    pub fn new<'a>(labels: impl Iterator<Item = &'a Label>, cards: Cards, now: Instant) -> Self {
        let mut targets: Vec<Target, MAX_TARGETS> = Vec::new();
        for ip in labels.filter_map(address_of) {
            if !targets.iter().any(|known| known.ip == ip) {
                // More than fit cannot have been enrolled.
                let _ = targets.push(Target {
                    ip,
                    contact: Contact::default(),
                    heard_on: HeardOn::None,
                    interfaces: Vec::new(),
                    is_asked: false,
                });
            }
        }
        Self {
            targets,
            own: OwnAddresses::default(),
            links: Links::new(cards),
            live: Vec::new(),
            rounds: 0,
            next: now,
        }
    }

    /// For the neighbours of these places, with the server's own addresses there.
    /// Interfaces that are down are put up.
    pub fn of_places<'a>(
        places: impl Iterator<Item = &'a EnvironmentSlot> + Clone,
        now: Instant,
    ) -> Self {
        let factors = places.clone().flat_map(|place| &place.factors);
        let own = places.flat_map(|place| &place.addresses);
        Self {
            own: OwnAddresses::new(own, now),
            ..Self::new(factors.map(|factor| &factor.label), Cards::PutUp, now)
        }
    }

    /// Asks for the neighbours of these places from now on. Interfaces that are
    /// up stay up: behind a switch with spanning tree, one that goes down hears
    /// nobody for up to 50 s. An own address that these places have too stays.
    pub fn turn_to<'a>(
        &mut self,
        places: impl Iterator<Item = &'a EnvironmentSlot> + Clone,
        now: Instant,
    ) {
        let mut others = Self::of_places(places, now);
        for target in &mut others.targets {
            let known = self.targets.iter().find(|known| known.ip == target.ip);
            target.contact = known.map(|known| known.contact).unwrap_or_default();
            target.contact.forget_answer();
        }
        self.targets = others.targets;
        if !self.own.are_those_of(&others.own) {
            self.own = others.own;
        }
        self.rounds = 0;
        self.next = now;
    }

    /// When a probe was sent last, for whoever asks these stations next.
    pub fn last_probe(&self) -> Option<Instant> {
        let targets = self.targets.iter();
        targets.filter_map(|target| target.contact.probed()).max()
    }

    /// Stations that were probed then are not probed again too soon.
    pub fn probed_before(mut self, last_probe: Option<Instant>) -> Self {
        for target in &mut self.targets {
            target.contact = Contact::probed_at(last_probe);
        }
        self
    }

    /// For one neighbour, on these interfaces.
    #[cfg(test)]
    pub(super) fn with_links(label: &Label, links: Links) -> Self {
        Self {
            links,
            ..Self::new([label].into_iter(), Cards::PutUp, Instant::now())
        }
    }

    /// When [`Neighbours::ask`] is due; `None` where there is nothing to do.
    pub fn next(&self) -> Option<Instant> {
        let neighbours = (!self.targets.is_empty() || !self.own.is_empty()).then_some(self.next);
        neighbours.into_iter().chain(self.own.next()).min()
    }

    /// The neighbours that have answered, and how each is attached to this machine.
    pub fn attachments(&self) -> impl Iterator<Item = (Label, Attachment)> {
        let targets = self.targets.iter();
        targets.filter_map(|target| {
            let attachment = target.heard_on.attachment()?;
            Some((neighbour_label(target.ip), attachment))
        })
    }

    /// The neighbours that have answered, with each interface that one was heard on.
    pub fn interfaces(&self) -> impl Iterator<Item = (Label, InterfaceName)> {
        self.targets.iter().flat_map(|target| {
            let names = target.interfaces.iter();
            let names = names.filter_map(|index| interface::name_of(*index));
            names.map(|name| (neighbour_label(target.ip), name))
        })
    }

    /// The neighbours to which no question was sent.
    pub fn not_asked(&self) -> impl Iterator<Item = Label> {
        let targets = self.targets.iter().filter(|target| !target.is_asked);
        targets.map(|target| neighbour_label(target.ip))
    }

    /// Whether an interface was put up for this.
    pub fn has_woken_links(&self) -> bool {
        self.links.iter().any(Link::was_down)
    }

    /// Does what is due: one round of questions, on new interfaces too. The first
    /// rounds follow quickly, later ones once a second, because a cable or a switch
    /// may come to life at any time. Also maintains the own addresses; returns
    /// whether one has come into use.
    pub fn ask(&mut self, now: Instant) -> bool {
        let is_due = now >= self.next;
        if is_due && self.links.find() {
            self.rounds = 0;
        }
        let is_new = self.own.maintain(&self.links, now);
        // Others waited for it.
        if is_due || is_new {
            self.note_carriers();
            self.ask_all(now);
            self.rounds = self.rounds.saturating_add(1);
            self.next = now + self.pause();
        }
        is_new
    }

    /// Until the next round.
    fn pause(&self) -> Duration {
        let milliseconds = match self.rounds {
            // Nobody is asked, and the kernel announces new cards.
            _ if self.targets.is_empty() && self.links.iter().next().is_some() => 1000,
            _ if self.live.is_empty() => return CARRIER_POLL,
            0..=4 => 25,
            5..=20 => 200,
            _ => 1000,
        };
        Duration::from_millis(milliseconds)
    }

    /// Whoever has answered may not be who stands at the other end of a cable that
    /// has come to life.
    fn note_carriers(&mut self) {
        let links = self.links.iter();
        let live = links.filter(|link| link.can_send());
        let live: Vec<i32, MAX_LINKS> = live.map(|link| link.index).collect();
        if live.iter().any(|index| !self.live.contains(index)) {
            self.rounds = 0;
            let targets = self.targets.iter_mut();
            targets.for_each(|target| target.contact.forget_answer());
        }
        self.live = live;
    }

    /// One round of questions, on the interfaces that have a carrier.
    fn ask_all(&mut self, now: Instant) {
        let mut targets = self.targets.iter();
        if !targets.any(|target| target.contact.may_be_asked_as_station(now)) {
            return;
        }
        let links = self.links.iter();
        let links = links.filter(|link| self.live.contains(&link.index));
        let links: Vec<(&Link, Vec<OwnIpv4, MAX_SENDERS>), MAX_LINKS> =
            links.map(|link| (link, senders(link, &self.own))).collect();
        for Target {
            ip,
            contact,
            is_asked,
            ..
        } in &mut self.targets
        {
            *is_asked |= match *ip {
                IpAddr::V4(ip) => ask_by_arp(&links, ip, contact, now),
                IpAddr::V6(ip) if contact.may_be_asked_as_station(now) => links
                    .iter()
                    .fold(false, |sent, (link, _)| link.solicit(ip) || sent),
                IpAddr::V6(_) => false,
            };
        }
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
    pub fn answers(&mut self) -> Vec<(Label, Value), MAX_ANSWERS> {
        let mut answers = Vec::new();
        let now = Instant::now();
        for link in self.links.iter() {
            let mut note = |ip: IpAddr, mac: Mac| {
                let mut targets = self.targets.iter_mut();
                if mac != link.mac
                    && let Some(target) = targets.find(|target| target.ip == ip)
                {
                    target.contact.note_answer(now);
                    target.heard_on.note(HeardOn::of(link));
                    if !target.interfaces.contains(&link.index) {
                        // There is room for all of them.
                        let _ = target.interfaces.push(link.index);
                    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_card_nobody_was_asked() {
        let label: Label = "arp 10.0.0.1".try_into().unwrap();
        let mut neighbours = Neighbours::with_links(&label, Links::of([]));
        neighbours.ask_all(Instant::now());
        assert!(neighbours.not_asked().eq([label]));
    }

    #[test]
    fn labels_of_other_factors_are_not_asked_on_the_network() {
        let labels: [Label; 5] = [
            "board",
            "arp 10.0.0.1",
            "arp not-an-address",
            "nd fe80::1",
            "nd 10.0.0.2",
        ]
        .map(|text| text.try_into().unwrap());
        let neighbours = Neighbours::new(labels.iter(), Cards::LeftDown, Instant::now());
        let asked: [IpAddr; 2] = ["10.0.0.1", "fe80::1"].map(|ip| ip.parse().unwrap());
        let targets = neighbours.targets.iter().map(|target| target.ip);
        assert!(targets.eq(asked));
        assert_eq!(
            asked.map(neighbour_label),
            [labels[1].clone(), labels[3].clone()]
        );
    }
}
