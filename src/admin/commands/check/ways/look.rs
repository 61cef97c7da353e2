//! Looks which way each station is reached now.

use core::net::IpAddr;
use std::time::Instant;

use super::{Held, Over, StageAddress, Way, WaysFacts};
use crate::admin::unlock::Recognition;
use crate::environment::{
    Cards, KeyServers, LIVE_NETWORK_WAIT, Patience, address_of, neighbour_label, observe_place,
    server_address,
};
use crate::sys::interface::{self, InterfaceName};
use crate::sys::route;
use crate::vault::{EnvironmentSlot, Label, OwnAddress};

/// The ways to what is as it was enrolled in the place that opens this server; `None`
/// where none does.
pub fn look(slot: &EnvironmentSlot, found: &Recognition) -> Option<WaysFacts> {
    let comparison = found.comparison.as_ref()?;
    let is_same = |label: &Label| {
        let mut others = comparison.changed.iter().chain(&comparison.silent);
        !others.any(|other| other == label)
    };
    let factors = slot.factors.iter().filter(|factor| is_same(&factor.label));
    let ways = factors.filter_map(|factor| {
        let (over, address) = match server_address(&factor.label) {
            Some(server) => to_server(server.ip(), &slot.addresses)?,
            None => {
                address_of(&factor.label)?;
                let heard_on = found.observed.interfaces(&factor.label);
                (over_any_of(heard_on, made_for), StageAddress::NotNeeded)
            }
        };
        Some(Way {
            label: factor.label.to_string(),
            group: factor.group,
            over,
            address,
        })
    });
    Some(WaysFacts {
        ways: ways.collect(),
        same: comparison.same,
        need: found.need,
        cards: interface::wired().len(),
    })
}

/// What must be there for a station that was heard on these interfaces. `made_for`
/// gives the names, one of which a boot must make for an interface; none for a card.
fn over_any_of(heard_on: &[InterfaceName], made_for: fn(&str) -> Vec<String>) -> Over {
    let made = heard_on.iter().map(|name| made_for(name));
    let made: Vec<Vec<String>> = made.collect();
    match made.iter().any(Vec::is_empty) || made.is_empty() {
        true => Over::Cards(Vec::new()),
        false => Over::Interfaces(made.concat()),
    }
}

/// The interfaces, one of which a boot must make to reach what is on this one: a VLAN,
/// or a VLAN in a bridge or bond; a bond that the switch joins by LACP.
fn made_for(name: &str) -> Vec<String> {
    if interface::is_lacp_bond(name) {
        return vec![name.into()];
    }
    let mut vlans = interface::vlans();
    vlans.retain(|vlan| vlan == name || interface::master(vlan).is_some_and(|of| of == name));
    // A bridge of cards is reached over these without its VLANs.
    if cards_of(name).is_empty() {
        vlans.iter().map(|vlan| vlan.to_string()).collect()
    } else {
        Vec::new()
    }
}

/// The wired cards that are this interface or part of it.
fn cards_of(name: &str) -> Vec<String> {
    let mut cards = interface::wired();
    cards.retain(|card| card == name || interface::master(card).is_some_and(|of| of == name));
    cards.iter().map(|card| card.to_string()).collect()
}

/// How a key server is reached, and from which address at a boot; `None` where nothing
/// leads there any more.
fn to_server(server: IpAddr, own: &[OwnAddress]) -> Option<(Over, StageAddress)> {
    let way = route::route_to(server).ok()?;
    let name = interface::name_of(way.index)?;
    let cards = cards_of(&name);
    if cards.is_empty() {
        let over = Over::Interfaces(vec![name.to_string()]);
        return Some((over, StageAddress::None));
    }
    let over = match interface::is_lacp_bond(&name) {
        true => Over::Interfaces(vec![name.to_string()]),
        false => Over::Cards(cards),
    };
    let mut own = own.iter().filter(|own| own.set_at_boot);
    let leads_there = |own: &&OwnAddress| {
        interface::of_card(own.card).as_ref() == Some(&name)
            && match way.through {
                Some(_) => own.router.is_some() && own.address.is_ipv4() == server.is_ipv4(),
                None => are_neighbours(own.address, server, own.prefix),
            }
    };
    let address = own.find(leads_there).map_or(StageAddress::None, |own| {
        StageAddress::Enrolled(own.address, held(own, way.index))
    });
    Some((over, address))
}

/// Whether both addresses are in one network with a prefix of so many bits.
fn are_neighbours(own: IpAddr, other: IpAddr, prefix: u8) -> bool {
    let prefix = u32::from(prefix);
    match (own, other) {
        (IpAddr::V4(own), IpAddr::V4(other)) => {
            let differing = u32::from(own) ^ u32::from(other);
            differing.leading_zeros() >= prefix
        }
        (IpAddr::V6(own), IpAddr::V6(other)) => {
            let differing = u128::from(own) ^ u128::from(other);
            differing.leading_zeros() >= prefix
        }
        _ => false,
    }
}

/// Who has this address of ours; the interface has this index.
fn held(own: &OwnAddress, index: i32) -> Held {
    let addresses = route::addresses(index).unwrap_or_default();
    let on_card = addresses.iter().find(|found| found.address == own.address);
    match on_card {
        Some(found) if found.is_temporary => Held::Lent,
        Some(_) => Held::Fixed,
        None if is_answered(own.address) => Held::Another,
        None => Held::Nobody,
    }
}

/// Whether a station on the wire answers at this address.
fn is_answered(address: IpAddr) -> bool {
    let label = neighbour_label(address);
    let nobody = KeyServers::of(&[], Instant::now());
    let patience = Patience::until_all_answer(LIVE_NETWORK_WAIT);
    let cards = Cards::LeftDown;
    let observed = observe_place([&label].into_iter(), nobody, cards, patience, |_| false);
    observed.value(&label).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbour_needs_the_vlan_or_bond_that_it_was_heard_on() {
        let made_for = |name: &str| match name {
            "eth0" | "br0" => Vec::new(),
            _ => vec![name.to_owned()],
        };
        for (heard_on, expected) in [
            (&["eth0.7"][..], &["eth0.7"][..]),
            (&["eth0.5", "eth0.7"], &["eth0.5", "eth0.7"]),
            (&["bond0"], &["bond0"]),
            (&["bond0", "eth0"], &[]),
            (&["eth0"], &[]),
            (&[], &[]),
        ] {
            let names = heard_on.iter().map(|name| (*name).try_into().unwrap());
            let names: Vec<InterfaceName> = names.collect();
            let expected = match expected {
                [] => Over::Cards(Vec::new()),
                names => Over::Interfaces(names.iter().map(|name| name.to_string()).collect()),
            };
            assert_eq!(over_any_of(&names, made_for), expected, "{heard_on:?}");
        }
    }

    #[test]
    fn stations_are_neighbours_by_their_prefix() {
        for (own, other, prefix, expected) in [
            ("192.168.77.10", "192.168.77.9", 24, true),
            ("192.168.77.10", "10.9.9.9", 24, false),
            ("192.168.77.10", "10.9.9.9", 0, true),
            ("10.0.0.1", "10.0.0.1", 32, true),
            ("fd12::10", "fd12::9", 64, true),
            ("fd12::10", "fd13::9", 64, false),
            ("fd12::10", "10.0.0.1", 0, false),
        ] {
            let parse = |text: &str| text.parse().unwrap();
            let found = are_neighbours(parse(own), parse(other), prefix);
            assert_eq!(found, expected, "{own} {other}/{prefix}");
        }
    }
}
