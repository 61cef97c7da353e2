//! IPv6 neighbour discovery over Ethernet (RFC 4861), as packets. Pure.
//!
//! A solicitation is sent from the link-local address made of the card's
//! hardware address, which the kernel gives the card too. It is not sent from
//! `::`, as an ARP probe is sent from 0.0.0.0: a router that is starting and
//! still checks its own address must take a solicitation from `::` for a
//! station with the same address, and gives its address up (RFC 4862, section
//! 5.4.3). After a power cut both start at once.

use core::net::Ipv6Addr;

use crate::sys::interface::Mac;

/// Bytes of a solicitation: IPv6 header, message, our hardware address.
pub const SOLICITATION_BYTES: usize = HEAD + 24 + 8;
/// Bytes of an advertisement that are read; more than one option is rare.
pub const ADVERTISEMENT_BYTES: usize = 256;

/// Bytes of an IPv6 header (RFC 8200).
const HEAD: usize = 40;
const ICMPV6: u8 = 58;
/// The hop limit of a packet that no router has forwarded.
const HOP_LIMIT: u8 = 255;
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
const SOURCE_LINK_ADDRESS: u8 = 1;
const TARGET_LINK_ADDRESS: u8 = 2;

/// The interface identifier that a station makes from its hardware address, the
/// last half of its IPv6 addresses (modified EUI-64, RFC 4291, appendix A).
pub fn interface_id(mac: Mac) -> [u8; 8] {
    let [a, b, c, d, e, f] = mac;
    [a ^ 2, b, c, 0xff, 0xfe, d, e, f]
}

/// A neighbour solicitation for `target` (RFC 4861, section 4.3), and the
/// multicast hardware address to send it to.
pub fn solicitation(own: Mac, target: Ipv6Addr) -> (Mac, [u8; SOLICITATION_BYTES]) {
    let [.., a, b, c] = target.octets();
    let mut packet = [0; SOLICITATION_BYTES];
    packet[0] = 0x60;
    packet[5] = (SOLICITATION_BYTES - HEAD) as u8;
    packet[6] = ICMPV6;
    packet[7] = HOP_LIMIT;
    packet[8..10].copy_from_slice(&[0xfe, 0x80]);
    packet[16..24].copy_from_slice(&interface_id(own));
    // The solicited-node group (RFC 4291, section 2.7.1).
    packet[24..26].copy_from_slice(&[0xff, 0x02]);
    packet[35..40].copy_from_slice(&[1, 0xff, a, b, c]);
    packet[40] = SOLICITATION;
    packet[48..64].copy_from_slice(&target.octets());
    packet[64..66].copy_from_slice(&[SOURCE_LINK_ADDRESS, 1]);
    packet[66..].copy_from_slice(&own);
    let sum = !checksum(&packet);
    packet[42..44].copy_from_slice(&sum.to_be_bytes());
    ([0x33, 0x33, 0xff, a, b, c], packet)
}

/// The IPv6 and hardware address of a neighbour advertisement (RFC 4861,
/// section 4.4); `None` for anything but a well-formed one from a single
/// station on this wire.
pub fn advertisement(packet: &[u8]) -> Option<(Ipv6Addr, Mac)> {
    let head: &[u8; HEAD] = packet.first_chunk()?;
    if head[0] >> 4 != 6 || head[6] != ICMPV6 || head[7] != HOP_LIMIT {
        return None;
    }
    // Ethernet may have padded it.
    let length = usize::from(u16::from_be_bytes([head[4], head[5]]));
    let packet = packet.get(..HEAD + length)?;
    let message: &[u8; 24] = packet[HEAD..].first_chunk()?;
    if message[..2] != [ADVERTISEMENT, 0] || checksum(packet) != 0xffff {
        return None;
    }
    let target: [u8; 16] = message[8..].try_into().ok()?;
    let mac = link_address(&packet[HEAD + 24..])?;
    let target = Ipv6Addr::from(target);
    let single = mac[0] & 1 == 0 && mac != [0; 6] && !target.is_multicast();
    (single && !target.is_unspecified()).then_some((target, mac))
}

/// The target link-layer address option (RFC 4861, section 4.6.1). Each option
/// is its type, its length in units of 8 bytes, and the content.
fn link_address(mut options: &[u8]) -> Option<Mac> {
    loop {
        let [kind, eights, ..] = *options else {
            return None;
        };
        let (option, rest) = options.split_at_checked(8 * usize::from(eights))?;
        match (kind, eights) {
            (_, 0) => return None,
            (TARGET_LINK_ADDRESS, 1) => return option[2..].try_into().ok(),
            _ => options = rest,
        }
    }
}

/// The checksum of RFC 1071 over the message and the pseudo-header of RFC 8200,
/// section 8.1: all ones where the message's checksum field is right. `packet`
/// ends with the message.
fn checksum(packet: &[u8]) -> u16 {
    let (head, message) = packet.split_at(HEAD);
    let addresses = &head[8..];
    let words = |bytes: &[u8]| -> u32 {
        let pairs = bytes.chunks(2);
        let pairs = pairs.map(|pair| u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)]));
        pairs.map(u32::from).sum()
    };
    let mut sum = words(addresses) + words(message) + message.len() as u32 + u32::from(ICMPV6);
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    sum as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OWN: Mac = [0x52, 0x54, 0, 1, 2, 3];
    const ROUTER: Mac = [0x00, 0x0d, 0xb9, 0x41, 0x7a, 1];

    fn fe80_1() -> Ipv6Addr {
        "fe80::1".parse().unwrap()
    }

    /// What a router sends: with an option that is not known in front.
    fn answer(target: Ipv6Addr, mac: Mac) -> [u8; SOLICITATION_BYTES + 8] {
        let mut packet = [0; SOLICITATION_BYTES + 8];
        packet[..SOLICITATION_BYTES].copy_from_slice(&solicitation(mac, target).1);
        packet[5] += 8;
        packet[40] = ADVERTISEMENT;
        packet[64..66].copy_from_slice(&[14, 1]);
        packet[72..74].copy_from_slice(&[TARGET_LINK_ADDRESS, 1]);
        packet[74..].copy_from_slice(&mac);
        mend(packet)
    }

    /// With the right checksum.
    fn mend<const N: usize>(mut packet: [u8; N]) -> [u8; N] {
        packet[42..44].copy_from_slice(&[0, 0]);
        let sum = !checksum(&packet);
        packet[42..44].copy_from_slice(&sum.to_be_bytes());
        packet
    }

    #[test]
    fn a_question_is_as_the_kernel_of_linux_would_send_it() {
        let (group, packet) = solicitation(OWN, "fe80::21b:21ff:fe0a:b0c".parse().unwrap());
        assert_eq!(group, [0x33, 0x33, 0xff, 0x0a, 0x0b, 0x0c]);
        let from = Ipv6Addr::from(<[u8; 16]>::try_from(&packet[8..24]).unwrap());
        let to = Ipv6Addr::from(<[u8; 16]>::try_from(&packet[24..40]).unwrap());
        assert_eq!(from.to_string(), "fe80::5054:ff:fe01:203");
        assert_eq!(to.to_string(), "ff02::1:ff0a:b0c");
        assert_eq!(checksum(&packet), 0xffff);
    }

    #[test]
    fn an_advertisement_is_read_behind_unknown_options() {
        let packet = answer(fe80_1(), ROUTER);
        assert_eq!(advertisement(&packet), Some((fe80_1(), ROUTER)));
        let mut padded = [0xaa; 120];
        padded[..packet.len()].copy_from_slice(&packet);
        assert_eq!(advertisement(&padded), Some((fe80_1(), ROUTER)));
    }

    #[test]
    fn what_is_no_answer_of_a_station_on_this_wire_is_not_heard() {
        let right = answer(fe80_1(), ROUTER);
        let with = |at: usize, byte: u8| {
            let mut packet = right;
            packet[at] = byte;
            advertisement(&mend(packet))
        };
        assert_eq!(with(7, 254), None, "a router has passed it on");
        assert_eq!(with(40, SOLICITATION), None);
        assert_eq!(with(41, 1), None);
        assert_eq!(with(65, 0), None, "an option without an end");
        assert_eq!(with(73, 2), None, "an option behind the end");
        assert_eq!(with(74, 1), None, "a group of stations");
        assert_eq!(
            advertisement(&answer("ff02::1".parse().unwrap(), ROUTER)),
            None
        );
        assert_eq!(advertisement(&right[..right.len() - 1]), None);
        let mut spoilt = right;
        spoilt[75] ^= 1;
        assert_eq!(advertisement(&spoilt), None, "the sum");
    }

    proptest! {
        #[test]
        fn foreign_packets_never_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            at in 0usize..80, byte: u8,
        ) {
            let _ = advertisement(&bytes);
            let mut packet = answer(fe80_1(), ROUTER);
            packet[at] = byte;
            let _ = advertisement(&packet);
            if usize::from(packet[5]) == packet.len() - HEAD {
                let _ = advertisement(&mend(packet));
            }
        }
    }
}
