//! Which stations bind the server to its place, and which could stand anywhere
//! or give themselves away. Pure.

use core::net::IpAddr;

use crate::environment::factors::address_of;
use crate::environment::wire::interface_id;
use crate::sys::interface::Mac;
use crate::vault::{Label, Value};

/// Why a neighbour's address does not say where the server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Bit 1 of the first byte: set by software, often random and new after
    /// each start (IEEE 802, section 8.4).
    LocallyAdministered,
    /// Shared by a group of routers: VRRP (RFC 9568), HSRP, GLBP.
    SharedByRouters,
    /// Its IPv6 address was made from it (RFC 4291, appendix A): whoever knows
    /// the one knows the other.
    Embedded,
    /// Another enrolled neighbour answered with the same one: one station
    /// speaks for several (proxy ARP, RFC 1027).
    SameAsAnother,
}

impl core::fmt::Display for Refused {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::LocallyAdministered => "its hardware address is made up and can change",
            Self::SharedByRouters => "its hardware address is the same in many networks",
            Self::Embedded => "its IPv6 address tells its hardware address",
            Self::SameAsAnother => "another neighbour has the same hardware address",
        })
    }
}

/// Whether a neighbour's value can bind the server to its place, beside those
/// already chosen.
///
/// # Errors
/// [`Refused`]: why not.
pub fn suits_enrolment(label: &Label, value: &Value, others: &[Value]) -> Result<(), Refused> {
    let mac = |value: &Value| Mac::try_from(value.as_slice()).ok();
    let others: std::vec::Vec<Mac> = others.iter().filter_map(mac).collect();
    match (address_of(label), mac(value)) {
        (Some(ip), Some(mac)) => binds(ip, mac, &others),
        _ => Ok(()),
    }
}

/// Whether the hardware address that answers at `ip` can bind the server to
/// its place, beside those of `others`.
///
/// # Errors
/// [`Refused`]: why not.
fn binds(ip: IpAddr, mac: Mac, others: &[Mac]) -> Result<(), Refused> {
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
    if let IpAddr::V6(ip) = ip
        && ip.octets()[8..] == interface_id(mac)
    {
        return Err(Refused::Embedded);
    }
    if others.contains(&mac) {
        return Err(Refused::SameAsAnother);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Mac = [0x00, 0x1b, 0x21, 1, 2, 3];

    #[test]
    fn an_address_that_binds_nobody_is_refused() {
        let ip = "192.168.1.1".parse().unwrap();
        assert_eq!(binds(ip, MAC, &[]), Ok(()));
        assert_eq!(binds(ip, MAC, &[MAC]), Err(Refused::SameAsAnother));
        let random = [0x52, 0x55, 0x0a, 0, 2, 2];
        assert_eq!(binds(ip, random, &[]), Err(Refused::LocallyAdministered));
        let vrrp = [0, 0, 0x5e, 0, 1, 7];
        assert_eq!(binds(ip, vrrp, &[]), Err(Refused::SharedByRouters));
        // The same for IPv6 (RFC 9568, section 7.3).
        let vrrp = [0, 0, 0x5e, 0, 2, 7];
        let router = "fe80::1".parse().unwrap();
        assert_eq!(binds(router, vrrp, &[]), Err(Refused::SharedByRouters));
    }

    #[test]
    fn an_ipv6_address_that_tells_the_hardware_address_is_refused() {
        let made_of_it = "fe80::21b:21ff:fe01:203".parse().unwrap();
        assert_eq!(binds(made_of_it, MAC, &[]), Err(Refused::Embedded));
        for other in ["fe80::1", "fe80::21b:21ff:fe01:204"] {
            assert_eq!(binds(other.parse().unwrap(), MAC, &[]), Ok(()), "{other}");
        }
    }
}
