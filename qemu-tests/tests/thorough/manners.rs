//! The neighbours keep what is theirs: nothing that this server asks takes a
//! station's address from it.

use std::time::Instant;

use qemu_tests::{FastMachine, Neighbour, Place, Result, minutes, seconds};

const ROUTER: &str = "192.168.77.1";
const PRINTER: &str = "192.168.77.2";
const LATE: &str = "192.168.77.3";

/// Two stations whose addresses dhcpcd looks after: a fixed one and a leased one.
fn add_fixed_and_leased(place: &Place, fixed: &Neighbour, leased: &Neighbour) -> Result {
    place.add_dhcp_client(fixed)?;
    place.add_leasing_dhcp_client(leased)?;
    wait_for(place, &fixed.ip)?;
    wait_for(place, &leased.ip)
}

/// Waits until a DHCP client has its address.
fn wait_for(place: &Place, ip: &str) -> Result {
    let start = Instant::now();
    while !place.dhcp_client_has(ip)? {
        assert!(start.elapsed() < minutes(1), "{ip} got no address");
        std::thread::sleep(seconds(1));
    }
    Ok(())
}

/// Holds that they have their addresses all the while.
fn keep_theirs(place: &Place, ips: &[&str], seconds_long: u64) -> Result {
    for second in 0..seconds_long {
        for ip in ips {
            assert!(
                place.dhcp_client_has(ip)?,
                "{ip} has lost it after {second} s"
            );
        }
        std::thread::sleep(seconds(1));
    }
    Ok(())
}

#[test]
fn a_prompt_open_for_minutes_takes_no_neighbours_address() -> Result {
    let place = Place::empty()?;
    add_fixed_and_leased(
        &place,
        &Neighbour::new(ROUTER, "00:26:f2:90:00:01"),
        &Neighbour::new(PRINTER, "00:26:f2:90:00:02"),
    )?;
    let mut machine = FastMachine::clinic()?;
    machine.mostly_waits = true;
    machine.boot_at(&place)?;
    machine.wait_for_prompt()?;
    // One that is switched on now asks whether its address is free.
    place.add_dhcp_client(&Neighbour::new(LATE, "00:26:f2:90:00:03"))?;
    wait_for(&place, LATE)?;
    keep_theirs(&place, &[ROUTER, PRINTER, LATE], 300)
}

#[test]
fn a_watch_and_every_command_take_no_neighbours_address() -> Result {
    let place = Place::empty()?;
    let home = Place::home_neighbours();
    add_fixed_and_leased(&place, &home[0], &home[1])?;
    let mut machine = FastMachine::clinic()?;
    machine.mostly_waits = true;
    machine.boot_to_shell_at(&place)?;
    machine
        .shell(
            "ip link set eth0 up; ip addr add 192.168.77.50/24 dev eth0; \
             stayput policy --watch-every 5 && { stayput watch >/run/watch.log 2>&1 & }",
        )?
        .success()?;
    for command in [
        "stayput status",
        "stayput check",
        "stayput simulate --without place",
        "stayput audit",
        "stayput enroll --yes --neighbour 192.168.77.1 --neighbour 192.168.77.2",
        "stayput enroll --refresh --yes",
    ] {
        machine.shell_within(command, minutes(2))?;
        keep_theirs(&place, &[ROUTER, PRINTER], 5)?;
    }
    keep_theirs(&place, &[ROUTER, PRINTER], 40)
}
