//! A network that only a script of the owner's makes in the initramfs: two
//! cards as one, and a VLAN on them.

use qemu_tests::seen::{assert_released, cards, log};
use qemu_tests::{FastMachine, Place, Result};

use crate::key_server::{enroll, key_server, opens_from_its_address};

/// The card that leads home is the second one.
const BOND: &str = r#"#!/bin/sh
for module in bonding 8021q; do
    while read -r file; do insmod "/modules/$file"; done <"/modules/$module"
done
cd /sys/class/net/bond0/bonding
echo active-backup >mode
echo +eth1 >slaves
echo +eth0 >slaves
ip link set bond0 up
"#;

const VLAN: &str = "ip link add link bond0 name bond0.5 type vlan id 5
ip link set bond0.5 up
ip addr add 192.168.77.50/24 dev bond0.5
";

/// A server with two cards, on, with a shell and no vault.
fn with_network(script: &[&str], place: &Place) -> Result<FastMachine> {
    let mut machine = FastMachine::blank()?;
    machine.hardware.other_nic_mac = Some("00:1b:21:3a:4f:11".into());
    machine.put("/scripts/init-top/network", 0o755, script.concat().into());
    machine.boot_to_shell_at(place)?;
    Ok(machine)
}

#[test]
fn a_place_in_a_vlan_on_a_bond_opens_and_leaves_it_as_it_was() -> Result {
    let home = Place::home()?.in_vlan(5)?;
    let servers = [key_server(&home)?];
    let mut machine = with_network(&[BOND, VLAN], &home)?;
    let said = enroll(&mut machine, &servers, 90)?;
    assert!(said.contains("bond0.5\", which is no wired card"), "{said}");
    let before = cards(&mut machine)?;
    assert!(
        before.contains("bond0.5@bond0: <BROADCAST,MULTICAST,UP,LOWER_UP>"),
        "{before}"
    );

    machine.boot_at(&home)?;
    machine.wait_for_release()?;
    assert_released(&mut machine)?;
    let said = log(&mut machine)?;
    assert!(said.contains(", tang "), "{said}");
    assert_eq!(cards(&mut machine)?, before);
    let said = machine.console().transcript();
    assert!(!said.contains("can't open"), "{said}");
    Ok(())
}

#[test]
fn an_address_on_a_bond_is_borrowed_for_a_key_server() -> Result {
    let home = Place::home()?;
    let servers = [key_server(&home)?];
    let mut machine = with_network(&[BOND], &home)?;
    // The shell is there before the script is through.
    machine
        .shell("until ip addr show bond0 | grep -q fe80; do sleep 0.2; done")?
        .success()?;
    let before = cards(&mut machine)?;
    machine
        .shell("ip addr add 192.168.77.50/24 dev bond0")?
        .success()?;
    enroll(&mut machine, &servers, 90)?;
    opens_from_its_address(&mut machine, &home, "bond0", &before)
}
