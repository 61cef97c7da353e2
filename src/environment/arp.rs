//! ARP over Ethernet (RFC 826), as packets; and which addresses bind nobody.

use core::net::Ipv4Addr;

use crate::sys::interface::Mac;

/// Bytes of an ARP packet for IPv4 over Ethernet.
pub const PACKET: usize = 28;
/// Ethernet, IPv4, 6-byte and 4-byte addresses.
const KIND: [u8; 6] = [0, 1, 8, 0, 6, 4];
const REQUEST: u8 = 1;
const REPLY: u8 = 2;

/// An address probe (RFC 5227 section 2.1.1): who has `target`? The sender's
/// IP address is 0.0.0.0, so that no station notes a wrong one.
pub fn probe(own: Mac, target: Ipv4Addr) -> [u8; PACKET] {
    let mut packet = [0; PACKET];
    packet[..6].copy_from_slice(&KIND);
    packet[7] = REQUEST;
    packet[8..14].copy_from_slice(&own);
    packet[24..].copy_from_slice(&target.octets());
    packet
}

/// Who answered, with which address; `None` for anything but a well-formed
/// reply of a single station.
pub fn reply(packet: &[u8]) -> Option<(Ipv4Addr, Mac)> {
    let packet: &[u8; PACKET] = packet.first_chunk()?;
    if packet[..6] != KIND || packet[6..8] != [0, REPLY] {
        return None;
    }
    let mac: Mac = packet[8..14].try_into().ok()?;
    let ip: [u8; 4] = packet[14..18].try_into().ok()?;
    let single = mac[0] & 1 == 0 && mac != [0; 6];
    (single && ip != [0; 4]).then_some((Ipv4Addr::from(ip), mac))
}

/// Why a neighbour's address does not say where the server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Bit 1 of the first byte: set by software, often random and new after
    /// each start (IEEE 802, section 8.4).
    LocallyAdministered,
    /// Shared by a group of routers: VRRP (RFC 9568), HSRP, GLBP.
    SharedByRouters,
    /// Another enrolled neighbour answered with the same one: one station
    /// speaks for several (proxy ARP, RFC 1027).
    SameAsAnother,
}

impl core::fmt::Display for Refused {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::LocallyAdministered => "its hardware address is made up and can change",
            Self::SharedByRouters => "its hardware address is the same in many networks",
            Self::SameAsAnother => "another neighbour has the same hardware address",
        })
    }
}

/// Whether a hardware address can bind the server to its place.
///
/// # Errors
/// [`Refused`]: why not.
pub fn binds(mac: Mac, others: &[Mac]) -> Result<(), Refused> {
    let shared: [&[u8]; 5] = [
        &[0x00, 0x00, 0x5e, 0x00, 0x01],
        &[0x00, 0x00, 0x5e, 0x00, 0x02],
        &[0x00, 0x00, 0x0c, 0x07, 0xac],
        &[0x00, 0x00, 0x0c, 0x9f],
        &[0x00, 0x07, 0xb4, 0x00],
    ];
    if shared.iter().any(|prefix| mac.starts_with(prefix)) {
        return Err(Refused::SharedByRouters);
    }
    if mac[0] & 2 != 0 {
        return Err(Refused::LocallyAdministered);
    }
    if others.contains(&mac) {
        return Err(Refused::SameAsAnother);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAC: Mac = [0x00, 0x1b, 0x21, 1, 2, 3];

    fn reply_packet(ip: Ipv4Addr, mac: Mac) -> [u8; PACKET] {
        let mut packet = probe(mac, Ipv4Addr::new(10, 0, 0, 9));
        packet[7] = REPLY;
        packet[14..18].copy_from_slice(&ip.octets());
        packet
    }

    #[test]
    fn a_reply_names_the_station() {
        let ip = Ipv4Addr::new(192, 168, 1, 1);
        let mut padded = [0; 46];
        padded[..PACKET].copy_from_slice(&reply_packet(ip, MAC));
        assert_eq!(reply(&padded), Some((ip, MAC)));
    }

    #[test]
    fn what_is_no_reply_of_a_station_is_not_heard() {
        let ip = Ipv4Addr::new(192, 168, 1, 1);
        assert_eq!(reply(&probe(MAC, ip)), None);
        assert_eq!(reply(&reply_packet(ip, [0xff; 6])), None);
        assert_eq!(reply(&reply_packet(ip, [0; 6])), None);
        assert_eq!(reply(&reply_packet(Ipv4Addr::UNSPECIFIED, MAC)), None);
        assert_eq!(reply(&reply_packet(ip, MAC)[..27]), None);
        let mut wrong_kind = reply_packet(ip, MAC);
        wrong_kind[1] = 6;
        assert_eq!(reply(&wrong_kind), None);
    }

    #[test]
    fn an_address_that_binds_nobody_is_refused() {
        assert_eq!(binds(MAC, &[]), Ok(()));
        assert_eq!(binds(MAC, &[MAC]), Err(Refused::SameAsAnother));
        let random = [0x52, 0x55, 0x0a, 0, 2, 2];
        assert_eq!(binds(random, &[]), Err(Refused::LocallyAdministered));
        let vrrp = [0, 0, 0x5e, 0, 1, 7];
        assert_eq!(binds(vrrp, &[]), Err(Refused::SharedByRouters));
    }

    proptest! {
        #[test]
        fn foreign_packets_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = reply(&bytes);
        }
    }
}
