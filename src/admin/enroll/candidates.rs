//! Stations worth asking: the router, the name servers, and those that this
//! server talks to.

use core::net::Ipv4Addr;
use std::path::Path;

use super::strength::Surroundings;
use crate::sys::{interface, sysfs};
use crate::vault::Value;

/// Stations that are enrolled without being named, at most: each further one
/// multiplies the permitted combinations.
const MAX_UNNAMED: usize = 5;

/// The ones that were named; else those that are found, the steadiest first.
pub fn neighbours(named: &[Ipv4Addr]) -> Vec<Ipv4Addr> {
    if !named.is_empty() {
        return named.to_vec();
    }
    let text = |path: &str| {
        sysfs::read_text::<65536>(Path::new(path)).map_or_else(String::new, |text| text.to_string())
    };
    let arp = arp_table(&text("/proc/net/arp"));
    let routers = routers(&text("/proc/net/route"));
    // A name server beyond the router does not answer ARP: only those that
    // the kernel has an address for stand here.
    let name_servers = name_servers(&text("/etc/resolv.conf"));
    let near = name_servers.into_iter().filter(|ip| arp.contains(ip));
    let mut found: Vec<Ipv4Addr> = Vec::new();
    for ip in routers.into_iter().chain(near).chain(arp.clone()) {
        if !found.contains(&ip) && found.len() < MAX_UNNAMED {
            found.push(ip);
        }
    }
    found
}

/// Complete entries of the kernel's ARP table (proc_pid_net(5)).
fn arp_table(text: &str) -> Vec<Ipv4Addr> {
    text.lines()
        .skip(1)
        .filter_map(|line| {
            let mut fields = line.split_whitespace();
            let ip = fields.next()?.parse().ok()?;
            let flags = u32::from_str_radix(fields.nth(1)?.trim_start_matches("0x"), 16).ok()?;
            // ATF_COM, linux/if_arp.h.
            (flags & 2 != 0).then_some(ip)
        })
        .collect()
}

/// Gateways of default routes; the kernel writes them as hex, in its own byte
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

/// What this server's network looks like from here.
pub fn surroundings() -> Surroundings {
    let class = Path::new("/sys/class/net");
    let route = sysfs::read_text::<65536>(Path::new("/proc/net/route"));
    Surroundings {
        cards: interface::wired().len(),
        wireless: sysfs::list(class)
            .iter()
            .any(|name| class.join(&**name).join("phy80211").exists()),
        router: route.is_some_and(|text| !routers(&text).is_empty()),
    }
}

/// A hardware address as people write it.
pub fn shown(value: &Value) -> String {
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
        assert_eq!(arp_table(text), [Ipv4Addr::new(192, 168, 1, 1)]);
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
