//! A key server in the next room.

use qemu_tests::seen::{assert_locked, assert_released, log};
use qemu_tests::{FastMachine, KeyServer, Place, Result, minutes, seconds};

use crate::suspect::wait_for_log;

const INIT: &str = "stayput init --name clinic --disk /dev/vda --yes";
/// As the running system has it.
const ADDRESS: &str = "ip link set eth0 up && ip addr add 192.168.77.50/24 dev eth0";
const IP: &str = "192.168.77.9";

fn key_server(place: &Place) -> Result<KeyServer> {
    KeyServer::at(place, IP, "00:25:90:77:01:09")
}

/// The clinic's server, enrolled with its neighbours and this key server; on,
/// with a shell.
fn enrolled(home: &Place, server: &KeyServer) -> Result<FastMachine> {
    let mut machine = FastMachine::blank()?;
    machine.boot_to_shell_at(home)?;
    machine.shell(ADDRESS)?.success()?;
    machine.shell(INIT)?.success()?;
    let enroll = format!(
        "stayput enroll --yes --neighbour 192.168.77.1 --neighbour 192.168.77.2 \
         --neighbour 192.168.77.3 --tang {} --thumbprint {}",
        server.url(),
        server.thumbprint()?
    );
    let said = machine.shell_within(&enroll, minutes(5))?.success()?;
    assert!(said.contains("tang 192.168.77.9:7500: taken"), "{said}");
    assert!(said.contains("1 of 1 key servers. Strong"), "{said}");
    machine
        .shell("stayput policy --wait 6 && sync")?
        .success()?;
    machine.keep_vault_conf()?;
    Ok(machine)
}

#[test]
fn with_its_key_server_the_server_opens_and_without_it_stays_locked() -> Result {
    let home = Place::home()?;
    let mut server = key_server(&home)?;
    let mut machine = enrolled(&home, &server)?;
    machine.power_cut();

    // At home it opens by itself: it has its address there in the boot stage.
    machine.boot_at(&home)?;
    machine.wait_for_release()?;
    assert_released(&mut machine)?;
    let said = log(&mut machine)?;
    assert!(said.contains(", tang "), "{said}");
    machine.power_cut();

    // The key server is off: the neighbours alone open nothing, a person sees
    // what is missing, and when the wait is over it is no strike.
    server.switch_off();
    machine.boot_at(&home)?;
    machine.wait_for_prompt()?;
    machine.console().type_line("status")?;
    machine
        .console()
        .wait_for("Key servers: 0 of 1 answer", seconds(20))?;
    machine
        .console()
        .expect_silence_about("accepted", seconds(8))?;
    assert_locked(&mut machine)?;
    let said = log(&mut machine)?;
    assert!(!said.contains("strike"), "{said}");
    // It comes back while the prompt waits: nobody needs to do anything.
    server.switch_on()?;
    machine.wait_for_release()?;
    assert_released(&mut machine)?;
    machine.power_cut();
    drop(server);

    // Stolen: the thief's network has the same addresses, and a key server.
    let elsewhere = Place::elsewhere()?;
    let _other = key_server(&elsewhere)?;
    machine.boot_at(&elsewhere)?;
    machine.wait_for_prompt()?;
    wait_for_log(&mut machine, "a foreign place: strike 1 of 3")?;
    assert_locked(&mut machine)
}

#[test]
fn a_key_server_that_rotated_its_keys_is_taken_as_it_is_while_the_old_ones_answer() -> Result {
    let home = Place::home()?;
    let server = key_server(&home)?;
    let mut machine = enrolled(&home, &server)?;
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
    machine.shell(ADDRESS)?.success()?;
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
