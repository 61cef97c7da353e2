//! The server at the address by which it is known at a place, while it looks
//! for that place: for stations that are reached by address. Whatever else has
//! given the card an address is left alone, and so is an address that another
//! station has. All is taken back in the end.

use core::net::IpAddr;
use core::time::Duration;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use heapless::Vec;
use nix::errno::Errno;

use super::arp;
use super::links::{Link, Links};
use crate::sys::interface::{self, Mac};
use crate::sys::packet::{BROADCAST, PacketSocket};
use crate::sys::route;
use crate::vault::{MAX_ADDRESSES, MAX_PLACES, OwnAddress};

/// Whether somebody has the address is asked so often (RFC 5227, section 2.1.1).
const QUESTIONS: u8 = 2;
/// ... and after each question waited for so long. The RFC asks three times and
/// takes four to seven seconds in all (PROBE_WAIT, PROBE_NUM, PROBE_MAX and
/// ANNOUNCE_WAIT in its section 1.1), for hosts that start together and keep an
/// address for long.
/// This one was given to the server, which borrows it for a moment while a
/// release waits for it; a station on a wire answers within about a millisecond,
/// and one that was slower is still heard afterwards and gets the address back.
const ANSWER: Duration = Duration::from_millis(15);
/// The cable is looked at so often while it is out.
const CABLE: Duration = Duration::from_millis(250);
/// An address that is used is looked after so often.
const LOOK: Duration = Duration::from_secs(1);
/// One that another station has is asked for again after so long.
const LATER: Duration = Duration::from_secs(30);
/// The kernel takes the address back by itself after so long, when a stage that
/// was killed cannot.
const LENT: Duration = Duration::from_secs(30);

const MAX_OWN: usize = MAX_ADDRESSES * MAX_PLACES;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// For the card, or for its cable.
    Waiting,
    /// How often it was asked for.
    Asking(u8),
    Used {
        announced_twice: bool,
    },
    /// Another station has it.
    Taken,
    /// The card has another one already.
    Configured,
}

/// What a look shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    /// The cable leads to something that is switched on.
    cable: bool,
    /// Something else has given the card an address.
    configured: bool,
    /// Another station says that it has ours.
    claimed: bool,
    /// The card has our address.
    there: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Nothing,
    Ask,
    /// Use it, or go on using it; and say so on the wire.
    Use {
        announce: bool,
    },
    GiveBack,
}

impl State {
    /// What follows from a look, what is to be done, and when the next look is
    /// due. `questions` are asked before the address is used.
    fn next(self, questions: u8, seen: Seen) -> (Self, Act, Duration) {
        let back = match self {
            Self::Used { .. } => Act::GiveBack,
            _ => Act::Nothing,
        };
        let use_it = |announced_twice, announce| {
            let state = Self::Used { announced_twice };
            (state, Act::Use { announce }, LOOK)
        };
        match self {
            _ if seen.configured => (Self::Configured, back, LOOK),
            _ if seen.claimed => (Self::Taken, back, LATER),
            _ if !seen.cable => (Self::Waiting, back, CABLE),
            Self::Used { announced_twice } => use_it(true, !announced_twice),
            Self::Asking(asked) if asked >= questions => use_it(false, true),
            Self::Asking(asked) => (Self::Asking(asked + 1), Act::Ask, ANSWER),
            _ if questions == 0 => use_it(false, true),
            _ => (Self::Asking(1), Act::Ask, ANSWER),
        }
    }
}

/// Where an address belongs, once its card is there.
struct Card {
    index: i32,
    socket: PacketSocket,
}

pub(super) struct Claim {
    own: OwnAddress,
    /// All that the stage may set, for other places too.
    all: Vec<IpAddr, MAX_OWN>,
    /// Its router comes after those of lower ranks: the home's is the first.
    rank: u8,
    card: Option<Card>,
    state: State,
    due: Instant,
    /// Somebody was told why it is not used.
    told: bool,
}

/// All enrolled addresses. Dropping it takes them back.
#[derive(Default)]
pub(super) struct OwnAddresses(Vec<Claim, MAX_OWN>);

impl OwnAddresses {
    /// For the enrolled addresses, 8 at most; the first one's router comes first.
    /// An address that stands twice for the same card counts once.
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

    /// Whether no address was enrolled.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// When [`OwnAddresses::look_after`] is due.
    pub fn next(&self) -> Option<Instant> {
        self.0.iter().map(|claim| claim.due).min()
    }

    /// What to poll for reading.
    pub fn sockets(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let cards = self.0.iter().filter_map(|claim| claim.card.as_ref());
        cards.map(|card| card.socket.as_fd())
    }

    /// Does what is due, and takes in what other stations claim. True when an
    /// address has come into use.
    pub fn look_after(&mut self, links: &Links, now: Instant) -> bool {
        let mut is_new = false;
        for claim in &mut self.0 {
            let card = claim.own.card;
            let was_used = claim.is_used();
            claim.look_after(|| link_of(links, card), now);
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
    /// Nothing is asked or set before [`Claim::look_after`].
    pub fn new(own: OwnAddress, all: &[IpAddr], rank: u8, now: Instant) -> Self {
        Self {
            own,
            all: all.iter().copied().take(MAX_OWN).collect(),
            rank,
            card: None,
            state: State::Waiting,
            due: now,
            told: false,
        }
    }

    /// See [`OwnAddresses::look_after`].
    pub fn look_after<'a>(&mut self, link: impl FnOnce() -> Option<&'a Link>, now: Instant) {
        let claimed = self.is_claimed();
        if now >= self.due || claimed {
            self.turn(link(), claimed, now);
        }
    }

    /// Whether another station has said that it has the address (RFC 5227,
    /// section 2.4). One that only asks whether it is free does not count: so
    /// do servers that look for this one as their neighbour.
    fn is_claimed(&self) -> bool {
        let (Some(card), IpAddr::V4(own)) = (&self.card, self.own.address) else {
            return false;
        };
        let mac = interface::name_of(card.index).and_then(|name| interface::mac(&name));
        let mut buffer = [0; arp::PACKET];
        // So many at a time: a flood must not hold up the prompt.
        let mut packets = (0..16).map_while(|_| {
            let packet = card.socket.receive(&mut buffer)?;
            Some(arp::sender(packet))
        });
        packets.any(|sender| sender.is_some_and(|(ip, from)| ip == own && Some(from) != mac))
    }

    fn turn(&mut self, link: Option<&Link>, claimed: bool, now: Instant) {
        let index = link.map(|link| link.index);
        if index != self.card.as_ref().map(|card| card.index) {
            self.give_back_if_used();
            self.card = index.and_then(|index| {
                let socket = PacketSocket::arp(index).ok()?;
                Some(Card { index, socket })
            });
        }
        let (Some(link), true) = (link, self.card.is_some()) else {
            self.state = State::Waiting;
            self.due = now + CABLE;
            return;
        };
        let seen = self.see(link, claimed);
        let (state, act, pause) = self.state.next(self.questions(), seen);
        if state != self.state {
            self.tell(state, &link.name);
        }
        // An answer has had the time that a question came too late.
        let late = match self.state {
            State::Asking(_) => now.saturating_duration_since(self.due).min(ANSWER / 2),
            _ => Duration::ZERO,
        };
        self.state = state;
        if act == Act::Ask && seen.there {
            // What a stage that was killed has left.
            self.give_back();
        }
        let done = self.act(act, link);
        // From when it was asked: a card is a while in coming up.
        self.due = Instant::now() + pause - late;
        if let Err(errno) = done {
            if !std::mem::replace(&mut self.told, true) {
                log::warn!("{} on {}: {errno}", self.own.address, link.name);
            }
            self.give_back_if_used();
            self.due = now + LOOK;
        }
    }

    /// For IPv6 the kernel asks (RFC 4862, section 5.4).
    fn questions(&self) -> u8 {
        match self.own.address {
            IpAddr::V4(_) => QUESTIONS,
            IpAddr::V6(_) => 0,
        }
    }

    fn see(&self, link: &Link, claimed: bool) -> Seen {
        let cable = interface::has_carrier(&link.name);
        let mut seen = Seen {
            cable,
            configured: false,
            claimed,
            there: false,
        };
        // Without a cable there is nothing to be decided.
        let found = cable.then(|| route::addresses(link.index).ok()).flatten();
        let Some(found) = found else { return seen };
        for found in &found {
            let is_ours = self.all.contains(&found.address) && found.is_temporary;
            seen.configured |= !is_ours && found.address.is_ipv4() == self.own.address.is_ipv4();
        }
        // An IPv6 address that ends by itself the kernel takes away at once when
        // it finds that another station has it (addrconf_dad_stop, net/ipv6).
        seen.there = found.iter().any(|one| one.address == self.own.address);
        let kernel_asks = self.questions() == 0 && self.is_used();
        seen.claimed |= kernel_asks && !seen.there;
        seen
    }

    fn is_used(&self) -> bool {
        matches!(self.state, State::Used { .. })
    }

    fn tell(&mut self, now: State, name: &str) {
        let address = self.own.address;
        match now {
            State::Used { .. } if !self.is_used() => {
                self.told = false;
                log::info!("this server is at {address} on {name} while it looks for its place");
            }
            State::Taken if !std::mem::replace(&mut self.told, true) => {
                log::warn!("{address} belongs to another station on {name}: it is not used");
            }
            State::Configured => {
                log::info!("{name} has an address already: {address} is not used");
            }
            _ => {}
        }
    }

    fn act(&mut self, act: Act, link: &Link) -> Result<(), Errno> {
        let OwnAddress {
            address, prefix, ..
        } = self.own;
        match act {
            Act::Nothing => {}
            Act::GiveBack => self.give_back(),
            Act::Ask => {
                if let IpAddr::V4(ip) = address {
                    link.arp.send(BROADCAST, &arp::probe(link.mac, ip))?;
                }
            }
            Act::Use { announce } => {
                route::lend_address(link.index, address, prefix, LENT)?;
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

    /// Errors mean that it has gone already.
    fn give_back(&self) {
        let Some(card) = &self.card else { return };
        if let Some(router) = self.own.router {
            let _ = route::remove_router(card.index, router, self.rank);
        }
        let _ = route::remove_address(card.index, self.own.address, self.own.prefix);
    }

    fn give_back_if_used(&mut self) {
        if self.is_used() {
            self.give_back();
        }
        self.state = State::Waiting;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.give_back_if_used();
    }
}

#[cfg(test)]
#[path = "own_address_tests.rs"]
mod tests;
