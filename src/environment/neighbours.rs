//! The neighbours: which station answers at an address, asked by ARP without
//! an address of our own. The interfaces are left as they were found.

use core::net::Ipv4Addr;
use core::time::Duration;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use heapless::Vec;

use super::arp;
use super::observed::value_of;
use crate::sys::interface::{self, Mac, Name};
use crate::sys::packet::ArpSocket;
use crate::vault::{Label, MAX_FACTORS, MAX_PLACES, Value};

const MAX_TARGETS: usize = MAX_FACTORS * MAX_PLACES;
const MAX_LINKS: usize = 16;
/// Packets read in one go, so that a flood cannot hold up the prompt.
const MAX_PACKETS: usize = 64;

const PREFIX: &str = "arp ";

/// The label of the neighbour at this address.
pub fn neighbour_label(ip: Ipv4Addr) -> Label {
    let mut label = Label::new();
    core::fmt::write(&mut label, format_args!("{PREFIX}{ip}"))
        .expect("a label has room for an address");
    label
}

/// The address in a neighbour's label; `None` for any other label.
pub fn address_of(label: &Label) -> Option<Ipv4Addr> {
    label.strip_prefix(PREFIX)?.parse().ok()
}

/// Whether a neighbour's value can bind the server to its place, beside those
/// already chosen.
///
/// # Errors
/// [`arp::Refused`]: why not.
pub fn suits_enrolment(value: &Value, others: &[Value]) -> Result<(), arp::Refused> {
    let mac = |value: &Value| Mac::try_from(value.as_slice()).ok();
    let others: std::vec::Vec<Mac> = others.iter().filter_map(mac).collect();
    mac(value).map_or(Ok(()), |mac| arp::binds(mac, &others))
}

/// One interface that is listened on.
struct Link {
    name: Name,
    mac: Mac,
    socket: ArpSocket,
    /// It was down when we came: down it goes again.
    was_down: bool,
}

/// Asks for all targets on all wired interfaces until everybody has answered.
/// Dropping it puts the interfaces back as they were.
pub struct Neighbours {
    targets: Vec<Ipv4Addr, MAX_TARGETS>,
    links: Vec<Link, MAX_LINKS>,
    asked: u32,
    next: Instant,
    /// Whether interfaces that are down are put up for as long as it lives.
    wakes: bool,
}

impl Neighbours {
    /// For the labels among `labels` that name neighbours.
    pub fn new<'a>(labels: impl Iterator<Item = &'a Label>, now: Instant) -> Self {
        let mut targets = Vec::new();
        for ip in labels.filter_map(address_of) {
            if !targets.contains(&ip) {
                // More than fit cannot have been enrolled.
                let _ = targets.push(ip);
            }
        }
        Self {
            targets,
            links: Vec::new(),
            asked: 0,
            next: now,
            wakes: true,
        }
    }

    /// The same, and interfaces that are down stay so.
    pub fn on_live_links<'a>(labels: impl Iterator<Item = &'a Label>, now: Instant) -> Self {
        let mut neighbours = Self::new(labels, now);
        neighbours.wakes = false;
        neighbours
    }

    /// When [`Neighbours::ask`] is due; `None` where nobody is asked for.
    pub fn next(&self) -> Option<Instant> {
        (!self.targets.is_empty()).then_some(self.next)
    }

    /// Sends one round of questions, on interfaces that have turned up since
    /// the last one too. Quick at first, once a second when it takes long: a
    /// cable or a switch may come to life at any time.
    pub fn ask(&mut self, now: Instant) {
        if self.targets.is_empty() {
            return;
        }
        self.find_links();
        for link in &self.links {
            for target in &self.targets {
                // ENETDOWN and a full queue pass; the next round asks again.
                let _ = link.socket.broadcast(&arp::probe(link.mac, *target));
            }
        }
        self.asked = self.asked.saturating_add(1);
        let pause = match self.asked {
            0..=4 => 25,
            5..=20 => 200,
            _ => 1000,
        };
        self.next = now + Duration::from_millis(pause);
    }

    /// What to poll for reading.
    pub fn sockets(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.links.iter().map(|link| link.socket.as_fd())
    }

    /// The answers that have come in.
    pub fn answers(&self) -> Vec<(Label, Value), MAX_PACKETS> {
        let mut answers = Vec::new();
        let mut buffer = [0; 64];
        for link in &self.links {
            for _ in 0..MAX_PACKETS / MAX_LINKS {
                let Some(packet) = link.socket.receive(&mut buffer) else {
                    break;
                };
                let Some((ip, mac)) = arp::reply(packet) else {
                    continue;
                };
                if self.targets.contains(&ip) && mac != link.mac {
                    let _ = answers.push((neighbour_label(ip), value_of(&mac)));
                }
            }
        }
        answers
    }

    fn find_links(&mut self) {
        for name in interface::wired() {
            // In the running system the bridge or bond takes the packets.
            let name = interface::master(&name).unwrap_or(name);
            if self.links.iter().any(|link| link.name == name) || self.links.is_full() {
                continue;
            }
            if let Some(link) = open_link(name, self.wakes) {
                let _ = self.links.push(link);
            }
        }
    }
}

fn open_link(name: Name, wakes: bool) -> Option<Link> {
    let mac = crate::sys::sysfs::read_text::<17>(
        &std::path::Path::new("/sys/class/net")
            .join(&*name)
            .join("address"),
    )?;
    let mac = parse_mac(&mac)?;
    let was_down = !interface::is_up(&name).ok()?;
    if was_down && !wakes {
        return None;
    }
    let socket = ArpSocket::open(interface::index(&name)?).ok()?;
    if was_down {
        interface::set_up(&name, true).ok()?;
    }
    Some(Link {
        name,
        mac,
        socket,
        was_down,
    })
}

fn parse_mac(text: &str) -> Option<Mac> {
    let mut mac = [0; 6];
    let mut parts = text.split(':');
    for byte in &mut mac {
        *byte = u8::from_str_radix(parts.next()?, 16).ok()?;
    }
    parts.next().is_none().then_some(mac)
}

impl Drop for Neighbours {
    fn drop(&mut self) {
        for link in &self.links {
            if link.was_down {
                // It may have been unplugged meanwhile.
                let _ = interface::set_up(&link.name, false);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_other_factors_are_not_asked_on_the_network() {
        let labels: [Label; 3] = ["smbios-uuid", "arp 10.0.0.1", "arp not-an-address"]
            .map(|text| text.try_into().unwrap());
        let neighbours = Neighbours::new(labels.iter(), Instant::now());
        assert_eq!(neighbours.targets[..], [Ipv4Addr::new(10, 0, 0, 1)]);
    }

    #[test]
    fn hardware_addresses_are_read_whole_or_not_at_all() {
        assert_eq!(
            parse_mac("00:1b:21:0a:0b:0c"),
            Some([0, 0x1b, 0x21, 10, 11, 12])
        );
        for wrong in [
            "",
            "00:1b:21:0a:0b",
            "00:1b:21:0a:0b:0c:0d",
            "zz:1b:21:0a:0b:0c",
        ] {
            assert_eq!(parse_mac(wrong), None, "{wrong}");
        }
    }
}
