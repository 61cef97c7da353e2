//! The network that an initramfs sets up before the boot stage, or beside it. Pure.

use std::collections::BTreeSet;

/// What sets up a network in one initramfs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageNetwork {
    /// The words of the scripts that run before the stage, and of `vlan=` on the
    /// kernel's command line where the initramfs knows it.
    words: BTreeSet<String>,
    /// The words of what gives an interface an address.
    addressed: BTreeSet<String>,
    /// Whether something gives an address without saying to which interface.
    gives_others: bool,
}

/// Whether an interface gets an address by something else than the boot stage. The
/// earlier one is the surer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Addressing {
    /// What gives one names it.
    Sure,
    /// Something gives one to an interface that it does not name.
    NotKnown,
    /// Nothing does.
    None,
}

impl ImageNetwork {
    /// From the scripts that run before the stage, the image's scripts/`functions`, its
    /// configuration (`IP=`, `DEVICE=`), and the kernel's command line (`ip=`, `BOOTIF=`).
    pub fn of(
        scripts: &[String],
        functions: &str,
        configuration: &str,
        command_line: &str,
    ) -> Self {
        let mut found = Self::default();
        let mut calls_functions = false;
        for line in scripts.iter().flat_map(|script| commands(script)) {
            let words = words_of(line);
            calls_functions |= words.contains(&"configure_networking");
            if is_about_addresses(&words) {
                // Where it names its device, only that one has the address.
                let names_it = words.contains(&"dev") && !line.contains('$');
                found.gives_others |= !names_it;
                found
                    .addressed
                    .extend(words.iter().map(|word| (*word).to_owned()));
            }
            found.words.extend(words.into_iter().map(str::to_owned));
        }
        if commands(functions).any(|line| line.to_ascii_lowercase().contains("vlan")) {
            let words = command_line.split_whitespace();
            let vlans = words.filter_map(|word| word.strip_prefix("vlan="));
            let names = vlans.flat_map(|vlan| vlan.split([':', ',']));
            found.words.extend(names.map(str::to_owned));
        }
        let of_the_line = |name: &'static str| {
            let words = command_line.split_whitespace();
            words.filter_map(move |word| word.strip_prefix(name))
        };
        let values = of_the_line("ip=").chain(settings(configuration, "IP="));
        // What started the machine over the network counts before the file.
        let default = match of_the_line("BOOTIF=").next() {
            Some(_) => None,
            None => settings(configuration, "DEVICE=").last(),
        };
        let default = default.filter(|name| !name.is_empty());
        let mut asked: Vec<Option<&str>> = values
            .filter(|value| asks_for_a_network(value))
            .map(|value| match value.contains(':') {
                true => device(value),
                false => default,
            })
            .collect();
        if asked.is_empty() && calls_functions {
            asked.push(default);
        }
        // Without a device it takes any card.
        found.gives_others |= asked.contains(&None);
        let devices = asked.into_iter().flatten();
        found.addressed.extend(devices.map(str::to_owned));
        found
    }

    /// Whether a script, or `vlan=`, makes the interface of this name.
    pub fn makes(&self, interface: &str) -> bool {
        self.words.contains(interface)
    }

    /// Whether this interface gets an address by something else than the boot stage.
    pub fn addressing(&self, interface: &str) -> Addressing {
        match self.addressed.contains(interface) {
            true => Addressing::Sure,
            false if self.gives_others => Addressing::NotKnown,
            false => Addressing::None,
        }
    }
}

/// The lines of a script that are no comments.
fn commands(script: &str) -> impl Iterator<Item = &str> {
    let lines = script.lines();
    lines.filter(|line| !line.trim_start().starts_with('#'))
}

/// The values that a configuration file of shell sets for this name, its `=` included.
fn settings<'a>(configuration: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let lines = configuration.lines().map(str::trim);
    let values = lines.filter_map(move |line| line.strip_prefix(name));
    values.map(|value| value.trim_matches(['"', '\'']))
}

/// The device that a value of `ip=` names (initramfs-tools(7)), the sixth of its fields.
fn device(value: &str) -> Option<&str> {
    value.split(':').nth(5).filter(|name| !name.is_empty())
}

/// The words of a line of shell, without what is around them.
fn words_of(line: &str) -> Vec<&str> {
    let separators = |c: char| c.is_whitespace() || ";|&(){}`$\"'=<>".contains(c);
    let words = line.split(separators);
    words.filter(|word| !word.is_empty()).collect()
}

/// Whether a command in the line gives a card an address, as people write it.
fn is_about_addresses(words: &[&str]) -> bool {
    const PROGRAMS: [&str; 5] = ["dhclient", "dhcpcd", "ifconfig", "ipconfig", "udhcpc"];
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
    use super::Addressing::{None, NotKnown, Sure};
    use super::*;

    /// As docs/architecture.md shows it.
    const VLAN: &str = "#!/bin/sh\nPREREQ=\"udev\"\n\
        ip link add link eth0 name eth0.5 type vlan id 5\n\
        ip link set eth0 up\nip link set eth0.5 up\n\
        ip addr add 192.168.77.50/24 dev eth0.5\n";

    fn network(script: &str, configuration: &str, command_line: &str) -> ImageNetwork {
        ImageNetwork::of(&[script.to_owned()], "", configuration, command_line)
    }

    #[test]
    fn the_owners_script_makes_what_it_names() {
        let made = network(VLAN, "", "");
        assert!(made.makes("eth0.5"));
        assert_eq!(made.addressing("eth0.5"), Sure);
        assert!(!made.makes("eth0.7"));
        assert_eq!(made.addressing("eth0.7"), None);
        let commented = VLAN.replace("ip ", "# ip ");
        let nothing = network(&commented, "", "");
        assert!(!nothing.makes("eth0.5"));
        assert_eq!(nothing.addressing("eth0.5"), None);
    }

    #[test]
    fn a_script_without_an_address_gives_none() {
        for (line, first, second) in [
            ("ip link set eth0 up", None, None),
            ("udevadm settle", None, None),
            ("ip addr flush dev eth0", None, None),
            ("ip address replace 10.0.0.2/24 dev eth0", Sure, None),
            ("ip addr add 10.0.0.2/24 dev $card", NotKnown, NotKnown),
            ("/sbin/ipconfig -t 10 eth0", Sure, NotKnown),
            ("    configure_networking &", NotKnown, NotKnown),
        ] {
            let found = network(line, "", "");
            let found = ["eth0", "eth1"].map(|name| found.addressing(name));
            assert_eq!(found, [first, second], "{line}");
        }
    }

    #[test]
    fn a_network_is_asked_for_on_the_command_line_or_in_a_file() {
        const ONE: &str = "ip=10.0.0.2::10.0.0.1:255.255.255.0::eth0:off";
        for (configuration, command_line, first, second) in [
            ("", "quiet ip=dhcp", NotKnown, NotKnown),
            ("", ONE, Sure, None),
            ("", "ip=:::::eth0:dhcp ip=:::::eth1:dhcp", Sure, Sure),
            ("IP=\"dhcp\"\n", "quiet", NotKnown, NotKnown),
            ("IP=\n# IP=dhcp\n", "ip=off", None, None),
            ("", "quiet", None, None),
        ] {
            for script in ["", "configure_networking &"] {
                if script.is_empty() || first != None {
                    let found = network(script, configuration, command_line);
                    let found = ["eth0", "eth1"].map(|name| found.addressing(name));
                    assert_eq!(found, [first, second], "{configuration} {command_line}");
                }
            }
        }
    }

    #[test]
    fn the_card_that_the_configuration_names_is_the_one() {
        const ETH0: &str = "DEVICE=eth1\nDEVICE=\"eth0\"\n";
        let with_ip = format!("{ETH0}IP=dhcp\n");
        for (configuration, command_line, first, second) in [
            (ETH0, "quiet", Sure, None),
            (ETH0, "ip=dhcp", Sure, None),
            (&with_ip, "quiet", Sure, None),
            // It names another one, or none, by itself.
            (ETH0, "ip=:::::eth1:dhcp", None, Sure),
            (
                ETH0,
                "ip=10.0.0.2::10.0.0.1:255.255.255.0",
                NotKnown,
                NotKnown,
            ),
            (ETH0, "BOOTIF=01-00-11-22-33-44-55", NotKnown, NotKnown),
            ("DEVICE=\n", "ip=dhcp", NotKnown, NotKnown),
            ("# DEVICE=eth0\n", "ip=dhcp", NotKnown, NotKnown),
        ] {
            let found = network("configure_networking &", configuration, command_line);
            let found = ["eth0", "eth1"].map(|name| found.addressing(name));
            assert_eq!(found, [first, second], "{configuration} {command_line}");
        }
        assert_eq!(network("", ETH0, "").addressing("eth0"), None);
    }

    #[test]
    fn vlan_on_the_command_line_counts_where_scripts_know_it() {
        let makes = |functions: &str| {
            let found = ImageNetwork::of(&[], functions, "", "quiet vlan=eth0.5:eth0");
            found.makes("eth0.5")
        };
        assert!(!makes(
            "configure_networking()\n{\n\tipconfig -t 60 eth0\n}\n"
        ));
        assert!(!makes("# knows no vlan=\n"));
        assert!(makes("\tif [ -n \"${VLAN}\" ]; then\n"));
    }
}
