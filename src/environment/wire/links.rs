//! The network interfaces that packets are sent on. They are left as they were
//! found.

use core::cell::{Cell, OnceCell};

use heapless::Vec;

use crate::sys::interface::{self, InterfaceName, Mac};
use crate::sys::packet::PacketSocket;
use crate::sys::route;

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
    /// Whether it was down before: then it is put down again.
    was_down: bool,
    /// Whether it had a carrier when it was put up, and ever since.
    had_carrier: Cell<bool>,
}

/// All interfaces in use. Dropping it puts down those that were down before.
pub(super) struct Links {
    links: Vec<Link, MAX_LINKS>,
    /// Whether interfaces that are down are put up meanwhile.
    wakes: bool,
}

impl Links {
    /// Holds none yet. With `wakes`, interfaces that are down are put up for as
    /// long as this lives.
    pub fn new(wakes: bool) -> Self {
        Self {
            links: Vec::new(),
            wakes,
        }
    }

    /// Exactly these, for tests.
    #[cfg(test)]
    pub fn of<const N: usize>(links: [Link; N]) -> Self {
        Self {
            links: links.into_iter().collect(),
            wakes: true,
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
            if let Some(mut link) = Link::open(index, name, self.wakes) {
                link.is_vlan = is_vlan;
                let _ = self.links.push(link);
            }
        }
        self.links.len() > before
    }
}

impl Link {
    /// Opens the sockets of an interface, and puts it up where `wakes` allows
    /// it; `None` where that fails, or where it is down and stays so.
    pub(super) fn open(index: i32, name: InterfaceName, wakes: bool) -> Option<Self> {
        let mac = interface::mac(&name)?;
        let was_down = !interface::is_up(&name).ok()?;
        if was_down && !wakes {
            return None;
        }
        let arp = PacketSocket::arp(index).ok()?;
        if was_down {
            interface::set_up(&name, true).ok()?;
        }
        Some(Self {
            index,
            is_usb: interface::is_on_usb(&name),
            is_vlan: false,
            mac,
            arp,
            advertisements: OnceCell::new(),
            was_down,
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
        self.was_down
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

    /// Whether somebody else has given it an address: dropbear's network in the
    /// initramfs, or the administrator.
    fn is_in_use_by_others(&self) -> bool {
        let addresses = route::addresses(self.index).unwrap_or_default();
        let mut addresses = addresses.iter();
        addresses.any(|found| found.address.is_ipv4() || !found.is_temporary)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if self.was_down
            && let Some(name) = interface::name_of(self.index)
            && !self.is_in_use_by_others()
        {
            // Fails where it was unplugged meanwhile.
            let _ = interface::set_up(&name, false);
        }
    }
}
