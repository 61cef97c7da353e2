//! The own addresses by which this server reaches other stations. The boot stage
//! asks the neighbours from them, and sets them where the owner wants it.

mod changes;

use core::net::{IpAddr, Ipv4Addr};

use heapless::Vec;
use nix::errno::Errno;

use crate::admin::problem::{Problem, Result};
use crate::environment::{ChosenFactor, address_of};
use crate::sys::interface::{self, Mac};
use crate::sys::route;
use crate::vault::{MAX_ADDRESSES, OwnAddress};

pub use changes::{AddressChange, address_changes, current_addresses};

/// Stands for everything beyond the router: an address reserved for
/// documentation (RFC 5737), which nobody has.
pub const BEYOND: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// The own addresses that are enrolled with a place.
pub type OwnAddresses = Vec<OwnAddress, MAX_ADDRESSES>;

/// Adds the address by which this server reaches `station`, with the router
/// that leads there.
///
/// # Errors
/// When no route leads there, or one that the boot stage cannot use.
fn add(own: &mut OwnAddresses, station: IpAddr) -> Result<()> {
    let found = own_address(station)?;
    match known(own, &found) {
        Some(known) => known.router = known.router.or(found.router),
        None => own.push(found).map_err(|_| {
            Problem::refused(
                format!("That needs more than {MAX_ADDRESSES} addresses of this server."),
                "Nothing was changed. Name stations on fewer networks.",
            )
        })?,
    }
    Ok(())
}

fn known<'a>(own: &'a mut OwnAddresses, found: &OwnAddress) -> Option<&'a mut OwnAddress> {
    let same = |known: &&mut OwnAddress| (known.card, known.address) == (found.card, found.address);
    own.iter_mut().find(same)
}

/// Adds the addresses from which the neighbours are asked at boot, where there is
/// room for more. A neighbour that is reached in another way, over a VLAN for one,
/// is asked by a probe.
pub fn add_senders(own: &mut OwnAddresses, chosen: &[ChosenFactor]) {
    let neighbours = chosen.iter().filter_map(|factor| address_of(&factor.label));
    for found in neighbours.filter_map(|station| own_address(station).ok()) {
        if known(own, &found).is_none() && found.address.is_ipv4() {
            let _ = own.push(OwnAddress {
                router: None,
                set_at_boot: false,
                ..found
            });
        }
    }
}

/// The own addresses by which this server reaches its neighbours, and what is
/// beyond the router where there is one.
///
/// # Errors
/// When no route leads to one of them, or one that the boot stage cannot use.
pub fn towards_neighbours(chosen: &[ChosenFactor]) -> Result<OwnAddresses> {
    let neighbours = chosen.iter().filter_map(|factor| address_of(&factor.label));
    let beyond = route::route_to(BEYOND).is_ok().then_some(BEYOND);
    let mut own = OwnAddresses::new();
    for station in neighbours.filter(IpAddr::is_ipv4).chain(beyond) {
        add(&mut own, station)?;
    }
    if own.is_empty() {
        return Err(Problem::refused(
            "No network leads anywhere from here: there is no address to take.",
            "Nothing was changed. Connect the server, or leave out --address.",
        ));
    }
    Ok(own)
}

/// Adds the own addresses by which this server reaches its key servers. Where the
/// boot stage cannot use the route, it says that the initramfs must.
pub fn add_towards_servers(own: &mut OwnAddresses, servers: impl Iterator<Item = IpAddr>) {
    for server in servers {
        if let Err(problem) = add(own, server) {
            println!(
                "{} While the server is locked it reaches this key server only if the initramfs \
                 sets up the network for it (ip= on the kernel's command line).",
                problem.what
            );
        }
    }
}

/// Prints the addresses that the locked server will have.
pub fn announce(own: &[OwnAddress]) {
    for own in own.iter().filter(|own| own.set_at_boot) {
        let OwnAddress {
            address, prefix, ..
        } = own;
        let router = own.router.map(|ip| format!(", through {ip}"));
        println!(
            "While it is locked it will have the address {address}/{prefix}{}, if nothing else \
             has given it one and nobody else has it.",
            router.unwrap_or_default()
        );
    }
}

fn own_address(station: IpAddr) -> Result<OwnAddress> {
    let no_way = |errno: Errno| {
        Problem::refused(
            format!("Nothing leads to {station}: {errno}."),
            "Nothing was changed. Check the network of this server.",
        )
    };
    let way = route::route_to(station).map_err(no_way)?;
    let addresses = route::addresses(way.index).map_err(no_way)?;
    let found = addresses.iter().find(|found| found.address == way.from);
    let name = interface::name_of(way.index);
    let card = name.as_deref().and_then(card_of);
    let (Some(found), Some(card)) = (found, card) else {
        let name = name.unwrap_or_default();
        return Err(Problem::refused(
            format!("The way to {station} leads over \"{name}\", which is no wired card."),
            "Nothing was changed. The boot stage has no VLANs, tunnels or wireless networks of \
             its own: let the initramfs set them up.",
        ));
    };
    Ok(OwnAddress {
        card,
        address: found.address,
        prefix: found.prefix,
        router: way.through,
        set_at_boot: true,
    })
}

/// The permanent hardware address of a card, or of the first card of a bridge or
/// bond.
fn card_of(name: &str) -> Option<Mac> {
    let cards = interface::wired().into_iter();
    let mut cards =
        cards.filter(|card| card == name || interface::master(card).as_deref() == Some(name));
    cards.find_map(|card| interface::permanent_mac(&card))
}
