//! Key servers in the next room.

use std::time::Instant;

use qemu_tests::seen::{assert_locked, assert_released, cards, log, opens_soon_after};
use qemu_tests::{FastMachine, KeyServer, Place, Result, minutes, seconds};

use crate::suspect::wait_for_log;

const INIT: &str = "stayput init --name clinic --disk /dev/vda --yes";

/// The address that the running system gives to this card.
fn address(card: &str) -> String {
    format!("ip link set {card} up && ip addr add 192.168.77.50/24 dev {card}")
}

pub fn key_server(place: &Place) -> Result<KeyServer> {
    KeyServer::at(place, "192.168.77.9", "00:25:90:77:01:09")
}

fn three_key_servers(place: &Place) -> Result<[KeyServer; 3]> {
    Ok([
        key_server(place)?,
        KeyServer::at(place, "192.168.77.8", "00:25:90:77:01:08")?,
        KeyServer::at(place, "192.168.77.7", "00:25:90:77:01:07")?,
    ])
}

/// The clinic's server, enrolled with its neighbours and these key servers; on,
/// with a shell.
pub fn enrolled(home: &Place, servers: &[KeyServer], wait: u8) -> Result<FastMachine> {
    let mut machine = FastMachine::blank()?;
    machine.boot_to_shell_at(home)?;
    machine.shell(&address("eth0"))?.success()?;
    enroll(&mut machine, servers, wait)?;
    Ok(machine)
}

/// Sets a server up that has an address in its place; what enrolling said.
pub fn enroll(machine: &mut FastMachine, servers: &[KeyServer], wait: u8) -> Result<String> {
    machine.shell(INIT)?.success()?;
    let mut enroll = String::from(
        "stayput enroll --yes --neighbour 192.168.77.1 --neighbour 192.168.77.2 \
         --neighbour 192.168.77.3",
    );
    for server in servers {
        let (url, thumbprint) = (server.url(), server.thumbprint()?);
        enroll += &format!(" --tang {url} --thumbprint {thumbprint}");
    }
    let said = machine.shell_within(&enroll, minutes(5))?.success()?;
    assert_eq!(
        said.matches(":7500: taken").count(),
        servers.len(),
        "{said}"
    );
    let (need, of) = (servers.len().div_ceil(2), servers.len());
    let needed = format!("{need} of {of} key servers. Strong");
    assert!(said.contains(&needed), "{said}");
    machine
        .shell(&format!("stayput policy --wait {wait} && sync"))?
        .success()?;
    machine.keep_vault_conf()?;
    Ok(said)
}

/// Boots it: it opens with its address on this card, and leaves all cards as they
/// were before.
pub fn opens_from_its_address(
    machine: &mut FastMachine,
    home: &Place,
    card: &str,
    before: &str,
) -> Result {
    machine.boot_at(home)?;
    machine.wait_for_release()?;
    assert_released(machine)?;
    let said = log(machine)?;
    let used = format!("this server is at 192.168.77.50 on {card}");
    assert!(said.contains(&used), "{said}");
    assert_eq!(cards(machine)?, before);
    Ok(())
}

#[test]
fn a_place_behind_the_second_card_opens() -> Result {
    let home = Place::home()?;
    let servers = [key_server(&home)?];
    let mut machine = FastMachine::blank()?;
    machine.hardware.other_nic_mac = Some("00:1b:21:3a:4f:11".into());
    machine.boot_to_shell_at(&home)?;
    let before = cards(&mut machine)?;
    assert!(before.contains("eth1: <BROADCAST,MULTICAST>"), "{before}");
    machine.shell(&address("eth1"))?.success()?;
    enroll(&mut machine, &servers, 90)?;

    opens_from_its_address(&mut machine, &home, "eth1", &before)
}

#[test]
fn two_of_three_key_servers_open_and_one_does_not() -> Result {
    let home = Place::home()?;
    let mut servers = three_key_servers(&home)?;
    let mut machine = enrolled(&home, &servers, 6)?;

    // One is off: nobody notices. The server has its address in the boot stage.
    servers[0].switch_off();
    machine.boot_at(&home)?;
    machine.wait_for_release()?;
    assert_released(&mut machine)?;
    let said = log(&mut machine)?;
    assert!(said.contains(", tang "), "{said}");
    machine.power_cut();

    // Two are off: the neighbours and one key server open nothing, a person
    // sees what is missing, and when the wait is over it is no strike.
    servers[1].switch_off();
    machine.boot_at(&home)?;
    machine.wait_for_prompt()?;
    machine.console().type_line("status")?;
    machine
        .console()
        .wait_for("Key servers: 1 of 3 answer", seconds(20))?;
    machine
        .console()
        .expect_silence_about("accepted", seconds(8))?;
    assert_locked(&mut machine)?;
    let said = log(&mut machine)?;
    assert!(!said.contains("strike"), "{said}");
    // One comes back while the prompt waits: nobody needs to do anything.
    let up = Instant::now();
    servers[0].switch_on()?;
    opens_soon_after(up, &mut machine)?;
    machine.power_cut();
    drop(servers);

    // Stolen: the thief's network has the same addresses, and key servers.
    let elsewhere = Place::elsewhere()?;
    let _others = three_key_servers(&elsewhere)?;
    machine.boot_at(&elsewhere)?;
    machine.wait_for_prompt()?;
    wait_for_log(&mut machine, "a foreign place: strike 1 of 3")?;
    assert_locked(&mut machine)
}

#[test]
fn a_key_server_with_rotated_keys_still_opens() -> Result {
    let home = Place::home()?;
    let servers = [key_server(&home)?];
    let mut machine = enrolled(&home, &servers, 90)?;
    let [server] = &servers;
    let said = machine.shell("stayput enroll --refresh --yes")?.success()?;
    assert!(said.contains("Nothing that answers has changed."), "{said}");
    server.rotate()?;
    let check = machine.shell("stayput check")?.text;
    assert!(
        check.contains("tang 192.168.77.9:7500 has new keys"),
        "{check}"
    );
    // Nobody has to compare anything: the old key signs the new ones.
    let refresh = machine.shell_within("stayput enroll --refresh --yes", minutes(5))?;
    let said = refresh.success()?;
    assert!(said.contains("has new keys"), "{said}");
    assert!(said.contains("enrolled as it is now"), "{said}");
    server.forget_old_keys()?;
    let status = machine.shell("stayput status")?.success()?;
    assert!(status.contains("1 of 1 key servers"), "{status}");
    let check = machine.shell("stayput check")?.text;
    assert!(check.contains("answers with the enrolled key"), "{check}");
    // A server with keys that nobody vouches for is not believed unseen.
    server.rotate()?;
    server.forget_old_keys()?;
    let status = machine.shell("stayput status")?.text;
    assert!(status.contains("not recognised"), "{status}");
    Ok(())
}

#[test]
fn a_key_server_with_another_thumbprint_is_not_enrolled() -> Result {
    let home = Place::home()?;
    let server = key_server(&home)?;
    let mut machine = FastMachine::blank()?;
    machine.boot_to_shell_at(&home)?;
    machine.shell(&address("eth0"))?.success()?;
    machine.shell(INIT)?.success()?;
    let url = server.url();
    for (options, words) in [
        (
            "--thumbprint NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
            "none of its signing keys",
        ),
        ("", "Nobody has compared"),
    ] {
        let answer = machine.shell(&format!("stayput enroll --yes --tang {url} {options}"))?;
        assert!(!answer.ok() && answer.text.contains(words), "{answer}");
    }
    let answer = machine.shell("stayput enroll --yes --tang http://192.168.77.50:7500")?;
    assert!(answer.text.contains("this server itself"), "{answer}");
    let status = machine.shell("stayput status")?.text;
    assert!(status.contains("none is enrolled"), "{status}");
    Ok(())
}
