//! Own addresses that have changed since they were enrolled, because somebody has
//! given the network cards others.

use core::fmt::{self, Display, Formatter};

use super::{BEYOND, OwnAddresses};
use crate::sys::interface::{self, Mac};
use crate::sys::route::{self, InterfaceAddress, Route};
use crate::vault::{EnvironmentSlot, OwnAddress};

/// An enrolled own address, and what its card has instead now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressChange {
    /// As it was enrolled.
    pub before: OwnAddress,
    /// As its card has it now.
    pub now: OwnAddress,
}

impl Display for AddressChange {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { before, now } = self;
        write!(
            f,
            "enrolled as {}/{}, its card has {}/{} now",
            before.address, before.prefix, now.address, now.prefix
        )
    }
}

/// The own addresses of this place as the server has them now.
pub fn current_addresses(slot: &EnvironmentSlot) -> OwnAddresses {
    let servers = slot.servers.iter().map(|server| server.address.ip());
    let ways = servers.chain([BEYOND]).map(route::route_to);
    let ways: Vec<Route> = ways.filter_map(core::result::Result::ok).collect();
    as_they_are(&slot.addresses, on_the_card, &ways)
}

/// Pairs up the addresses that differ.
pub fn address_changes(before: &[OwnAddress], now: &[OwnAddress]) -> Vec<AddressChange> {
    let pairs = before.iter().zip(now);
    let pairs = pairs.filter(|(before, now)| before != now);
    let changes = pairs.map(|(before, now)| AddressChange {
        before: *before,
        now: *now,
    });
    changes.collect()
}

fn on_the_card(card: Mac) -> Vec<InterfaceAddress> {
    let index = interface::of_card(card).and_then(|name| interface::index(&name));
    let found = index.and_then(|index| route::addresses(index).ok());
    found.unwrap_or_default().to_vec()
}

/// The enrolled addresses, replaced by those that their cards have now. `ways`
/// are the routes out of here, which name the router. Pure.
fn as_they_are(
    enrolled: &[OwnAddress],
    on_the_card: impl Fn(Mac) -> Vec<InterfaceAddress>,
    ways: &[Route],
) -> OwnAddresses {
    let mut own: OwnAddresses = enrolled.iter().copied().collect();
    for (at, before) in enrolled.iter().enumerate() {
        let others = own.iter().enumerate().filter(|(other, _)| *other != at);
        let others: OwnAddresses = others.map(|(_, other)| *other).collect();
        if let Some(found) = in_place_of(before, &others, &on_the_card(before.card)) {
            let mut from_it = ways.iter().filter(|way| way.from == found.address);
            own[at] = OwnAddress {
                address: found.address,
                prefix: found.prefix,
                router: from_it.find_map(|way| way.through).or(before.router),
                ..*before
            };
        }
    }
    own
}

/// The address of the card that replaces the enrolled one; `None` where that has
/// not changed, or nothing fits. A leased address does not fit: it may be another
/// one at the next boot.
fn in_place_of(
    before: &OwnAddress,
    others: &[OwnAddress],
    found: &[InterfaceAddress],
) -> Option<InterfaceAddress> {
    let is_static = |found: &&InterfaceAddress| {
        let mut others = others.iter();
        !found.is_temporary
            && !found.is_duplicate
            && found.address.is_ipv4() == before.address.is_ipv4()
            && !others.any(|other| (other.card, other.address) == (before.card, found.address))
    };
    let has_its_address = |found: &&InterfaceAddress| found.address == before.address;
    let mut same = found.iter().filter(has_its_address);
    if same.any(|found| found.prefix == before.prefix) {
        return None;
    }
    let found = match found.iter().find(has_its_address) {
        Some(same) => Some(same).filter(is_static),
        // The kernel sends from the first one.
        None => found.iter().find(is_static),
    };
    found.copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::IpAddr;

    const CARD: Mac = [0x00, 0x0d, 0xb9, 0, 0, 1];
    const OTHER_CARD: Mac = [0x00, 0x0d, 0xb9, 0, 0, 2];

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn enrolled(card: Mac, address: &str, router: Option<&str>) -> OwnAddress {
        let (address, prefix) = address.split_once('/').unwrap();
        OwnAddress {
            card,
            address: ip(address),
            prefix: prefix.parse().unwrap(),
            router: router.map(ip),
            set_at_boot: true,
        }
    }

    fn on_card(address: &str) -> InterfaceAddress {
        let (address, prefix) = address.split_once('/').unwrap();
        InterfaceAddress {
            address: ip(address),
            prefix: prefix.parse().unwrap(),
            is_temporary: false,
            is_duplicate: false,
        }
    }

    fn way(from: &str, through: &str) -> Route {
        Route {
            index: 2,
            from: ip(from),
            through: Some(ip(through)),
        }
    }

    fn now(enrolled: &[OwnAddress], on_card: &[InterfaceAddress], ways: &[Route]) -> OwnAddresses {
        let of = |card| match card {
            CARD => on_card.to_vec(),
            _ => Vec::new(),
        };
        as_they_are(enrolled, of, ways)
    }

    #[test]
    fn renumbered_network_gives_new_address_and_new_router() {
        let before = [enrolled(CARD, "192.168.1.10/24", Some("192.168.1.1"))];
        let found = [on_card("10.20.0.10/16"), on_card("fd12::10/64")];
        let ways = [
            way("172.16.0.9", "172.16.0.1"),
            way("10.20.0.10", "10.20.0.1"),
        ];
        let after = now(&before, &found, &ways);
        assert_eq!(
            after[..],
            [enrolled(CARD, "10.20.0.10/16", Some("10.20.0.1"))]
        );
        let words: Vec<String> = address_changes(&before, &after)
            .iter()
            .map(AddressChange::to_string)
            .collect();
        assert_eq!(
            words,
            ["enrolled as 192.168.1.10/24, its card has 10.20.0.10/16 now"]
        );
    }

    #[test]
    fn enlarged_network_keeps_address_and_router() {
        let before = [enrolled(CARD, "192.168.1.10/24", Some("192.168.1.1"))];
        // A second address beside it is not taken for it.
        let found = [on_card("192.168.1.99/24"), on_card("192.168.1.10/23")];
        let after = now(&before, &found, &[]);
        assert_eq!(
            after[..],
            [enrolled(CARD, "192.168.1.10/23", Some("192.168.1.1"))]
        );
    }

    #[test]
    fn same_leased_or_missing_address_is_no_change() {
        let before = [enrolled(CARD, "192.168.1.10/24", Some("192.168.1.1"))];
        let still = on_card("192.168.1.10/24");
        let other = on_card("192.168.1.99/24");
        let lent = InterfaceAddress {
            is_temporary: true,
            ..other
        };
        let taken = InterfaceAddress {
            is_duplicate: true,
            ..other
        };
        let lent_with_another_prefix = InterfaceAddress {
            is_temporary: true,
            ..on_card("192.168.1.10/16")
        };
        let other_router = [way("192.168.1.10", "192.168.1.254")];
        for found in [
            &[other, still][..],
            &[on_card("192.168.1.10/16"), still],
            &[lent],
            &[taken],
            &[lent_with_another_prefix, other],
            &[on_card("fd12::10/64")],
            &[],
        ] {
            let after = now(&before, found, &other_router);
            assert_eq!(after[..], before, "{found:?}");
            assert!(address_changes(&before, &after).is_empty());
        }
    }

    #[test]
    fn changed_address_does_not_replace_the_other_one() {
        let before = [
            enrolled(CARD, "192.168.1.10/24", None),
            enrolled(CARD, "10.0.0.10/24", None),
            enrolled(OTHER_CARD, "172.16.0.10/24", None),
        ];
        let found = [on_card("10.0.0.10/24"), on_card("192.168.7.10/24")];
        let after = now(&before, &found, &[]);
        let expected = [
            enrolled(CARD, "192.168.7.10/24", None),
            before[1],
            before[2],
        ];
        assert_eq!(after[..], expected);
        // Both have moved: each is taken for one of them, none for both.
        let found = [on_card("10.7.0.10/24"), on_card("192.168.7.10/24")];
        let after = now(&before, &found, &[]);
        let addresses: Vec<IpAddr> = after.iter().map(|own| own.address).collect();
        let expected = ["10.7.0.10", "192.168.7.10", "172.16.0.10"].map(ip);
        assert_eq!(addresses, expected);
    }
}
