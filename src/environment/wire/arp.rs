//! ARP over Ethernet (RFC 826), as packets. Pure.

use core::net::Ipv4Addr;

use crate::sys::interface::Mac;

/// Bytes of an ARP packet for IPv4 over Ethernet.
pub const PACKET: usize = 28;
/// Hardware type Ethernet, protocol IPv4, address lengths 6 and 4.
const KIND: [u8; 6] = [0, 1, 8, 0, 6, 4];
const REQUEST: u8 = 1;
const REPLY: u8 = 2;

/// An ARP probe for `target` (RFC 5227, section 2.1.1). Its sender address is
/// 0.0.0.0, so that no station learns a wrong one.
pub fn probe(own: Mac, target: Ipv4Addr) -> [u8; PACKET] {
    let mut packet = [0; PACKET];
    packet[..6].copy_from_slice(&KIND);
    packet[7] = REQUEST;
    packet[8..14].copy_from_slice(&own);
    packet[24..].copy_from_slice(&target.octets());
    packet
}

/// A request for `target` from the station `own` with the address `sender` (RFC
/// 826).
pub fn request(own: Mac, sender: Ipv4Addr, target: Ipv4Addr) -> [u8; PACKET] {
    let mut packet = probe(own, target);
    packet[14..18].copy_from_slice(&sender.octets());
    packet
}

/// An ARP announcement (RFC 5227, section 2.3): `own` has `address` from now
/// on.
pub fn announcement(own: Mac, address: Ipv4Addr) -> [u8; PACKET] {
    request(own, address, address)
}

/// The IP and hardware address that a reply comes from; `None` for anything but
/// a well-formed reply from a single station.
pub fn reply(packet: &[u8]) -> Option<(Ipv4Addr, Mac)> {
    sender(packet).filter(|_| packet[7] == REPLY)
}

/// The IP and hardware address that the sender of a request or reply says it
/// has; `None` for a probe, and for anything not well-formed or not from a
/// single station.
pub fn sender(packet: &[u8]) -> Option<(Ipv4Addr, Mac)> {
    let packet: &[u8; PACKET] = packet.first_chunk()?;
    if packet[..6] != KIND || packet[6] != 0 || ![REQUEST, REPLY].contains(&packet[7]) {
        return None;
    }
    let mac: Mac = packet[8..14].try_into().ok()?;
    let ip: [u8; 4] = packet[14..18].try_into().ok()?;
    let single = mac[0] & 1 == 0 && mac != [0; 6];
    (single && ip != [0; 4]).then_some((Ipv4Addr::from(ip), mac))
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
    fn announcements_and_requests_name_their_sender_probes_do_not() {
        let ip = Ipv4Addr::new(192, 168, 1, 1);
        assert_eq!(sender(&announcement(MAC, ip)), Some((ip, MAC)));
        assert_eq!(reply(&announcement(MAC, ip)), None, "it is no answer");
        assert_eq!(sender(&reply_packet(ip, MAC)), Some((ip, MAC)));
        assert_eq!(sender(&probe(MAC, ip)), None);
        let mut strange = announcement(MAC, ip);
        strange[7] = 3;
        assert_eq!(sender(&strange), None);
    }

    proptest! {
        #[test]
        fn foreign_packets_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = (reply(&bytes), sender(&bytes));
        }
    }
}
