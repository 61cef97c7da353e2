//! The network interfaces that neighbours are asked on, and which are left as
//! they were found.

use core::cell::OnceCell;

use heapless::Vec;

use crate::sys::interface::{self, Mac, Name};
use crate::sys::packet::PacketSocket;
use crate::sys::route;

pub(super) const MAX_LINKS: usize = 16;

/// One interface, for as long as it is there under its number: a card that is
/// plugged in again has another one, and udev may give it another name.
pub(super) struct Link {
    /// The kernel's number of the interface, which stays when its name changes.
    pub index: i32,
    /// The name that it has now.
    pub name: Name,
    /// The hardware address that it sends from.
    pub mac: Mac,
    /// Sends ARP questions and receives ARP packets.
    pub arp: PacketSocket,
    /// Opened for the first question by neighbour discovery.
    advertisements: OnceCell<Option<PacketSocket>>,
    /// It was down when we came: down it goes again.
    was_down: bool,
}

/// All of them. Dropping it puts them back as they were.
pub(super) struct Links {
    links: Vec<Link, MAX_LINKS>,
    /// Whether interfaces that are down are put up for as long as it lives.
    wakes: bool,
}

impl Links {
    /// None yet. With `wakes`, interfaces that are down are put up for as long as
    /// this lives.
    pub fn new(wakes: bool) -> Self {
        Self {
            links: Vec::new(),
            wakes,
        }
    }

    /// These and no others, for tests.
    #[cfg(test)]
    pub fn of<const N: usize>(links: [Link; N]) -> Self {
        Self {
            links: links.into_iter().collect(),
            wakes: true,
        }
    }

    /// The interfaces that are asked on.
    pub fn iter(&self) -> impl Iterator<Item = &Link> {
        self.links.iter()
    }

    /// Takes in interfaces that have turned up, lets go of those that went.
    /// True when one has turned up.
    pub fn find(&mut self) -> bool {
        self.links.retain_mut(|link| {
            let name = interface::name_of(link.index);
            name.map(|name| link.follow(name)).is_some()
        });
        let before = self.links.len();
        for name in interface::wired().into_iter().chain(interface::vlans()) {
            // In the running system the bridge or bond takes the packets.
            let name = interface::master(&name).unwrap_or(name);
            let Some(index) = interface::index(&name) else {
                continue;
            };
            let is_known = self.links.iter().any(|link| link.index == index);
            if is_known || self.links.is_full() || !interface::has_its_name(index) {
                continue;
            }
            if let Some(link) = Link::open(index, name, self.wakes) {
                let _ = self.links.push(link);
            }
        }
        self.links.len() > before
    }
}

impl Link {
    pub(super) fn open(index: i32, name: Name, wakes: bool) -> Option<Self> {
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
            name,
            mac,
            arp,
            advertisements: OnceCell::new(),
            was_down,
        })
    }

    /// Hears neighbour advertisements; `None` where it could not be opened.
    pub fn discovery(&self) -> Option<&PacketSocket> {
        let open = || PacketSocket::advertisements(self.index).ok();
        self.advertisements.get_or_init(open).as_ref()
    }

    /// The sockets that are open.
    pub fn sockets(&self) -> impl Iterator<Item = &PacketSocket> {
        core::iter::once(&self.arp).chain(self.open_discovery())
    }

    /// As [`Link::discovery`], where a question was asked.
    pub fn open_discovery(&self) -> Option<&PacketSocket> {
        self.advertisements.get()?.as_ref()
    }

    /// It has this name now. A bond takes its address over from its first card.
    fn follow(&mut self, name: Name) {
        self.mac = interface::mac(&name).unwrap_or(self.mac);
        self.name = name;
    }

    /// Somebody has given it an address that the kernel does not find by
    /// itself: dropbear's network in the initramfs, or the administrator.
    fn is_somebodys(&self) -> bool {
        let addresses = route::addresses(self.index).unwrap_or_default();
        let mut addresses = addresses.iter();
        addresses.any(|found| found.address.is_ipv4() || !found.is_temporary)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if self.was_down
            && let Some(name) = interface::name_of(self.index)
            && !self.is_somebodys()
        {
            // It may have been unplugged meanwhile.
            let _ = interface::set_up(&name, false);
        }
    }
}
