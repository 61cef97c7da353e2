//! How much the key servers of a place protect. Pure.

use core::net::IpAddr;

use crate::environment::factors::server_address;
use crate::vault::{EnvironmentSlot, has_member, is_key_server};

/// How strong the weakest combination of a place is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// Every factor in it can be guessed.
    Soft,
    /// It holds a key server, but only ones with a public address.
    Public,
    /// It holds a key server with a private address.
    Strong,
}

/// The strength of the weakest row, whatever the thresholds say.
pub fn strength(slot: &EnvironmentSlot) -> Strength {
    let of_factor = |at: usize| {
        let label = &slot.factors[at].label;
        match server_address(label) {
            Some(address) if !is_public(address.ip()) => Strength::Strong,
            _ if is_key_server(label) => Strength::Public,
            _ => Strength::Soft,
        }
    };
    let rows = slot.rows.iter().map(|row| {
        let members = (0..slot.factors.len()).filter(|at| has_member(row.members, *at));
        members.map(of_factor).max().unwrap_or(Strength::Soft)
    });
    rows.min().unwrap_or(Strength::Soft)
}

/// Whether an address can be reached from anywhere: it is not private (RFC
/// 1918, RFC 4193), not shared by a provider (RFC 6598), not link-local, not
/// loopback.
pub fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let shared = ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64;
            !(ip.is_private() || ip.is_link_local() || ip.is_loopback() || shared)
        }
        IpAddr::V6(ip) => !(ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_loopback()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_slot;
    use super::*;
    use crate::keys::MasterKey;
    use crate::vault::{Group, Header, Thresholds, Value};

    fn strength_of(factors: &[(Group, &str)], neighbours: u8, servers: u8) -> Strength {
        let key = MasterKey::generate();
        let header = Header::of_a_new_server(&key);
        let value = || Value::from_slice(b"value").unwrap();
        let factors = factors
            .iter()
            .map(|(group, label)| (*group, *label, value()));
        let need = Thresholds {
            machine: 0,
            neighbours,
            servers,
        };
        strength(&test_slot(&header, &key, (0, "home"), factors, need))
    }

    #[test]
    fn a_place_is_as_strong_as_the_weakest_of_its_combinations() {
        const NEAR: (Group, &str) = (Group::Servers, "tang 10.0.0.5:80");
        const FAR: (Group, &str) = (Group::Servers, "tang 203.0.113.5:80");
        const ROUTER: (Group, &str) = (Group::Neighbours, "arp 10.0.0.1");
        const AMONG: (Group, &str) = (Group::Neighbours, "tang 10.0.0.5:80");
        assert_eq!(strength_of(&[ROUTER, NEAR], 1, 1), Strength::Strong);
        assert_eq!(strength_of(&[NEAR, FAR], 0, 2), Strength::Strong);
        assert_eq!(strength_of(&[NEAR, FAR], 0, 1), Strength::Public);
        assert_eq!(strength_of(&[ROUTER, NEAR], 1, 0), Strength::Soft);
        assert_eq!(strength_of(&[ROUTER, AMONG], 1, 0), Strength::Soft);
        assert_eq!(strength_of(&[ROUTER, AMONG], 2, 0), Strength::Strong);
    }
}
