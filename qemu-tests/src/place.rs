//! A place where a server stands: a network with neighbours.
//!
//! A network namespace with a bridge; the machine's network card is a tap on
//! it, and each neighbour is a veth with its own MAC and IP, for which the
//! host's kernel answers ARP as a real device would.

use std::process::{Child, Command};
use std::sync::Mutex;

use crate::dhcp_client::{DhcpClient, DhcpServer};
use crate::failure::run;
use crate::scratch::next_number;
use crate::trunk::Trunk;
use crate::{Failure, Result};

/// A device in the same network as the server. The address is an IPv4 one, or
/// a link-local one of IPv6.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    pub ip: String,
    pub mac: String,
}

impl Neighbour {
    pub fn new(ip: &str, mac: &str) -> Self {
        Self {
            ip: ip.into(),
            mac: mac.into(),
        }
    }
}

/// Where the cables of the machine's network card and of its other one end; and that of
/// a second machine, while the first one is there.
const TAP: &str = "tap";
const OTHER_TAP: &str = "tap-other";
const SECOND_TAP: &str = "tap-second";

fn tap_cable(name: &str) -> String {
    format!("tap,ifname={name},script=no,downscript=no")
}

/// One network. It, and all in it, is removed when this is dropped.
pub struct Place {
    namespace: String,
    /// IP and the name of the veth that answers for it.
    devices: Mutex<Vec<(String, String)>>,
    greeters: Mutex<Vec<Child>>,
    /// Stations that a real DHCP client looks after, and what leases to them.
    clients: Mutex<Vec<DhcpClient>>,
    dhcp_servers: Mutex<Vec<DhcpServer>>,
    /// The machine's cable leads to a switch's port that carries a VLAN.
    trunk: Option<Trunk>,
}

/// Namespaces of this project are `stayput-<process>-<number>`.
pub(crate) const PREFIX: &str = "stayput-";

impl Place {
    /// The clinic: a router and two more devices, in 192.168.77.0/24.
    pub fn home() -> Result<Self> {
        Self::with(&Self::home_neighbours())
    }

    /// The same network plan, as many places have it, but other devices.
    pub fn elsewhere() -> Result<Self> {
        Self::with(&[
            Neighbour::new("192.168.77.1", "00:26:f2:90:00:01"),
            Neighbour::new("192.168.77.2", "00:26:f2:90:00:02"),
            Neighbour::new("192.168.77.3", "00:26:f2:90:00:03"),
        ])
    }

    /// A table with nothing but a power socket: a cable, and nobody answers.
    pub fn empty() -> Result<Self> {
        Self::with(&[])
    }

    pub fn home_neighbours() -> Vec<Neighbour> {
        vec![
            Neighbour::new("192.168.77.1", "00:0d:b9:41:7a:01"),
            Neighbour::new("192.168.77.2", "00:11:32:8c:20:02"),
            Neighbour::new("192.168.77.3", "3c:2a:f4:05:60:03"),
        ]
    }

    pub fn with(neighbours: &[Neighbour]) -> Result<Self> {
        remove_left_behind();
        let namespace = format!("{PREFIX}{}-{}", std::process::id(), next_number());
        run("ip", &["netns", "add", &namespace])
            .map_err(|e| Failure::new(format!("no network namespace (this needs root): {e}")))?;
        let place = Self {
            namespace,
            devices: Mutex::new(Vec::new()),
            greeters: Mutex::new(Vec::new()),
            clients: Mutex::new(Vec::new()),
            dhcp_servers: Mutex::new(Vec::new()),
            trunk: None,
        };
        // All neighbours share this kernel: each may answer only for the
        // address of the device that was asked.
        place.inside(&[
            "sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2",
            "sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0",
            "sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1",
            "ip link set lo up",
            "ip link add bridge type bridge forward_delay 0 mcast_snooping 0",
            "ip link set bridge up",
            &format!("ip tuntap add dev {TAP} mode tap"),
            &format!("ip link set {TAP} master bridge up"),
            &format!("ip tuntap add dev {OTHER_TAP} mode tap"),
            &format!("ip link set {OTHER_TAP} up"),
            &format!("ip tuntap add dev {SECOND_TAP} mode tap"),
            &format!("ip link set {SECOND_TAP} master bridge up"),
        ])?;
        for neighbour in neighbours {
            place.add(neighbour)?;
        }
        Ok(place)
    }

    /// The same place in a VLAN: a machine sees nobody without that tag.
    pub fn in_vlan(mut self, vlan: u16) -> Result<Self> {
        self.trunk = Some(Trunk::to(&self.namespace, TAP, vlan)?);
        Ok(self)
    }

    /// The cable of the machine's network card, as QEMU wants it said.
    pub(crate) fn cable(&self) -> Result<String> {
        if let Some(trunk) = &self.trunk {
            return Ok(trunk.cable());
        }
        let link = run("ip", &["-n", &self.namespace, "link", "show", TAP])?;
        let is_taken = link.contains("LOWER_UP");
        Ok(tap_cable(if is_taken { SECOND_TAP } else { TAP }))
    }

    /// That of its other card: no neighbour is there.
    pub(crate) fn other_cable(&self) -> String {
        tap_cable(OTHER_TAP)
    }

    /// Switches a neighbour on; also while a machine runs here.
    pub fn add(&self, neighbour: &Neighbour) -> Result {
        let host = format!("host{}", next_number());
        let Neighbour { ip, mac } = neighbour;
        let address = match ip.contains(':') {
            true => format!(
                "ip link set {host} addrgenmode none && \
                 sysctl -qw net.ipv6.conf.{host}.disable_ipv6=0 && \
                 ip addr add {ip}/64 dev {host} nodad"
            ),
            false => format!("ip addr add {ip}/24 dev {host}"),
        };
        self.inside(&[
            &format!("ip link add {host} address {mac} type veth peer name p{host}"),
            &format!("ip link set p{host} master bridge up"),
            &format!("ip link set {host} up"),
            &address,
        ])?;
        self.devices.lock().unwrap().push((ip.clone(), host));
        Ok(())
    }

    /// Switches the neighbour with this address off.
    pub fn remove(&self, ip: &str) -> Result {
        let mut devices = self.devices.lock().unwrap();
        let at = devices
            .iter()
            .position(|(known, _)| known == ip)
            .ok_or_else(|| Failure::new(format!("nobody here has {ip}")))?;
        let (_, host) = devices.remove(at);
        self.inside(&[&format!("ip link del {host}")])
    }

    /// Puts another device in the place of the one with this address.
    pub fn replace(&self, neighbour: &Neighbour) -> Result {
        self.remove(&neighbour.ip)?;
        self.add(neighbour)
    }

    /// Somebody here answers the next caller at this TCP port with "hello".
    pub fn greet_at(&self, port: u16) -> Result {
        let greeter = Command::new("ip")
            .args(["netns", "exec", &self.namespace, "setpriv"])
            .args(["--pdeathsig", "KILL", "busybox", "nc", "-l", "-p"])
            .args([&port.to_string(), "-e", "/bin/echo", "hello"])
            .spawn()?;
        self.greeters.lock().unwrap().push(greeter);
        Ok(())
    }

    /// Switches a station on whose address a real dhcpcd looks after: a fixed one.
    /// It takes some seconds until it has it.
    pub fn add_dhcp_client(&self, neighbour: &Neighbour) -> Result {
        let client = DhcpClient::with_fixed_address(&self.namespace, neighbour)?;
        self.clients.lock().unwrap().push(client);
        Ok(())
    }

    /// The same, and the address is leased by a DHCP server that comes with it.
    pub fn add_leasing_dhcp_client(&self, neighbour: &Neighbour) -> Result {
        self.lease(neighbour)?;
        let client = DhcpClient::with_lease(&self.namespace, neighbour)?;
        self.clients.lock().unwrap().push(client);
        Ok(())
    }

    /// A DHCP server leases this address to the machine with that network card.
    pub fn lease(&self, to: &Neighbour) -> Result {
        let server = DhcpServer::start(&self.namespace, to)?;
        self.dhcp_servers.lock().unwrap().push(server);
        Ok(())
    }

    /// Whether the DHCP client with this address has it now.
    pub fn dhcp_client_has(&self, ip: &str) -> Result<bool> {
        let clients = self.clients.lock().unwrap();
        let client = clients.iter().find(|client| client.ip == ip);
        client
            .ok_or_else(|| Failure::new(format!("no DHCP client here is to have {ip}")))?
            .has_its_address()
    }

    /// The name of the network namespace, for `ip netns exec`.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    fn inside(&self, commands: &[&str]) -> Result {
        let script = commands.join(" && ");
        run(
            "ip",
            &["netns", "exec", &self.namespace, "sh", "-c", &script],
        )?;
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for greeter in self.greeters.get_mut().unwrap() {
            let _ = greeter.kill();
            let _ = greeter.wait();
        }
        self.clients.get_mut().unwrap().clear();
        self.dhcp_servers.get_mut().unwrap().clear();
        let _ = run("ip", &["netns", "del", &self.namespace]);
    }
}

/// Removes the places of test processes that were killed.
fn remove_left_behind() {
    let Ok(list) = run("ip", &["netns", "list"]) else {
        return;
    };
    for name in list
        .lines()
        .filter_map(|line| line.split_whitespace().next())
    {
        let owner = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
        let has_gone = |pid: u32| !std::path::Path::new(&format!("/proc/{pid}")).exists();
        if owner.is_some_and(has_gone) {
            let _ = run("ip", &["netns", "del", name]);
        }
    }
}
