//! The server at its enrolled address while it is locked; and neighbours that
//! are known by IPv6.

use qemu_tests::seen::{assert_released, card, reaches, stays_locked};
use qemu_tests::{FastMachine, Neighbour, Place, Result};

use crate::suspect::wait_for_log;

const OWN: &str = "192.168.77.10";
/// Before the clinic gave it that one.
const FORMER: &str = "192.168.77.9";

/// The clinic's server, off, with its address enrolled, which was another one
/// at first; and what its card looks like before the stage.
fn clinic_with_address() -> Result<(FastMachine, String)> {
    let mut machine = FastMachine::clinic()?;
    machine.boot_to_shell_at(&Place::home()?)?;
    let before = card(&mut machine)?;
    let said = machine
        .shell(&format!(
            "ip link set eth0 up && ip addr add {FORMER}/24 dev eth0 && \
             ip route add default via 192.168.77.1 && \
             stayput enroll --yes --address --machine-need 4 --place-need 3 \
             --neighbour 192.168.77.1 --neighbour 192.168.77.2 --neighbour 192.168.77.3 && sync"
        ))?
        .success()?;
    let told = format!("{FORMER}/24, through 192.168.77.1");
    assert!(said.contains(&told), "{said}");
    machine
        .shell(&format!(
            "ip addr del {FORMER}/24 dev eth0 && ip addr add {OWN}/24 dev eth0 && \
             ip route add default via 192.168.77.1"
        ))?
        .success()?;
    let moved = format!("enrolled as {FORMER}/24, its card has {OWN}/24 now");
    let check = machine.shell("stayput check")?.text;
    assert!(check.contains("has while it is locked"), "{check}");
    let refresh = "stayput enroll --refresh --yes && sync";
    let said = machine.shell(refresh)?.success()?;
    assert!(said.contains(&moved), "{said}");
    let again = machine.shell(refresh)?.success()?;
    assert!(
        again.contains("Nothing that answers has changed."),
        "{again}"
    );
    Ok((machine, before))
}

fn has_address(machine: &mut FastMachine) -> Result<bool> {
    Ok(card(machine)?.contains(OWN))
}

#[test]
fn a_locked_server_borrows_its_address_and_gives_it_back() -> Result {
    let (mut machine, before) = clinic_with_address()?;
    // The router is there, the others are late; somebody else was given the
    // address while the server was off.
    let home = Place::home_neighbours();
    let somebody = Neighbour::new(OWN, "00:26:f2:90:00:0a");
    let place = Place::with(&[home[0].clone(), somebody])?;
    machine.boot_at(&place)?;
    let taken = format!("{OWN} belongs to another station");
    wait_for_log(&mut machine, &taken)?;
    machine.wait_for_prompt()?;
    assert!(!has_address(&mut machine)?);

    place.remove(OWN)?;
    let used = format!("this server is at {OWN} on eth0");
    wait_for_log(&mut machine, &used)?;
    reaches(&mut machine, &place, "192.168.77.1")?;
    let ways = machine.shell("ip route")?.success()?;
    assert!(ways.contains("default via 192.168.77.1"), "{ways}");

    // A stage that is killed leaves it to nobody for long; the next one goes on.
    machine.shell("kill -9 $(pidof stayput-boot)")?.success()?;
    machine
        .shell(&format!(
            "until [ $(dmesg | grep -c '{used}') = 2 ]; do sleep 0.2; done"
        ))?
        .success()?;
    reaches(&mut machine, &place, "192.168.77.1")?;

    for neighbour in &home[1..] {
        place.add(neighbour)?;
    }
    machine.wait_for_release()?;
    assert_released(&mut machine)?;
    assert_eq!(card(&mut machine)?, before);
    assert_eq!(machine.shell("ip route")?.success()?, "");
    Ok(())
}

/// A router that is known by its link-local address, in a network where the
/// others have IPv4.
fn with_ipv6(router: Neighbour) -> Result<Place> {
    let mut neighbours = Place::home_neighbours();
    neighbours.push(router);
    Place::with(&neighbours)
}

#[test]
fn the_router_known_by_ipv6_opens_and_another_does_not() -> Result {
    let home = with_ipv6(Neighbour::new("fe80::1", "00:0d:b9:41:7a:06"))?;
    let mut machine = FastMachine::clinic()?;
    machine.boot_to_shell_at(&home)?;
    let enroll = |router: &str| {
        format!(
            "stayput enroll --yes --machine-need 4 --place-need 2 --neighbour 192.168.77.2 \
             --neighbour {router} && sync"
        )
    };
    let telling = "fe80::20d:b9ff:fe41:7a09";
    home.add(&Neighbour::new(telling, "00:0d:b9:41:7a:09"))?;
    let refused = machine.shell(&enroll(telling))?;
    assert!(!refused.ok(), "{refused}");
    assert!(refused.text.contains("tells its hardware"), "{refused}");
    let said = machine.shell(&enroll("fe80::1"))?.success()?;
    assert!(
        said.contains("nd fe80::1 (00:0d:b9:41:7a:06): taken"),
        "{said}"
    );

    machine.boot_at(&home)?;
    machine.wait_for_release()?;
    assert_released(&mut machine)?;
    let replaced = with_ipv6(Neighbour::new("fe80::1", "00:26:f2:90:00:06"))?;
    stays_locked(&mut machine, &replaced)
}
