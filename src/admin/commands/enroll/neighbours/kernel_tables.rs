//! What the kernel knows of the stations around: its ARP table and its routes.

use core::net::{IpAddr, Ipv4Addr};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::sys::interface::Mac;

/// Most bytes of a table that are read: some 50,000 stations.
const TABLE_MAX: u64 = 4 * 1024 * 1024;

/// A station in the kernel's tables.
#[derive(Debug, PartialEq, Eq)]
pub struct Heard {
    /// Where it answers.
    pub address: IpAddr,
    /// `None` for one that a route names and that has not been heard.
    pub mac: Option<Mac>,
    /// The interface that it was heard on.
    pub card: String,
    /// It says so, or a route does.
    pub is_router: bool,
}

/// The whole lines of one of the kernel's tables; none where it cannot be read.
pub fn table(path: &Path) -> String {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(TABLE_MAX).read_to_end(&mut bytes));
    if read.is_err() {
        return String::new();
    }
    if bytes.len() as u64 == TABLE_MAX {
        let whole = bytes.iter().rposition(|byte| *byte == b'\n');
        bytes.truncate(whole.unwrap_or_default());
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Complete entries of the kernel's ARP table (proc_pid_net(5)).
pub fn arp_table(text: &str) -> Vec<Heard> {
    text.lines()
        .skip(1)
        .filter_map(|line| {
            let mut fields = line.split_whitespace();
            let ip: Ipv4Addr = fields.next()?.parse().ok()?;
            let flags = u32::from_str_radix(fields.nth(1)?.trim_start_matches("0x"), 16).ok()?;
            let mac = Some(mac(fields.next()?)?);
            // ATF_COM, linux/if_arp.h.
            (flags & 2 != 0).then_some(Heard {
                address: ip.into(),
                mac,
                card: fields.nth(1)?.to_owned(),
                is_router: false,
            })
        })
        .collect()
}

fn mac(text: &str) -> Option<Mac> {
    let bytes = text
        .split(':')
        .map(|byte| u8::from_str_radix(byte, 16).ok());
    bytes.collect::<Option<Vec<u8>>>()?.try_into().ok()
}

/// Gateways of the default routes, and the cards that lead to them. The kernel writes
/// them in hex, in native byte order.
pub fn routers(text: &str) -> Vec<(Ipv4Addr, String)> {
    text.lines()
        .skip(1)
        .filter_map(|line| {
            let mut fields = line.split_whitespace();
            let card = fields.next()?;
            let destination = fields.next()?;
            let gateway = u32::from_str_radix(fields.next()?, 16).ok()?;
            (destination == "00000000" && gateway != 0)
                .then(|| (Ipv4Addr::from(gateway.to_ne_bytes()), card.to_owned()))
        })
        .collect()
}

/// The name servers of resolv.conf(5) that are other machines.
pub fn name_servers(text: &str) -> Vec<Ipv4Addr> {
    text.lines()
        .filter_map(|line| line.strip_prefix("nameserver")?.trim().parse().ok())
        .filter(|ip: &Ipv4Addr| !ip.is_loopback())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_stations_that_answered_are_in_the_arp_table() {
        let text = "IP address       HW type     Flags       HW address            Mask     Device\n\
             192.168.1.1      0x1         0x2         00:1b:21:00:00:01     *        eth0\n\
             192.168.1.9      0x1         0x0         00:00:00:00:00:00     *        eth0\n";
        let router = Heard {
            address: [192, 168, 1, 1].into(),
            mac: Some([0, 0x1b, 0x21, 0, 0, 1]),
            card: "eth0".into(),
            is_router: false,
        };
        assert_eq!(arp_table(text), [router]);
    }

    #[test]
    fn a_network_of_two_thousand_stations_is_read_whole() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut text = "IP address       HW type     Flags       HW address\n".to_owned();
        for at in 0..2000_u16 {
            let [high, low] = at.to_be_bytes();
            text += &format!(
                "10.0.{high}.{low}  0x1  0x2  00:1b:21:00:{high:02x}:{low:02x}  {:16} eth0\n",
                "*"
            );
        }
        assert!(text.len() > 65536);
        std::fs::write(file.path(), text).unwrap();
        assert_eq!(arp_table(&table(file.path())).len(), 2000);
        assert_eq!(table(Path::new("/nonexistent")), "");
    }
}
