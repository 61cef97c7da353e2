//! How other stations are asked for their hardware addresses without harming
//! them. Pure.
//!
//! An ARP probe, with the sender 0.0.0.0, says: I want this address for myself.
//! DHCP clients such as dhcpcd believe it. One that is starting gives the address
//! up at the first probe, one that has it at the second within ten seconds (RFC
//! 5227, sections 2.1.1 and 2.4). So the server asks as the station that it is,
//! with an address of its own, and without one hardly ever.

use core::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// The shortest time between two probes for one address: longer than
/// DEFEND_INTERVAL of RFC 5227, section 1.1, which is 10 s.
pub const BETWEEN_PROBES: Duration = Duration::from_secs(11);

/// How long a station that has answered is left alone.
pub const ROUND: Duration = Duration::from_secs(11);

/// An IPv4 address that the server may send from on one interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnIpv4 {
    pub address: Ipv4Addr,
    /// Bits of the network's part, at most 32.
    pub prefix: u8,
    /// Whether it is known that no other station has it.
    pub is_free: bool,
}

impl OwnIpv4 {
    /// Whether `station` is on the same network.
    fn reaches(&self, station: Ipv4Addr) -> bool {
        let bits = |ip: Ipv4Addr| u32::from(ip).checked_shr(32 - u32::from(self.prefix));
        self.prefix <= 32 && bits(self.address) == bits(station)
    }
}

/// As whom a station is asked on one interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// As the station with this address.
    Station(Ipv4Addr),
    /// As nobody: by a probe.
    Nobody,
    /// Not yet: whether the own address is free shows in a moment.
    Later,
}

impl Sender {
    /// For a question to `station`, by the server's addresses on that interface.
    pub fn towards(station: Ipv4Addr, own: &[OwnIpv4]) -> Self {
        let mut reaching = own.iter().filter(|own| own.reaches(station));
        if let Some(own) = reaching.clone().find(|own| own.is_free) {
            return Self::Station(own.address);
        }
        match reaching.next() {
            Some(_) => Self::Later,
            None => Self::Nobody,
        }
    }
}

/// What has been asked of one station so far, and heard from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contact {
    answered: Option<Instant>,
    probed: Option<Instant>,
    probes: usize,
}

impl Contact {
    /// With a station that somebody may have probed last at that time.
    pub fn probed_at(probed: Option<Instant>) -> Self {
        Self {
            probed,
            ..Self::default()
        }
    }

    /// When it was last asked by a probe.
    pub fn probed(&self) -> Option<Instant> {
        self.probed
    }

    /// How many probes were sent.
    pub fn probes(&self) -> usize {
        self.probes
    }

    /// Whether another station may ask it at `now`.
    pub fn may_be_asked_as_station(&self, now: Instant) -> bool {
        is_past(self.answered, ROUND, now)
    }

    /// Whether it may be asked by a probe at `now`.
    pub fn may_be_probed(&self, now: Instant) -> bool {
        self.may_be_asked_as_station(now) && is_past(self.probed, BETWEEN_PROBES, now)
    }

    /// It was asked by a probe.
    pub fn note_probe(&mut self, now: Instant) {
        self.probed = Some(now);
        self.probes = self.probes.wrapping_add(1);
    }

    /// It was heard.
    pub fn note_answer(&mut self, now: Instant) {
        self.answered = Some(now);
    }

    /// Another station may be at its address: the network has changed.
    pub fn forget_answer(&mut self) {
        self.answered = None;
    }
}

/// Whether `pause` has passed since `then`, or it never was.
pub fn is_past(then: Option<Instant>, pause: Duration, now: Instant) -> bool {
    then.is_none_or(|then| now.saturating_duration_since(then) >= pause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 1);

    fn own(last: u8, is_free: bool) -> OwnIpv4 {
        OwnIpv4 {
            address: Ipv4Addr::new(192, 168, 77, last),
            prefix: 24,
            is_free,
        }
    }

    #[test]
    fn the_server_asks_as_the_station_that_it_is() {
        let elsewhere = OwnIpv4 {
            address: Ipv4Addr::new(10, 0, 0, 9),
            ..own(50, true)
        };
        let us = Sender::Station(own(50, true).address);
        assert_eq!(Sender::towards(ROUTER, &[elsewhere, own(50, true)]), us);
        assert_eq!(
            Sender::towards(ROUTER, &[own(51, false), own(50, true)]),
            us
        );
        assert_eq!(Sender::towards(ROUTER, &[own(50, false)]), Sender::Later);
        assert_eq!(Sender::towards(ROUTER, &[elsewhere]), Sender::Nobody);
        assert_eq!(Sender::towards(ROUTER, &[]), Sender::Nobody);
        let everywhere = OwnIpv4 {
            prefix: 0,
            ..elsewhere
        };
        let us = Sender::Station(elsewhere.address);
        assert_eq!(Sender::towards(ROUTER, &[everywhere]), us);
    }

    #[test]
    fn a_station_that_has_answered_is_left_alone_for_a_while() {
        let start = Instant::now();
        let mut contact = Contact::default();
        assert!(contact.may_be_asked_as_station(start));
        contact.note_answer(start);
        let soon = start + ROUND / 2;
        assert!(!contact.may_be_asked_as_station(soon) && !contact.may_be_probed(soon));
        assert!(contact.may_be_asked_as_station(start + ROUND));
        contact.note_answer(start + ROUND);
        contact.forget_answer();
        assert!(contact.may_be_asked_as_station(start + ROUND));
    }

    proptest! {
        /// Whatever is heard and whoever asks, and however often.
        #[test]
        fn no_two_probes_for_one_address_are_near(
            turns in proptest::collection::vec((0u64..3000, any::<bool>(), any::<bool>()), 0..200),
        ) {
            let mut now = Instant::now();
            let mut contact = Contact::default();
            let mut last: Option<Instant> = None;
            for (pause, answers, forgets) in turns {
                now += Duration::from_millis(pause);
                if contact.may_be_probed(now) {
                    prop_assert!(last.is_none_or(|last| now - last > Duration::from_secs(10)));
                    contact.note_probe(now);
                    last = Some(now);
                }
                if answers {
                    contact.note_answer(now);
                }
                if forgets {
                    contact.forget_answer();
                }
            }
        }
    }
}
