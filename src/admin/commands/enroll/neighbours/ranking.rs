//! Which stations are proposed as neighbours, and in which order: those first that are
//! there at night and after a power cut. Pure.

use core::net::IpAddr;

use super::vendor::DeviceKind;
use crate::sys::interface::Mac;

/// What a station does for this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The gateway of a default route.
    Router,
    /// It says by LLDP that this server's cable ends in it (IEEE 802.1AB).
    Switch,
    NameServer,
    /// It has spoken with this server.
    Talks,
}

/// A station that may be enrolled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Station {
    pub address: IpAddr,
    /// `None` for one that was named and has not been heard yet.
    pub mac: Option<Mac>,
    pub role: Role,
    pub kind: DeviceKind,
    /// Who made its card, as a list says.
    pub maker: Option<String>,
    /// It is reached over a VLAN, which the boot has only where a script makes it.
    pub is_on_vlan: bool,
}

impl Station {
    /// What it is, for people; empty where nothing is known.
    pub fn description(&self) -> String {
        let role = match (self.role, self.kind) {
            (Role::Router, _) => "router",
            (Role::Switch, _) => "switch",
            (Role::NameServer, _) => "name server",
            (_, DeviceKind::Network) => "network device",
            (_, DeviceKind::Storage) => "storage",
            (_, DeviceKind::Printer) => "printer",
            (_, DeviceKind::Computer) => "computer",
            (_, DeviceKind::Virtual) => "virtual machine",
            (_, DeviceKind::Any) => "",
        };
        let parts = [role, self.maker.as_deref().unwrap_or_default()];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join(", ")
    }
}

/// The stations in the order in which they are proposed, each once.
pub struct Proposal {
    pub stations: Vec<Station>,
    /// Routers, switches and name servers that seem to be virtual machines or
    /// containers. These are never proposed: they may be this server's own.
    pub left_out: Vec<Station>,
}

/// Puts the stations in order, those first that are steadier.
pub fn propose(stations: Vec<Station>) -> Proposal {
    let is_virtual = |station: &Station| {
        let is_made_up = station.mac.is_some_and(|mac| mac[0] & 2 != 0);
        is_made_up || station.kind == DeviceKind::Virtual
    };
    let (mut left_out, mut stations): (Vec<Station>, Vec<Station>) =
        stations.into_iter().partition(is_virtual);
    left_out.retain(|station| station.role != Role::Talks);
    stations.sort_by_key(|station| {
        // A computer that only resolves names for others is not off at night.
        let kind = match station.role {
            Role::Talks => station.kind,
            _ => DeviceKind::Network,
        };
        (station.is_on_vlan, station.role, kind)
    });
    let mut seen: Vec<Mac> = Vec::new();
    stations.retain(|station| {
        let is_new = station.mac.is_none_or(|mac| !seen.contains(&mac));
        seen.extend(station.mac);
        is_new
    });
    Proposal { stations, left_out }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn station(last: u8, role: Role, kind: DeviceKind) -> Station {
        Station {
            address: [192, 168, 1, last].into(),
            mac: Some([0x00, 0x1b, 0x21, 0, 0, last]),
            role,
            kind,
            maker: None,
            is_on_vlan: false,
        }
    }

    fn order(stations: &[Station]) -> Vec<u8> {
        let proposed = propose(stations.to_vec()).stations.into_iter();
        let last = proposed.map(|station| station.mac.unwrap_or_default()[5]);
        last.collect()
    }

    #[test]
    fn what_is_there_at_night_comes_before_the_desks() {
        use DeviceKind::{Any, Computer, Network, Printer, Storage};
        let found = order(&[
            station(1, Role::Talks, Computer),
            station(2, Role::Talks, Any),
            station(3, Role::Talks, Printer),
            station(4, Role::Talks, Storage),
            station(5, Role::Talks, Network),
            station(6, Role::NameServer, Computer),
            station(7, Role::Switch, Any),
            station(8, Role::Router, Any),
        ]);
        assert_eq!(found, [8, 7, 6, 5, 4, 3, 2, 1]);
    }

    #[test]
    fn containers_and_virtual_machines_are_never_proposed() {
        let mut container = station(2, Role::Talks, DeviceKind::Any);
        container.mac = Some([0x02, 0x42, 0xac, 0x11, 0, 2]);
        let found = order(&[
            station(1, Role::Router, DeviceKind::Virtual),
            container,
            station(3, Role::Talks, DeviceKind::Any),
        ]);
        assert_eq!(found, [3]);
        let router = station(1, Role::Router, DeviceKind::Virtual);
        let talks = station(2, Role::Talks, DeviceKind::Virtual);
        let left_out = propose(vec![talks, router.clone()]).left_out;
        assert_eq!(left_out, [router], "but it is told");
    }

    #[test]
    fn a_station_behind_a_vlan_comes_last_and_none_comes_twice() {
        let mut tagged = station(1, Role::Router, DeviceKind::Any);
        tagged.is_on_vlan = true;
        let mut again = station(2, Role::Talks, DeviceKind::Any);
        again.address = "fe80::2".parse().unwrap();
        let found = order(&[tagged, station(2, Role::Talks, DeviceKind::Any), again]);
        assert_eq!(found, [2, 1]);
    }

    #[test]
    fn a_station_is_named_by_what_it_does_and_who_made_it() {
        let mut router = station(1, Role::Router, DeviceKind::Network);
        router.maker = Some("PC Engines GmbH".into());
        assert_eq!(router.description(), "router, PC Engines GmbH");
        let printer = station(1, Role::Talks, DeviceKind::Printer);
        assert_eq!(printer.description(), "printer");
        assert_eq!(station(1, Role::Talks, DeviceKind::Any).description(), "");
    }
}
