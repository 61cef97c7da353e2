//! Which neighbours can bind the server to its place. A hardware address that
//! is found in many networks, or that can be derived from another address,
//! cannot. Pure.

use core::net::IpAddr;

use crate::environment::factors::{Attachment, Observed, address_of};
use crate::environment::wire::interface_id;
use crate::sys::interface::Mac;
use crate::vault::{Label, Value};

/// Why a neighbour's hardware address does not bind the server to its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnsuitableNeighbour {
    /// Bit 1 of the first byte is set: chosen by software, often at random and
    /// anew at each start (IEEE 802, section 8.4).
    LocallyAdministered,
    /// Shared by a group of routers: VRRP (RFC 9568), HSRP, GLBP.
    SharedByRouters,
    /// Its IPv6 address is made from it (RFC 4291, appendix A): whoever knows
    /// one knows the other.
    Embedded,
    /// Another enrolled neighbour has it too: one station answers for several
    /// addresses (proxy ARP, RFC 1027).
    SameAsAnother,
    /// Several hardware addresses answer at its address: which of them does next
    /// time is not known.
    SeveralAnswer,
    /// It is on a USB network and has a link-local address (RFC 3927, RFC 4291), as
    /// a server's own management controller has: it is carried away with the server.
    InsideTheServer,
}

impl core::fmt::Display for UnsuitableNeighbour {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::LocallyAdministered => "its hardware address is made up and can change",
            Self::SharedByRouters => "its hardware address is the same in many networks",
            Self::Embedded => "its IPv6 address tells its hardware address",
            Self::SameAsAnother => "another neighbour has the same hardware address",
            Self::SeveralAnswer => "several hardware addresses answer there",
            Self::InsideTheServer => "it seems to be a part of the server itself, behind USB",
        })
    }
}

/// Checks that what was observed of a neighbour can bind the server to its place,
/// beside the values in `others`, which are enrolled already. Any other factor's
/// label passes.
///
/// # Errors
/// [`UnsuitableNeighbour`]: why it cannot.
pub fn check_suitability(
    label: &Label,
    observed: &Observed,
    others: &[Value],
) -> Result<(), UnsuitableNeighbour> {
    let mac = |value: &Value| Mac::try_from(value.as_slice()).ok();
    let others: std::vec::Vec<Mac> = others.iter().filter_map(mac).collect();
    let (Some(ip), Some(mac)) = (address_of(label), observed.value(label).and_then(mac)) else {
        return Ok(());
    };
    if observed.values(label).count() > 1 {
        return Err(UnsuitableNeighbour::SeveralAnswer);
    }
    if observed.attachment(label) == Attachment::UsbNetwork && is_link_local(ip) {
        return Err(UnsuitableNeighbour::InsideTheServer);
    }
    check_address(ip, mac, &others)
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

/// Checks the hardware address `mac` that answers at `ip`.
fn check_address(ip: IpAddr, mac: Mac, others: &[Mac]) -> Result<(), UnsuitableNeighbour> {
    let shared: [&[u8]; 5] = [
        &[0x00, 0x00, 0x5e, 0x00, 0x01],
        &[0x00, 0x00, 0x5e, 0x00, 0x02],
        &[0x00, 0x00, 0x0c, 0x07, 0xac],
        &[0x00, 0x00, 0x0c, 0x9f],
        &[0x00, 0x07, 0xb4, 0x00],
    ];
    if shared.iter().any(|prefix| mac.starts_with(prefix)) {
        return Err(UnsuitableNeighbour::SharedByRouters);
    }
    if mac[0] & 2 != 0 {
        return Err(UnsuitableNeighbour::LocallyAdministered);
    }
    if let IpAddr::V6(ip) = ip
        && ip.octets()[8..] == interface_id(mac)
    {
        return Err(UnsuitableNeighbour::Embedded);
    }
    if others.contains(&mac) {
        return Err(UnsuitableNeighbour::SameAsAnother);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::factors::neighbour_label;

    const MAC: Mac = [0x00, 0x1b, 0x21, 1, 2, 3];

    #[test]
    fn a_controller_inside_the_server_does_not_bind_it() {
        let check = |ip: &str, attachment| {
            let label = neighbour_label(ip.parse().unwrap());
            let mut observed = Observed::default();
            observed.note(&label, &Value::from_slice(&MAC).unwrap());
            observed.note_attachment(&label, attachment);
            check_suitability(&label, &observed, &[])
        };
        let inside = Err(UnsuitableNeighbour::InsideTheServer);
        for ip in ["169.254.3.1", "fe80::1"] {
            assert_eq!(check(ip, Attachment::UsbNetwork), inside, "{ip}");
            assert_eq!(check(ip, Attachment::Lasting), Ok(()), "{ip}");
        }
        // A server whose only card is on USB.
        assert_eq!(check("192.168.1.1", Attachment::UsbNetwork), Ok(()));
    }

    #[test]
    fn an_address_that_binds_nobody_is_refused() {
        let ip = "192.168.1.1".parse().unwrap();
        assert_eq!(check_address(ip, MAC, &[]), Ok(()));
        assert_eq!(
            check_address(ip, MAC, &[MAC]),
            Err(UnsuitableNeighbour::SameAsAnother)
        );
        let random = [0x52, 0x55, 0x0a, 0, 2, 2];
        assert_eq!(
            check_address(ip, random, &[]),
            Err(UnsuitableNeighbour::LocallyAdministered)
        );
        let vrrp = [0, 0, 0x5e, 0, 1, 7];
        assert_eq!(
            check_address(ip, vrrp, &[]),
            Err(UnsuitableNeighbour::SharedByRouters)
        );
        // A virtual router of VRRP has another prefix for IPv6 (RFC 9568, section
        // 7.3).
        let vrrp = [0, 0, 0x5e, 0, 2, 7];
        let router = "fe80::1".parse().unwrap();
        assert_eq!(
            check_address(router, vrrp, &[]),
            Err(UnsuitableNeighbour::SharedByRouters)
        );
    }

    #[test]
    fn an_ipv6_address_that_tells_the_hardware_address_is_refused() {
        let made_of_it = "fe80::21b:21ff:fe01:203".parse().unwrap();
        assert_eq!(
            check_address(made_of_it, MAC, &[]),
            Err(UnsuitableNeighbour::Embedded)
        );
        for other in ["fe80::1", "fe80::21b:21ff:fe01:204"] {
            assert_eq!(
                check_address(other.parse().unwrap(), MAC, &[]),
                Ok(()),
                "{other}"
            );
        }
    }
}
