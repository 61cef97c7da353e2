//! The addresses of stations that may be enrolled: the router, the name servers,
//! and those that this server talks to.

use core::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use super::strength::Surroundings;
use crate::sys::{interface, route, sysfs};

/// Most stations that are enrolled without being named: each one multiplies the
/// permitted combinations.
const MAX_UNNAMED: usize = 5;

/// The stations that were named, else those that are found, the steadiest first.
pub fn neighbours(named: &[IpAddr]) -> Vec<IpAddr> {
    if !named.is_empty() {
        return named.to_vec();
    }
    let text = |path: &str| {
        sysfs::read_text::<65536>(Path::new(path)).map_or_else(String::new, |text| text.to_string())
    };
    let arp = arp_table(&text("/proc/net/arp"), interface::is_on_usb);
    let routers = routers(&text("/proc/net/route"));
    // A name server beyond the router does not answer ARP: only those that
    // the kernel has an address for stand here.
    let name_servers = name_servers(&text("/etc/resolv.conf"));
    let near = name_servers.into_iter().filter(|ip| arp.contains(ip));
    let ipv4 = routers.into_iter().chain(near).chain(arp.clone());
    let mut stations = route::ipv6_neighbours().unwrap_or_default();
    stations.retain(|station| {
        let card = interface::name_of(station.interface);
        !card.is_some_and(|card| interface::is_on_usb(&card))
    });
    let ipv6 = link_local(&stations, &hardware_addresses(&text("/proc/net/arp")));
    let mut found: Vec<IpAddr> = Vec::new();
    for ip in ipv4.map(IpAddr::V4).chain(ipv6) {
        if !found.contains(&ip) && found.len() < MAX_UNNAMED {
            found.push(ip);
        }
    }
    found
}

/// Complete entries of the kernel's ARP table (proc_pid_net(5)). What has a
/// link-local address behind a card on USB is a part of the server itself.
fn arp_table(text: &str, is_on_usb: impl Fn(&str) -> bool) -> Vec<Ipv4Addr> {
    text.lines()
        .skip(1)
        .filter_map(|line| {
            let mut fields = line.split_whitespace();
            let ip: Ipv4Addr = fields.next()?.parse().ok()?;
            let flags = u32::from_str_radix(fields.nth(1)?.trim_start_matches("0x"), 16).ok()?;
            let is_inside = ip.is_link_local() && is_on_usb(fields.nth(2)?);
            // ATF_COM, linux/if_arp.h.
            (flags & 2 != 0 && !is_inside).then_some(ip)
        })
        .collect()
}

/// Hardware addresses in the kernel's ARP table.
fn hardware_addresses(text: &str) -> Vec<String> {
    let lines = text.lines().skip(1);
    let fourth = lines.filter_map(|line| line.split_whitespace().nth(3));
    fourth.map(str::to_ascii_lowercase).collect()
}

/// Link-local addresses of stations that are not in the ARP table as well:
/// enrolling a station twice binds no better. Routers come first.
fn link_local(stations: &[route::Ipv6Neighbour], known: &[String]) -> Vec<IpAddr> {
    let new = stations.iter().filter(|station| {
        station.address.is_unicast_link_local() && !known.contains(&shown(&station.mac))
    });
    let mut new: Vec<&route::Ipv6Neighbour> = new.collect();
    new.sort_by_key(|station| !station.is_router);
    new.iter().map(|station| station.address.into()).collect()
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

/// Gateways of the default routes. The kernel writes them in hex, in native byte
/// order.
fn routers(text: &str) -> Vec<Ipv4Addr> {
    text.lines()
        .skip(1)
        .filter_map(|line| {
            let mut fields = line.split_whitespace().skip(1);
            let destination = fields.next()?;
            let gateway = u32::from_str_radix(fields.next()?, 16).ok()?;
            (destination == "00000000" && gateway != 0)
                .then(|| Ipv4Addr::from(gateway.to_ne_bytes()))
        })
        .collect()
}

fn name_servers(text: &str) -> Vec<Ipv4Addr> {
    text.lines()
        .filter_map(|line| line.strip_prefix("nameserver")?.trim().parse().ok())
        .filter(|ip: &Ipv4Addr| !ip.is_loopback())
        .collect()
}

/// What stands around this server, as far as it can be told from here.
pub fn surroundings() -> Surroundings {
    let class = Path::new("/sys/class/net");
    let routes = sysfs::read_text::<65536>(Path::new("/proc/net/route"));
    Surroundings {
        cards: interface::wired().len(),
        wireless: sysfs::list(class)
            .iter()
            .any(|name| class.join(&**name).join("phy80211").exists()),
        vlans: !interface::vlans().is_empty(),
        router: routes.is_some_and(|text| !routers(&text).is_empty()),
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
    fn only_stations_that_answered_are_in_the_arp_table() {
        let text = "IP address       HW type     Flags       HW address            Mask     Device\n\
             192.168.1.1      0x1         0x2         00:1b:21:00:00:01     *        eth0\n\
             192.168.1.9      0x1         0x0         00:00:00:00:00:00     *        eth0\n";
        let found = arp_table(text, |_| false);
        assert_eq!(found, [Ipv4Addr::new(192, 168, 1, 1)]);
    }

    #[test]
    fn a_controller_inside_the_server_is_not_offered() {
        let text = "IP address       HW type     Flags       HW address            Mask     Device\n\
             169.254.3.1      0x1         0x2         00:1b:21:00:00:01     *        usb0\n\
             169.254.3.2      0x1         0x2         00:1b:21:00:00:02     *        eth0\n\
             192.168.1.1      0x1         0x2         00:1b:21:00:00:03     *        usb1\n";
        let found = arp_table(text, |card| card.starts_with("usb"));
        let outside = [[169, 254, 3, 2], [192, 168, 1, 1]].map(Ipv4Addr::from);
        assert_eq!(found, outside);
    }

    #[test]
    fn a_station_that_ipv4_has_found_is_not_offered_by_ipv6_again() {
        let station = |address: &str, last, is_router| route::Ipv6Neighbour {
            address: address.parse().unwrap(),
            interface: 2,
            mac: [0, 0x1b, 0x21, 0, 0, last],
            is_router,
        };
        let stations = [
            station("fe80::7", 7, false),
            station("fe80::1", 1, true),
            station("fe80::9", 9, true),
            station("2001:db8::8", 8, true),
        ];
        let arp = "IP address HW type Flags HW address Mask Device\n\
                   192.168.1.1 0x1 0x2 00:1B:21:00:00:01 * eth0\n";
        let found = link_local(&stations, &hardware_addresses(arp));
        let expected: [IpAddr; 2] = ["fe80::9", "fe80::7"].map(|ip| ip.parse().unwrap());
        assert_eq!(found, expected);
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
        assert_eq!(routers(&text), [Ipv4Addr::new(192, 168, 1, 1)]);
    }
}
