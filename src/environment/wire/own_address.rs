//! The addresses that the server has at its enrolled places. While the boot stage
//! looks for the place, it asks others from them; where its owner wants that, the
//! card gets them too, because some stations are reached only so. A card that has
//! an address already is left alone, and an address that another station has is
//! not used. Every address is removed in the end.

use core::net::IpAddr;
use core::time::Duration;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use heapless::Vec;
use nix::errno::Errno;

use super::arp;
use super::links::{Link, Links};
use super::manners::{BETWEEN_PROBES, OwnIpv4, is_past};
use crate::sys::interface::{self, Mac};
use crate::sys::packet::{BROADCAST, PacketSocket};
use crate::sys::route;
use crate::vault::{MAX_ADDRESSES, MAX_PLACES, OwnAddress};

/// Number of ARP probes sent before the address is used (RFC 5227, section 2.1.1;
/// its PROBE_NUM is 3): two would take it from a station that has it.
const PROBES: u8 = 1;
/// How long an answer is waited for. The RFC takes four to seven seconds (its
/// section 1.1), for hosts that start together and keep an address for long. This
/// address belongs to the server, which needs it for a moment while a release
/// waits. A station on the wire answers within about a millisecond; one that is
/// slower is heard later, and the address is removed.
const PROBE_WAIT: Duration = Duration::from_millis(30);
/// How often the carrier is polled while there is none.
pub(super) const CARRIER_POLL: Duration = Duration::from_millis(100);
/// How often an address in use is checked.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// How long until an address that another station has is probed again.
const TAKEN_RETRY: Duration = Duration::from_secs(30);
/// Valid lifetime of the address (RFC 4862, section 2): the kernel removes it
/// then, should the stage be killed. It is renewed at each check.
const LIFETIME: Duration = Duration::from_secs(30);

const MAX_OWN: usize = MAX_ADDRESSES * MAX_PLACES;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClaimState {
    /// The card or its carrier is missing.
    Waiting,
    /// This many probes were sent.
    Probing(u8),
    Used {
        announced_twice: bool,
    },
    /// Another station has it.
    Taken,
    /// The card has another one already.
    Configured,
}

/// What was found out about the card and the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct CardStatus {
    /// The card has a carrier.
    carrier: bool,
    /// The card has an address that is not from here.
    configured: bool,
    /// Another station uses our address.
    claimed: bool,
    /// The card has our address.
    assigned: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AddressAction {
    Nothing,
    Probe,
    /// Set it or renew its lifetime; with `announce`, announce it on the wire.
    Use {
        announce: bool,
    },
    Remove,
}

impl ClaimState {
    /// The next state, what is to be done, and how long until the next check.
    /// `probes` are sent before the address is used.
    fn next(self, probes: u8, card: CardStatus) -> (Self, AddressAction, Duration) {
        let back = match self {
            Self::Used { .. } => AddressAction::Remove,
            _ => AddressAction::Nothing,
        };
        let use_it = |announced_twice, announce| {
            let state = Self::Used { announced_twice };
            (state, AddressAction::Use { announce }, CHECK_INTERVAL)
        };
        match self {
            _ if card.configured => (Self::Configured, back, CHECK_INTERVAL),
            _ if card.claimed => (Self::Taken, back, TAKEN_RETRY),
            _ if !card.carrier => (Self::Waiting, back, CARRIER_POLL),
            Self::Used { announced_twice } => use_it(true, !announced_twice),
            Self::Probing(sent) if sent >= probes => use_it(false, true),
            Self::Probing(sent) => (Self::Probing(sent + 1), AddressAction::Probe, PROBE_WAIT),
            _ if probes == 0 => use_it(false, true),
            _ => (Self::Probing(1), AddressAction::Probe, PROBE_WAIT),
        }
    }
}

/// The card that an address belongs to, once it was found.
struct Card {
    index: i32,
    socket: PacketSocket,
}

/// One enrolled address, and how far its use has come. Dropping it removes the
/// address.
pub(super) struct Claim {
    own: OwnAddress,
    /// All addresses that the stage may set, those of other places too.
    all: Vec<IpAddr, MAX_OWN>,
    /// Order of its router: 0, the home's, is taken first.
    rank: u8,
    card: Option<Card>,
    state: ClaimState,
    /// When the last probe was sent.
    probed: Option<Instant>,
    due: Instant,
    /// Whether the log says why it is not used.
    told: bool,
}

/// All enrolled addresses. Dropping it removes them.
#[derive(Default)]
pub(super) struct OwnAddresses(Vec<Claim, MAX_OWN>);

impl OwnAddresses {
    /// For the enrolled addresses, 8 at most, in the order of their routers. An
    /// address that is given twice for one card counts once.
    pub fn new<'a>(own: impl Iterator<Item = &'a OwnAddress> + Clone, now: Instant) -> Self {
        let all: Vec<IpAddr, MAX_OWN> = own.clone().map(|own| own.address).take(MAX_OWN).collect();
        let mut claims: Vec<Claim, MAX_OWN> = Vec::new();
        for own in own {
            let same =
                |claim: &Claim| (claim.own.card, claim.own.address) == (own.card, own.address);
            if !claims.iter().any(same) {
                let rank = claims.len() as u8;
                let _ = claims.push(Claim::new(*own, &all, rank, now));
            }
        }
        Self(claims)
    }

    /// Whether both are the same addresses on the same cards.
    pub fn are_those_of(&self, others: &Self) -> bool {
        let own = |claims: &Self| -> Vec<OwnAddress, MAX_OWN> {
            claims.0.iter().map(|claim| claim.own).collect()
        };
        own(self) == own(others)
    }

    /// The IPv4 addresses to ask from on the interface with this index.
    pub fn senders_on(&self, index: i32) -> impl Iterator<Item = OwnIpv4> {
        self.0.iter().filter_map(move |claim| {
            let (Some(card), IpAddr::V4(address)) = (&claim.card, claim.own.address) else {
                return None;
            };
            let is_free = match claim.state {
                ClaimState::Used { .. } => true,
                ClaimState::Waiting | ClaimState::Probing(_) => false,
                ClaimState::Taken | ClaimState::Configured => return None,
            };
            (card.index == index).then_some(OwnIpv4 {
                address,
                prefix: claim.own.prefix,
                is_free,
            })
        })
    }

    /// Whether no address was enrolled.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// When [`OwnAddresses::maintain`] is due.
    pub fn next(&self) -> Option<Instant> {
        self.0.iter().map(|claim| claim.due).min()
    }

    /// The sockets to poll for reading.
    pub fn sockets(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let cards = self.0.iter().filter_map(|claim| claim.card.as_ref());
        cards.map(|card| card.socket.as_fd())
    }

    /// Reads what other stations claim, and does what is due. Returns whether an
    /// address has come into use.
    pub fn maintain(&mut self, links: &Links, now: Instant) -> bool {
        let mut is_new = false;
        for claim in &mut self.0 {
            let card = claim.own.card;
            let was_used = claim.is_used();
            claim.maintain(|| link_of(links, card), now);
            is_new |= claim.is_used() && !was_used;
        }
        is_new
    }
}

/// The interface of a card, or of the bond that it is part of.
fn link_of(links: &Links, card: Mac) -> Option<&Link> {
    let name = interface::of_card(card)?;
    links.iter().find(|link| link.name == name)
}

impl Claim {
    /// Nothing is probed or set before [`Claim::maintain`].
    pub fn new(own: OwnAddress, all: &[IpAddr], rank: u8, now: Instant) -> Self {
        Self {
            own,
            all: all.iter().copied().take(MAX_OWN).collect(),
            rank,
            card: None,
            state: ClaimState::Waiting,
            probed: None,
            due: now,
            told: false,
        }
    }

    /// Reads what other stations claim, and does what is due on `link`.
    pub fn maintain<'a>(&mut self, link: impl FnOnce() -> Option<&'a Link>, now: Instant) {
        let claimed = self.is_claimed();
        if now >= self.due || claimed {
            self.check(link(), claimed, now);
        }
    }

    /// Whether another station uses the address (RFC 5227, section 2.4). A probe
    /// for it does not count: other servers probe for this one as their neighbour.
    fn is_claimed(&self) -> bool {
        let (Some(card), IpAddr::V4(own)) = (&self.card, self.own.address) else {
            return false;
        };
        let mac = interface::name_of(card.index).and_then(|name| interface::mac(&name));
        let mut buffer = [0; arp::PACKET];
        // At most 16 packets: a flood must not hold up the prompt.
        let mut packets = (0..16).map_while(|_| {
            let packet = card.socket.receive(&mut buffer)?;
            Some(arp::sender(packet))
        });
        packets.any(|sender| sender.is_some_and(|(ip, from)| ip == own && Some(from) != mac))
    }

    fn check(&mut self, link: Option<&Link>, claimed: bool, now: Instant) {
        let index = link.map(|link| link.index);
        if index != self.card.as_ref().map(|card| card.index) {
            self.remove_if_used();
            self.card = index.and_then(|index| {
                let socket = PacketSocket::arp(index).ok()?;
                Some(Card { index, socket })
            });
        }
        let (Some(link), true) = (link, self.card.is_some()) else {
            self.state = ClaimState::Waiting;
            self.due = now + CARRIER_POLL;
            return;
        };
        let card = self.card_status(link, claimed);
        let (state, act, pause) = self.state.next(self.probes(), card);
        if state != self.state {
            self.log_change(state, &link.name);
        }
        // When this check is late, the answer had more time already.
        let late = match self.state {
            ClaimState::Probing(_) => now.saturating_duration_since(self.due).min(PROBE_WAIT / 2),
            _ => Duration::ZERO,
        };
        self.state = state;
        if act == AddressAction::Probe && card.assigned {
            // A stage that was killed has left it.
            self.remove();
        }
        let done = self.act(act, link);
        // Counted from when the probe was sent: a card takes a while to come up.
        self.due = Instant::now() + pause - late;
        if let Err(errno) = done {
            if !std::mem::replace(&mut self.told, true) {
                log::warn!("{} on {}: {errno}", self.own.address, link.name);
            }
            self.remove_if_used();
            self.due = now + CHECK_INTERVAL;
        }
    }

    /// Probes to be sent: none for IPv6, where the kernel itself looks for
    /// duplicates (RFC 4862, section 5.4).
    fn probes(&self) -> u8 {
        match self.own.address {
            IpAddr::V4(_) => PROBES,
            IpAddr::V6(_) => 0,
        }
    }

    fn card_status(&self, link: &Link, claimed: bool) -> CardStatus {
        let carrier = link.can_send();
        let mut card = CardStatus {
            carrier,
            configured: false,
            claimed,
            assigned: false,
        };
        // Without a carrier nothing is decided.
        let found = carrier.then(|| route::addresses(link.index).ok()).flatten();
        let Some(found) = found else { return card };
        for found in &found {
            let is_ours = self.all.contains(&found.address) && found.is_temporary;
            card.configured |= !is_ours && found.address.is_ipv4() == self.own.address.is_ipv4();
        }
        // The kernel removes a temporary IPv6 address as soon as it finds that
        // another station has it (addrconf_dad_stop, net/ipv6/addrconf.c).
        card.assigned = found.iter().any(|one| one.address == self.own.address);
        let kernel_probes = self.probes() == 0 && self.is_used();
        card.claimed |= kernel_probes && !card.assigned;
        card
    }

    fn is_used(&self) -> bool {
        matches!(self.state, ClaimState::Used { .. })
    }

    fn log_change(&mut self, now: ClaimState, name: &str) {
        let address = self.own.address;
        match now {
            ClaimState::Used { .. } | ClaimState::Configured if !self.own.set_at_boot => {}
            ClaimState::Used { .. } if !self.is_used() => {
                self.told = false;
                log::info!("this server is at {address} on {name} while it looks for its place");
            }
            ClaimState::Taken if !std::mem::replace(&mut self.told, true) => {
                log::warn!("{address} belongs to another station on {name}: it is not used");
            }
            ClaimState::Configured => {
                log::info!("{name} has an address already: {address} is not used");
            }
            _ => {}
        }
    }

    fn act(&mut self, act: AddressAction, link: &Link) -> Result<(), Errno> {
        let OwnAddress {
            address, prefix, ..
        } = self.own;
        match act {
            AddressAction::Nothing => {}
            AddressAction::Remove => self.remove(),
            AddressAction::Probe => {
                let now = Instant::now();
                // A carrier that comes and goes is no reason for a second one.
                let is_due = is_past(self.probed, BETWEEN_PROBES, now);
                if let (IpAddr::V4(ip), true) = (address, is_due) {
                    link.arp.send(BROADCAST, &arp::probe(link.mac, ip))?;
                    self.probed = Some(now);
                }
            }
            AddressAction::Use { .. } if !self.own.set_at_boot => {}
            AddressAction::Use { announce } => {
                route::add_temporary_address(link.index, address, prefix, LIFETIME)?;
                if let Some(router) = self.own.router {
                    route::add_router(link.index, router, address, self.rank)?;
                }
                if let (true, IpAddr::V4(ip)) = (announce, address) {
                    link.arp.send(BROADCAST, &arp::announcement(link.mac, ip))?;
                }
            }
        }
        Ok(())
    }

    /// Ignores errors: they mean that the address or its card has gone.
    fn remove(&self) {
        let Some(card) = self.card.as_ref().filter(|_| self.own.set_at_boot) else {
            return;
        };
        if let Some(router) = self.own.router {
            let _ = route::remove_router(card.index, router, self.rank);
        }
        let _ = route::remove_address(card.index, self.own.address, self.own.prefix);
    }

    fn remove_if_used(&mut self) {
        if self.is_used() {
            self.remove();
        }
        self.state = ClaimState::Waiting;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.remove_if_used();
    }
}

#[cfg(test)]
mod tests;
