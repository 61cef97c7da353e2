//! The running server is watched: what happens when it is carried away, and
//! what happens in a clinic every day.

use qemu_tests::seen::{assert_locked, assert_released};
use qemu_tests::{FastMachine, Neighbour, Place, Result, Stick, minutes, seconds};

use crate::suspect::{clinic_with, clinic_with_office_stick, wait_for_log};

/// The shortest times that the policy takes.
const LOCK: &str = "--watch lock --watch-every 5 --watch-persist 15 --watch-settle 30";
/// How the watch stands, as `stayput status` reads it.
const REPORT: &str = "/run/stayput-watch.json";

/// Starts the watch as the real system does, which has set the card up.
fn start_watch(machine: &mut FastMachine) -> Result {
    machine
        .shell(
            "ip link set eth0 up; ip addr add 192.168.77.50/24 dev eth0; \
             stayput watch >/run/watch.log 2>&1 &",
        )?
        .success()?;
    Ok(())
}

/// Waits until a command succeeds, for half a minute at most.
fn wait_until(machine: &mut FastMachine, command: &str) -> Result {
    let wait = format!(
        "i=0; until {command}; do \
         [ $i != 60 ] || {{ dmesg | grep stayput; cat {REPORT}; exit 1; }}; \
         sleep 0.5; i=$((i+1)); done"
    );
    machine.shell(&wait)?.success()?;
    Ok(())
}

/// Nothing counts before.
fn wait_until_settled(machine: &mut FastMachine) -> Result {
    let settled = "[ $(cut -d. -f1 /proc/uptime) -ge 32 ]";
    wait_until(machine, settled)
}

fn no_alarm(machine: &mut FastMachine) -> Result {
    let log = machine.shell("dmesg | grep stayput; stayput log")?;
    let log = log.success()?;
    assert!(!log.to_lowercase().contains("alarm"), "{log}");
    assert_released(machine)
}

fn move_to_another_network(place: &Place, maker: &str) -> Result {
    for Neighbour { ip, mac } in Place::home_neighbours() {
        let other = format!("{maker}{}", &mac[8..]);
        place.replace(&Neighbour::new(&ip, &other))?;
    }
    Ok(())
}

#[test]
fn a_pulled_cable_is_no_alarm_and_another_network_is() -> Result {
    let mut machine = clinic_with(LOCK)?;
    machine.mostly_waits = true;
    let place = Place::home()?;
    machine.boot_at(&place)?;
    machine.wait_for_release()?;
    assert_released(&mut machine)?;
    start_watch(&mut machine)?;
    wait_for_log(&mut machine, "watching 3 neighbours as enrolled")?;
    wait_until_settled(&mut machine)?;
    wait_until(&mut machine, &format!("grep -q '\"same\":3' {REPORT}"))?;

    machine.machine()?.cable(false)?;
    wait_until(&mut machine, &format!("grep -q '\"silent\":3' {REPORT}"))?;
    machine.machine()?.cable(true)?;
    // Longer than an alarm would need.
    std::thread::sleep(seconds(25));
    no_alarm(&mut machine)?;
    let status = machine.shell("stayput status")?.success()?;
    let stands = "Watch: 3 of 3 neighbours as enrolled.";
    assert!(status.contains(stands), "{status}");
    assert!(!status.contains("ALARM"), "{status}");

    move_to_another_network(&place, "00:26:f2")?;
    wait_for_log(&mut machine, "alarm: others answer in place")?;
    wait_until(&mut machine, "! grep -q ' /run/stayput ' /proc/mounts")?;
    wait_until(&mut machine, "stayput log | grep -q 'Alarm: others answer'")?;
    let status = machine.shell("stayput status")?.success()?;
    assert!(status.contains("ALARM since"), "{status}");
    Ok(())
}

#[test]
fn a_server_that_a_stick_has_opened_elsewhere_is_watched_there() -> Result {
    let mut machine = clinic_with(LOCK)?;
    machine.mostly_waits = true;
    let place = Place::elsewhere()?;
    machine.boot_at(&place)?;
    machine.wait_for_prompt()?;
    machine.plug(&FastMachine::clinics_stick()?)?;
    machine.wait_for_release()?;
    start_watch(&mut machine)?;
    wait_for_log(&mut machine, "watching 3 neighbours as found here")?;
    // This is not its home, and has not been from the start.
    std::thread::sleep(seconds(25));
    no_alarm(&mut machine)?;
    move_to_another_network(&place, "00:1e:c9")?;
    wait_for_log(&mut machine, "alarm: others answer in place")?;
    wait_until(&mut machine, "! grep -q ' /run/stayput ' /proc/mounts")
}

/// The clinic's server that resets itself when it is carried away, watched at home.
fn watched_for_a_reset() -> Result<(FastMachine, Stick, Place)> {
    let reset = LOCK.replace("lock", "reset --stick-kept 'bank safe'");
    let (mut machine, stick) = clinic_with_office_stick(&reset)?;
    machine.mostly_waits = true;
    let place = Place::home()?;
    machine.boot_at(&place)?;
    machine.wait_for_release()?;
    start_watch(&mut machine)?;
    wait_for_log(&mut machine, "watching 3 neighbours as enrolled")?;
    wait_until_settled(&mut machine)?;
    Ok((machine, stick, place))
}

#[test]
fn a_disk_that_hangs_at_an_alarm_keeps_no_key_in_memory() -> Result {
    let (mut machine, _, place) = watched_for_a_reset()?;
    machine.machine()?.hang_disk()?;
    move_to_another_network(&place, "00:26:f2")?;
    wait_for_log(&mut machine, "alarm: others answer in place")?;
    wait_for_log(&mut machine, "a disk may hang")?;
    wait_until(&mut machine, "! grep -q ' /run/stayput ' /proc/mounts")?;
    // It goes on to look, and tells what is not done.
    std::thread::sleep(seconds(40));
    let report = machine.shell(&format!("cat {REPORT}"))?.success()?;
    assert!(report.contains("\"reset\":true"), "{report}");
    // One child at the vault and one at the database hang, however often it looks.
    let begun = machine.shell("pidof stayput-child || ps")?;
    let count = begun.text.split_whitespace().count();
    assert!((1..=2).contains(&count), "{begun}");
    Ok(())
}

#[test]
fn a_running_server_carried_away_destroys_its_key() -> Result {
    let (mut machine, stick, place) = watched_for_a_reset()?;
    move_to_another_network(&place, "00:26:f2")?;
    wait_for_log(&mut machine, "stayput: reset")?;
    wait_until(&mut machine, "! grep -q ' /run/stayput ' /proc/mounts")?;
    machine.shell("sync")?.success()?;

    machine.boot_at(&Place::home()?)?;
    machine
        .console()
        .wait_for("This server was reset", minutes(1))?;
    assert_locked(&mut machine)?;
    machine.plug(&stick)?;
    machine.wait_for_release()?;
    assert_released(&mut machine)
}
