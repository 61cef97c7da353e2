//! Networks that are late, or never come: nobody waits for them.

use std::time::Instant;

use qemu_tests::seen::{assert_locked, assert_released, card, opens_soon_after, reaches};
use qemu_tests::{FastMachine, Place, Result, seconds};

use crate::key_server::{enrolled, key_server};
use crate::suspect::wait_for_log;

/// Seconds since the kernel's start at which a line of the kernel's log with
/// these words was written.
fn written_at(machine: &mut FastMachine, words: &str) -> Result<f64> {
    let line = machine
        .shell(&format!("dmesg | grep -m 1 '{words}'"))?
        .success()?;
    let time = line.trim_start_matches(['[', ' ']).split(']').next();
    Ok(time.and_then(|time| time.parse().ok()).expect("a time"))
}

/// Presses Enter as soon as there is a console, and sees that the menu was
/// there in the stage's first second.
fn the_screen_is_usable_at_once(machine: &mut FastMachine) -> Result {
    machine.console().type_line("")?;
    machine.wait_for_prompt()?;
    let locked = written_at(machine, "stayput: locked: ")?;
    let began = written_at(machine, "stayput: found the vault")?;
    assert!(locked - began < 1.0, "from {began} s to {locked} s");
    Ok(())
}

#[test]
fn a_late_router_and_a_later_key_server_open_at_once() -> Result {
    let home = Place::home()?;
    let mut key_servers = [key_server(&home)?];
    let mut machine = enrolled(&home, &key_servers, 20)?;
    for neighbour in Place::home_neighbours() {
        home.remove(&neighbour.ip)?;
    }
    key_servers[0].unplug(&home)?;

    machine.mostly_waits = true;
    machine.boot_at(&home)?;
    the_screen_is_usable_at_once(&mut machine)?;
    std::thread::sleep(seconds(60));
    for neighbour in Place::home_neighbours() {
        home.add(&neighbour)?;
    }
    machine
        .console()
        .expect_silence_about("accepted", seconds(20))?;
    assert_locked(&mut machine)?;
    let up = Instant::now();
    key_servers[0].plug_in(&home)?;
    opens_soon_after(up, &mut machine)?;
    let log = machine
        .shell("dmesg | grep stayput; stayput log")?
        .success()?;
    assert!(!log.to_lowercase().contains("strike"), "{log}");
    Ok(())
}

/// Stands for klibc's, in a place where no DHCP server answers.
const IPCONFIG: &[u8] = b"#!/bin/sh\nip link set eth0 up\nsleep 4711\n";

#[test]
fn a_silent_dhcp_server_holds_nobody_up() -> Result {
    let place = Place::empty()?;
    let mut machine = FastMachine::clinic()?;
    machine.boot_to_shell_at(&place)?;
    let before = card(&mut machine)?;
    machine.put("/sbin/ipconfig", 0o755, IPCONFIG.to_vec());
    machine.kernel_words = "ip=dhcp".into();
    machine.boot_at(&place)?;
    the_screen_is_usable_at_once(&mut machine)?;
    machine
        .shell("until pidof ipconfig; do sleep 0.1; done")?
        .success()?;
    for neighbour in Place::home_neighbours() {
        place.add(&neighbour)?;
    }
    machine.wait_for_release()?;
    assert_released(&mut machine)?;
    let left = machine.shell("pidof ipconfig; ps | grep '[s]leep 4711'")?;
    assert_eq!(left.text, "", "nothing of it goes on");
    assert_eq!(card(&mut machine)?, before);
    Ok(())
}

#[test]
fn what_the_initramfs_configured_is_used_and_put_back() -> Result {
    let place = Place::with(&Place::home_neighbours()[..1])?;
    let mut machine = FastMachine::clinic()?;
    machine.boot_to_shell_at(&place)?;
    let before = card(&mut machine)?;
    let ipconfig = b"#!/bin/sh\nip link set eth0 up && ip addr add 192.168.77.30/24 dev eth0\n\
                     echo IPV4ADDR=192.168.77.30 >/run/net-eth0.conf\n";
    machine.put("/sbin/ipconfig", 0o755, ipconfig.to_vec());
    // The folder of the real one, in which scripts leave things to each other.
    let folder = b"#!/bin/sh\nmkdir -p /conf\n";
    machine.put("/scripts/init-top/folder", 0o755, folder.to_vec());
    machine.kernel_words = "ip=dhcp".into();
    machine.boot_at(&place)?;
    machine
        .shell("until ip addr show dev eth0 | grep -q 192.168.77.30; do sleep 0.1; done")?
        .success()?;
    reaches(&mut machine, &place, "192.168.77.1")?;
    // A stage that is killed does not take it away from the next one.
    machine.shell("kill -9 $(pidof stayput-boot)")?.success()?;
    wait_for_log(&mut machine, "once more in 1 s")?;
    let address = machine.shell("ip addr show dev eth0")?.text;
    assert!(address.contains("192.168.77.30"), "{address}");
    for neighbour in &Place::home_neighbours()[1..] {
        place.add(neighbour)?;
    }
    machine.wait_for_release()?;
    assert_eq!(card(&mut machine)?, before);
    // Another script that wants a network gets one.
    let left = machine.shell("ls /run/net*.conf 2>/dev/null")?;
    assert_eq!(left.text.trim(), "");
    // The time at the prompt is no time that was waited for a disk.
    let times = machine
        .shell("sleep 1; . /conf/param.conf; echo $starttime; cut -d. -f1 /proc/uptime")?
        .success()?;
    let times: Vec<u64> = times
        .lines()
        .map(|line| line.trim().parse().unwrap())
        .collect();
    let [start, now] = times[..] else {
        panic!("{times:?}");
    };
    assert!((start..=start + 5).contains(&now), "{times:?}");
    Ok(())
}
