//! The stations that may be enrolled: the router, the switch, the name servers, and those
//! that this server talks to.

mod kernel_tables;
mod lldp;
mod ranking;
mod vendor;

use core::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use super::strength::Surroundings;
use crate::sys::interface::Mac;
use crate::sys::{interface, route, sysfs};
use crate::vault::MAX_NEIGHBOURS;
use kernel_tables::{Heard, arp_table, name_servers, routers, table};
use lldp::{LldpSenders, lldp_report, lldp_senders};
pub use ranking::{Proposal, Station};
use ranking::{Role, propose};
use vendor::{DeviceKind, kind, makers};

/// Most stations that are enrolled without being named: each one multiplies the
/// permitted combinations.
pub const MAX_UNNAMED: usize = 5;

/// The stations that were named, else those that are found, the steadiest first: as
/// many as are asked, whoever of them answers.
pub fn stations(named: &[IpAddr]) -> Proposal {
    let mut heard = arp_table(&table(Path::new("/proc/net/arp")));
    let ipv6 = route::ipv6_neighbours().unwrap_or_default();
    heard.extend(ipv6.iter().filter_map(|station| {
        let is_link_local = station.address.is_unicast_link_local();
        let card = interface::name_of(station.interface)?;
        is_link_local.then(|| Heard {
            address: station.address.into(),
            mac: Some(station.mac),
            card: card.as_str().to_owned(),
            is_router: station.is_router,
        })
    }));
    if !named.is_empty() {
        let stations = named.iter().map(|address| Station {
            address: *address,
            mac: None,
            role: Role::Talks,
            kind: DeviceKind::Any,
            maker: None,
            is_on_vlan: false,
        });
        return Proposal {
            stations: stations.collect(),
            left_out: Vec::new(),
        };
    }
    let routers = routers(&table(Path::new("/proc/net/route")));
    add_silent(&mut heard, &routers);
    let roles = Roles {
        routers: routers.into_iter().map(|(router, _)| router).collect(),
        name_servers: name_servers(&table(Path::new("/etc/resolv.conf"))),
        switches: lldp_senders(&lldp_report()),
    };
    let vlans = interface::vlans();
    heard.retain(|heard| {
        // What has a link-local address behind a card on USB is a part of the server
        // itself.
        let is_inside = is_link_local(heard.address) && interface::is_on_usb(&heard.card);
        interface::leads_to_a_cable(&heard.card) && !is_inside
    });
    let stations = heard.into_iter().map(|heard| Station {
        address: heard.address,
        mac: heard.mac,
        role: roles.of(&heard),
        kind: DeviceKind::Any,
        maker: None,
        is_on_vlan: vlans.iter().any(|vlan| *vlan == *heard.card),
    });
    let mut stations: Vec<Station> = stations.collect();
    identify(&mut stations);
    let mut proposal = propose(stations);
    proposal.stations.truncate(MAX_NEIGHBOURS);
    proposal
}

/// Takes down what has answered, and who made it. What turns out to be virtual is left
/// out where the stations are not `named`.
pub fn with_answers(
    mut proposal: Proposal,
    named: bool,
    answer: impl Fn(IpAddr) -> Option<Mac>,
) -> Proposal {
    for station in &mut proposal.stations {
        station.mac = answer(station.address).or(station.mac);
    }
    identify(&mut proposal.stations);
    if named {
        return proposal;
    }
    let mut again = propose(proposal.stations);
    again.left_out.extend(proposal.left_out);
    again
}

/// Looks up who made each station's card.
fn identify(stations: &mut [Station]) {
    let prefix = |mac: Mac| [mac[0], mac[1], mac[2]];
    let macs = stations.iter().filter_map(|station| station.mac);
    let makers = makers(&macs.map(prefix).collect::<Vec<_>>());
    for station in stations {
        if let Some(mac) = station.mac {
            station.maker = makers.get(&prefix(mac)).cloned();
            station.kind = kind(mac, station.maker.as_deref());
        }
    }
}

/// Adds the routers that nobody has spoken with of late: the kernel has forgotten their
/// hardware addresses.
fn add_silent(heard: &mut Vec<Heard>, routers: &[(Ipv4Addr, String)]) {
    for (router, card) in routers {
        let address = IpAddr::V4(*router);
        if !heard.iter().any(|heard| heard.address == address) {
            heard.push(Heard {
                address,
                mac: None,
                card: card.clone(),
                is_router: true,
            });
        }
    }
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

/// Who does what in this network.
struct Roles {
    routers: Vec<Ipv4Addr>,
    name_servers: Vec<Ipv4Addr>,
    switches: LldpSenders,
}

impl Roles {
    fn of(&self, heard: &Heard) -> Role {
        let is_one_of = |list: &[Ipv4Addr]| list.iter().any(|ip| IpAddr::V4(*ip) == heard.address);
        let LldpSenders { addresses, macs } = &self.switches;
        if heard.is_router || is_one_of(&self.routers) {
            Role::Router
        } else if addresses.contains(&heard.address)
            || heard.mac.is_some_and(|mac| macs.contains(&shown(&mac)))
        {
            Role::Switch
        } else if is_one_of(&self.name_servers) {
            Role::NameServer
        } else {
            Role::Talks
        }
    }
}

/// Parses the address of a neighbour that was named.
///
/// # Errors
/// What is wrong with the address.
pub fn neighbour(text: &str) -> Result<IpAddr, String> {
    match text.parse() {
        Ok(IpAddr::V6(ip)) if !ip.is_unicast_link_local() => {
            Err("of IPv6 addresses only link-local ones (fe80::...) stay what they are".into())
        }
        Ok(ip) => Ok(ip),
        Err(error) => Err(error.to_string()),
    }
}

/// What stands around this server, as far as it can be told from here.
pub fn surroundings() -> Surroundings {
    let class = Path::new("/sys/class/net");
    let routes = table(Path::new("/proc/net/route"));
    Surroundings {
        cards: interface::wired().len(),
        wireless: sysfs::list(class)
            .iter()
            .any(|name| class.join(&**name).join("phy80211").exists()),
        vlans: !interface::vlans().is_empty(),
        router: !routers(&routes).is_empty(),
    }
}

/// A factor's value for people: six bytes as a hardware address.
pub fn shown(value: &[u8]) -> String {
    value
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<Vec<_>>()
        .join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_router_that_answers_as_a_virtual_machine_is_left_out() {
        let router = |kind| Station {
            address: [192, 168, 1, 1].into(),
            mac: None,
            role: Role::Router,
            kind,
            maker: None,
            is_on_vlan: false,
        };
        let asked = |named| {
            let proposal = Proposal {
                stations: vec![router(DeviceKind::Any)],
                left_out: Vec::new(),
            };
            with_answers(proposal, named, |_| Some([0x08, 0x00, 0x27, 0, 0, 1]))
        };
        let proposal = asked(false);
        assert_eq!((proposal.stations.len(), proposal.left_out.len()), (0, 1));
        assert_eq!(asked(true).stations[0].kind, DeviceKind::Virtual);
    }

    #[test]
    fn a_switch_is_known_by_what_it_says_of_itself() {
        let report = "lldp.eth0.via=LLDP\nlldp.eth0.chassis.mac=00:1B:21:00:00:02\n\
                      lldp.eth0.chassis.name=a=b\nlldp.eth0.chassis.mgmt-ip=192.168.1.3\n";
        let roles = Roles {
            routers: vec![[192, 168, 1, 1].into()],
            name_servers: vec![[192, 168, 1, 1].into(), [192, 168, 1, 4].into()],
            switches: lldp_senders(report),
        };
        let role = |last| {
            roles.of(&Heard {
                address: [192, 168, 1, last].into(),
                mac: Some([0, 0x1b, 0x21, 0, 0, last]),
                card: "eth0".into(),
                is_router: last == 6,
            })
        };
        assert_eq!(
            [1, 2, 3, 4, 5, 6].map(role),
            [
                Role::Router,
                Role::Switch,
                Role::Switch,
                Role::NameServer,
                Role::Talks,
                Role::Router,
            ]
        );
        assert_eq!(lldp_senders(""), LldpSenders::default());
    }

    #[test]
    fn ipv6_address_of_a_provider_is_no_neighbour() {
        assert!(neighbour("fe80::1").is_ok() && neighbour("10.0.0.1").is_ok());
        for wrong in ["2001:db8::1", "fd00::1", "router", "fe80::1%eth0"] {
            assert!(neighbour(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_router_is_the_gateway_of_the_default_route() {
        let gateway = u32::from_ne_bytes([192, 168, 1, 1]);
        let text = format!(
            "Iface\tDestination\tGateway\tFlags\n\
             eth0\t00000000\t{gateway:08X}\t0003\n\
             eth0\t0001A8C0\t00000000\t0001\n"
        );
        let router = Ipv4Addr::new(192, 168, 1, 1);
        let found = routers(&text);
        assert_eq!(found, [(router, "eth0".to_owned())]);

        // The kernel may have forgotten its hardware address.
        let mut heard = Vec::new();
        add_silent(&mut heard, &found);
        add_silent(&mut heard, &found);
        assert_eq!(heard.len(), 1);
        assert_eq!((heard[0].address, heard[0].mac), (router.into(), None));
    }
}
