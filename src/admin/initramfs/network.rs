//! The network that an initramfs sets up before the boot stage, or beside it. Pure.

use std::collections::BTreeSet;

/// What sets up a network in one initramfs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageNetwork {
    /// The words of the scripts that run before the stage, and of `vlan=` on the
    /// kernel's command line.
    words: BTreeSet<String>,
    /// Whether something gives a card an address.
    gives_addresses: bool,
}

impl ImageNetwork {
    /// From the scripts that run before the stage, the image's configuration (`IP=`),
    /// and the kernel's command line (`ip=`).
    pub fn of(scripts: &[String], configuration: &str, command_line: &str) -> Self {
        let mut words = BTreeSet::new();
        let mut gives_addresses = false;
        let lines = scripts.iter().flat_map(|script| script.lines());
        for line in lines.filter(|line| !line.trim_start().starts_with('#')) {
            let of_line = words_of(line);
            gives_addresses |= is_about_addresses(&of_line);
            words.extend(of_line.into_iter().map(str::to_owned));
        }
        for word in command_line.split_whitespace() {
            if let Some(vlan) = word.strip_prefix("vlan=") {
                words.extend(vlan.split([':', ',']).map(str::to_owned));
            }
        }
        let settings = command_line
            .split_whitespace()
            .filter_map(|word| word.strip_prefix("ip="));
        let in_file = configuration.lines().filter_map(|line| {
            let value = line.trim().strip_prefix("IP=")?;
            Some(value.trim_matches(['"', '\'']))
        });
        gives_addresses |= settings.chain(in_file).any(asks_for_a_network);
        Self {
            words,
            gives_addresses,
        }
    }

    /// Whether a script, or `vlan=`, makes the interface of this name.
    pub fn makes(&self, interface: &str) -> bool {
        self.words.contains(interface)
    }

    /// Whether a card gets an address by something else than the boot stage.
    pub const fn gives_addresses(&self) -> bool {
        self.gives_addresses
    }
}

/// The words of a line of shell, without what is around them.
fn words_of(line: &str) -> Vec<&str> {
    let separators = |c: char| c.is_whitespace() || ";|&(){}`$\"'=<>".contains(c);
    let words = line.split(separators);
    words.filter(|word| !word.is_empty()).collect()
}

/// Whether a command in the line gives a card an address, as people write it.
fn is_about_addresses(words: &[&str]) -> bool {
    const PROGRAMS: [&str; 6] = [
        "configure_networking",
        "dhclient",
        "dhcpcd",
        "ifconfig",
        "ipconfig",
        "udhcpc",
    ];
    let named = words.iter().any(|word| {
        let program = word.rsplit('/').next().unwrap_or(word);
        PROGRAMS.contains(&program)
    });
    let mut pairs = words.iter().zip(words.iter().skip(1));
    named
        || pairs.any(|(object, verb)| {
            matches!(*object, "a" | "addr" | "address")
                && matches!(*verb, "a" | "add" | "change" | "replace")
        })
}

/// The values by which initramfs-tools(7) leaves the network alone.
fn asks_for_a_network(value: &str) -> bool {
    !matches!(value, "" | "none" | "off" | "done")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As docs/architecture.md shows it.
    const VLAN: &str = "#!/bin/sh\nPREREQ=\"udev\"\n\
        ip link add link eth0 name eth0.5 type vlan id 5\n\
        ip link set eth0 up\nip link set eth0.5 up\n\
        ip addr add 192.168.77.50/24 dev eth0.5\n";

    fn network(script: &str, configuration: &str, command_line: &str) -> ImageNetwork {
        ImageNetwork::of(&[script.to_owned()], configuration, command_line)
    }

    #[test]
    fn the_owners_script_makes_what_it_names() {
        let made = network(VLAN, "", "");
        assert!(made.makes("eth0.5") && made.gives_addresses());
        assert!(!made.makes("eth0.7"));
        let commented = VLAN.replace("ip ", "# ip ");
        let nothing = network(&commented, "", "");
        assert!(!nothing.makes("eth0.5") && !nothing.gives_addresses());
    }

    #[test]
    fn a_script_without_an_address_gives_none() {
        for (line, gives) in [
            ("ip link set eth0 up", false),
            ("udevadm settle", false),
            ("ip address replace 10.0.0.2/24 dev eth0", true),
            ("/sbin/ipconfig -t 10 eth0", true),
            ("    configure_networking &", true),
        ] {
            assert_eq!(network(line, "", "").gives_addresses(), gives, "{line}");
        }
    }

    #[test]
    fn a_network_is_asked_for_on_the_command_line_or_in_a_file() {
        for (configuration, command_line, gives) in [
            ("", "quiet ip=dhcp", true),
            ("", "ip=10.0.0.2::10.0.0.1:255.255.255.0::eth0:off", true),
            ("IP=\"dhcp\"\n", "quiet", true),
            ("IP=\n# IP=dhcp\n", "ip=off", false),
            ("", "quiet", false),
        ] {
            let found = network("", configuration, command_line);
            assert_eq!(
                found.gives_addresses(),
                gives,
                "{configuration} {command_line}"
            );
        }
        assert!(network("", "", "vlan=eth0.5:eth0").makes("eth0.5"));
    }
}
