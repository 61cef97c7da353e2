//! The network interfaces that packets are sent on. They are left as they were
//! found.

use core::cell::{Cell, OnceCell};
use std::path::Path;

use heapless::Vec;

use crate::sys::at_end::{Changed, put_back_at_end};
use crate::sys::interface::{self, InterfaceName, Mac};
use crate::sys::packet::PacketSocket;
use crate::sys::route::{self, InterfaceAddress};

pub(super) const MAX_LINKS: usize = 16;

/// One interface, known by its index: a card that is plugged in again gets a
/// new index, and udev may change its name.
pub(super) struct Link {
    /// The kernel's index of the interface; it stays when the name changes.
    pub index: i32,
    /// The name that it has now.
    pub name: InterfaceName,
    /// The hardware address that it sends from.
    pub mac: Mac,
    /// Whether it is a card on USB.
    pub is_usb: bool,
    /// Whether it is a VLAN, or a bridge or bond of VLANs alone.
    pub is_vlan: bool,
    /// Sends and receives ARP packets.
    pub arp: PacketSocket,
    /// Receives neighbour advertisements; opened with the first solicitation.
    advertisements: OnceCell<Option<PacketSocket>>,
    /// Where it was down before: it is put down again, whatever ends the process.
    woken: Option<Changed>,
    /// Whether it had a carrier when it was put up, and ever since.
    had_carrier: Cell<bool>,
}

/// What is done with network cards that are down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cards {
    /// Whoever put them down wanted that; what stands behind them is not asked.
    LeftDown,
    /// They are put up meanwhile, as a boot does it.
    PutUp,
}

/// All interfaces in use. Dropping it puts down those that were down before.
pub(super) struct Links {
    links: Vec<Link, MAX_LINKS>,
    cards: Cards,
}

impl Links {
    /// Holds none yet.
    pub fn new(cards: Cards) -> Self {
        Self {
            links: Vec::new(),
            cards,
        }
    }

    /// Exactly these, for tests.
    #[cfg(test)]
    pub fn of<const N: usize>(links: [Link; N]) -> Self {
        Self {
            links: links.into_iter().collect(),
            cards: Cards::PutUp,
        }
    }

    /// The interfaces found so far.
    pub fn iter(&self) -> impl Iterator<Item = &Link> {
        self.links.iter()
    }

    /// Adds interfaces that have appeared and drops those that have gone.
    /// Returns whether one has appeared.
    pub fn find(&mut self) -> bool {
        self.links.retain_mut(|link| {
            let name = interface::name_of(link.index);
            name.map(|name| link.follow(name)).is_some()
        });
        let before = self.links.len();
        let cards = interface::wired().into_iter().map(|name| (name, false));
        let vlans = interface::vlans().into_iter().map(|name| (name, true));
        for (name, is_vlan) in cards.chain(vlans) {
            // In the running system its bridge or bond receives the packets.
            let name = interface::master(&name).unwrap_or(name);
            let Some(index) = interface::index(&name) else {
                continue;
            };
            let is_known = self.links.iter().any(|link| link.index == index);
            if is_known || self.links.is_full() || !interface::has_its_name(index) {
                continue;
            }
            if let Some(mut link) = Link::open(index, name, self.cards) {
                link.is_vlan = is_vlan;
                let _ = self.links.push(link);
            }
        }
        self.links.len() > before
    }
}

impl Link {
    /// Opens the sockets of an interface, and puts it up where it is down; `None`
    /// where that fails, or where it is left down.
    pub(super) fn open(index: i32, name: InterfaceName, cards: Cards) -> Option<Self> {
        let mac = interface::mac(&name)?;
        let was_down = !interface::is_up(&name).ok()?;
        if was_down && cards == Cards::LeftDown {
            return None;
        }
        let arp = PacketSocket::arp(index).ok()?;
        let woken = match was_down {
            true => Some(wake(index, &name)?),
            false => None,
        };
        Some(Self {
            index,
            is_usb: interface::is_on_usb(&name),
            is_vlan: false,
            mac,
            arp,
            advertisements: OnceCell::new(),
            woken,
            had_carrier: Cell::new(was_down && interface::has_carrier(&name)),
            name,
        })
    }

    /// Whether packets that are sent on it reach its wire.
    ///
    /// An interface that has its carrier when it is put up sends at once
    /// (dev_activate, net/sched/sch_generic.c of the kernel), while its
    /// operational state may follow as late as a second (net/core/link_watch.c).
    /// One whose carrier comes later sends when that state has followed.
    pub fn can_send(&self) -> bool {
        let has_carrier = interface::has_carrier(&self.name);
        self.had_carrier.set(self.had_carrier.get() && has_carrier);
        has_carrier && (self.had_carrier.get() || interface::is_operational(&self.name))
    }

    /// Whether it was put up for this.
    pub fn was_down(&self) -> bool {
        self.woken.is_some()
    }

    /// The socket for neighbour advertisements, opened now if need be; `None`
    /// where that fails.
    pub fn discovery(&self) -> Option<&PacketSocket> {
        let open = || PacketSocket::advertisements(self.index).ok();
        self.advertisements.get_or_init(open).as_ref()
    }

    /// The open sockets, for polling.
    pub fn sockets(&self) -> impl Iterator<Item = &PacketSocket> {
        core::iter::once(&self.arp).chain(self.open_discovery())
    }

    /// The socket for neighbour advertisements, if it was opened.
    pub fn open_discovery(&self) -> Option<&PacketSocket> {
        self.advertisements.get()?.as_ref()
    }

    /// Notes the current name and hardware address: a bond takes the address of
    /// its first card.
    fn follow(&mut self, name: InterfaceName) {
        self.mac = interface::mac(&name).unwrap_or(self.mac);
        self.name = name;
    }
}

/// Puts an interface up, until what is returned is dropped; `None` where that fails.
fn wake(index: i32, name: &str) -> Option<Changed> {
    // An address stays on an interface that is put down.
    let before = route::addresses(index).unwrap_or_default();
    let woken = put_back_at_end(move || {
        if let Some(name) = interface::name_of(index)
            && !is_in_use_by_others(index, &before)
            && !interface::is_set_up_by_others(Path::new("/"), index)
        {
            // Fails where it was unplugged meanwhile.
            let _ = interface::set_up(&name, false);
        }
    });
    interface::set_up(name, true).ok()?;
    Some(woken)
}

/// Whether somebody else has given it an address since: dropbear's network in the
/// initramfs, or the administrator.
fn is_in_use_by_others(index: i32, before: &[InterfaceAddress]) -> bool {
    let had = |address| before.iter().any(|found| found.address == address);
    let addresses = route::addresses(index).unwrap_or_default();
    let mut addresses = addresses.iter();
    addresses.any(|found| {
        let is_lasting = found.address.is_ipv4() || !found.is_temporary;
        is_lasting && !had(found.address)
    })
}
