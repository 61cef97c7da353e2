//! The server finds itself elsewhere: strikes, the reset, and the way back.

use qemu_tests::seen::{assert_locked, assert_released};
use qemu_tests::{FastMachine, Place, Result, minutes, seconds};

use crate::suspect::{clinic_with, clinic_with_office_stick, make_office_stick, wait_for_log};

const STRIKE: &str = "a foreign place: strike 1 of 3";
/// What the stage says when it has judged, and its prompt is open.
const JUDGED: &str = "This server does not recognise this place.";

/// Waits until a stage that has just been started has judged the place.
fn wait_for_judgement(machine: &mut FastMachine) -> Result {
    for said in ["The server \"clinic\" is locked.", JUDGED] {
        machine.console().wait_for(said, minutes(2))?;
    }
    Ok(())
}

/// Strikes and judgements since the kernel's start, in their order.
fn said_of_strikes(machine: &mut FastMachine) -> Result<Vec<String>> {
    let said = machine.shell(&format!("dmesg | grep -o 'a foreign place: .*\\|{JUDGED}'"))?;
    Ok(said.success()?.lines().map(str::to_owned).collect())
}

#[test]
fn a_foreign_place_is_one_strike_a_boot_and_home_clears_it() -> Result {
    let mut machine = clinic_with("--wait 5")?;
    let elsewhere = Place::elsewhere()?;
    machine.boot_at(&elsewhere)?;
    wait_for_judgement(&mut machine)?;
    // A stage that is started again in the same boot judges again.
    machine.shell("kill -9 $(pidof stayput-boot)")?.success()?;
    wait_for_judgement(&mut machine)?;
    assert_locked(&mut machine)?;
    assert_eq!(said_of_strikes(&mut machine)?, [STRIKE, JUDGED, JUDGED]);
    let log = machine.shell("stayput log")?.success()?;
    assert!(log.contains("strike 1 of 3"), "{log}");
    assert!(!log.contains("strike 2"), "{log}");

    // The power goes when the screen says it: by then the strike counts.
    machine.boot_at(&elsewhere)?;
    wait_for_judgement(&mut machine)?;
    machine.boot_at(&elsewhere)?;
    wait_for_judgement(&mut machine)?;
    let third = "a foreign place: strike 3 of 3";
    assert_eq!(said_of_strikes(&mut machine)?, [third, JUDGED]);
    machine.boot_at(&Place::home()?)?;
    machine.wait_for_release()?;
    assert_released(&mut machine)?;
    machine.boot_at(&elsewhere)?;
    wait_for_judgement(&mut machine)?;
    assert_eq!(said_of_strikes(&mut machine)?, [STRIKE, JUDGED]);
    assert_locked(&mut machine)
}

#[test]
fn a_bare_table_and_a_late_router_are_no_strikes() -> Result {
    let mut machine = clinic_with("--wait 5")?;
    let place = Place::empty()?;
    machine.boot_at(&place)?;
    wait_for_log(&mut machine, "stayput: locked: ")?;
    machine
        .console()
        .expect_silence_about("strike", seconds(8))?;
    for neighbour in Place::home_neighbours() {
        place.add(&neighbour)?;
    }
    machine.wait_for_release()?;
    let log = machine.shell("dmesg; stayput log")?.success()?;
    assert!(!log.to_lowercase().contains("strike"), "{log}");
    Ok(())
}

#[test]
fn the_last_strike_ends_the_key_and_the_office_stick_opens() -> Result {
    let (mut machine, stick) = clinic_with_office_stick(
        "--wait 5 --strikes 1 --on-strikes reset --stick-kept 'bank safe'",
    )?;
    machine.boot_at(&Place::elsewhere()?)?;
    machine
        .console()
        .wait_for("This server was reset", minutes(1))?;
    assert_locked(&mut machine)?;

    let home = Place::home()?;
    machine.boot_at(&home)?;
    machine.wait_for_prompt()?;
    assert_locked(&mut machine)?;
    machine.console().type_line("remember")?;
    machine.plug(&stick)?;
    machine.wait_for_release()?;
    assert_released(&mut machine)?;
    // No stick from now on.
    machine.boot_at(&home)?;
    machine.wait_for_release()?;
    assert_released(&mut machine)?;
    machine.boot_at(&Place::elsewhere()?)?;
    machine.wait_for_prompt()?;
    assert_locked(&mut machine)
}

#[test]
fn without_another_verified_stick_the_limit_only_halts() -> Result {
    const PIN: &str = "4711-0815";
    let mut machine = FastMachine::clinic()?;
    machine.boot_to_networked_shell_at(&Place::home()?)?;
    // A stick that was never seen to open is none.
    let refused = machine.shell("stayput policy --on-strikes reset --stick-kept bank 2>&1")?;
    assert!(!refused.ok(), "{refused}");
    assert!(refused.text.contains("is verified and out"), "{refused}");
    let stick = make_office_stick(&mut machine, Some(PIN))?;
    machine
        .shell(
            "stayput policy --wait 20 --strikes 1 --on-strikes reset --stick-kept 'bank safe' && \
             sync",
        )?
        .success()?;

    // The only stick is in the server, and nobody types its PIN.
    let place = Place::elsewhere()?;
    machine.boot_at(&place)?;
    machine.plug(&stick)?;
    machine
        .console()
        .wait_for("PIN of stick \"office\": ", minutes(2))?;
    wait_for_log(&mut machine, "strike 1 of 1")?;
    wait_for_log(&mut machine, "stayput: not reset: ")?;
    assert_locked(&mut machine)?;
    machine
        .console()
        .expect_silence_about("was reset", seconds(3))?;

    // Neither the home nor the stick has lost its key.
    for neighbour in Place::home_neighbours() {
        place.replace(&neighbour)?;
    }
    machine.wait_for_release()?;
    assert_released(&mut machine)?;
    let log = machine.shell("stayput log")?.success()?;
    assert!(log.contains("Not reset, although it was due"), "{log}");
    machine
        .shell(&format!(
            "echo '{PIN}' | stayput stick verify /dev/sda1 --pin-stdin"
        ))?
        .success()?;
    Ok(())
}

#[test]
fn a_second_place_is_remembered_beside_the_home() -> Result {
    let mut machine = FastMachine::clinic()?;
    let away = Place::elsewhere()?;
    machine.boot_at(&away)?;
    machine.wait_for_prompt()?;
    machine.console().type_line("remember")?;
    machine
        .console()
        .wait_for("adds this place beside its home", seconds(20))?;
    machine.plug(&FastMachine::clinics_stick()?)?;
    machine.wait_for_release()?;
    // No stick from now on, there and at home.
    for place in [&away, &Place::home()?] {
        machine.boot_at(place)?;
        machine.wait_for_release()?;
        assert_released(&mut machine)?;
    }
    machine.boot_at(&Place::empty()?)?;
    machine.wait_for_prompt()?;
    assert_locked(&mut machine)
}

#[test]
fn a_stick_opens_a_server_that_was_reset_only_this_time() -> Result {
    let (mut machine, stick) = clinic_with_office_stick("--wait 5")?;
    let home = Place::home()?;
    machine.boot_to_shell_at(&home)?;
    let spare = FastMachine::clinics_stick()?;
    spare.write("backup.sql", b"patients")?;
    let id = machine.plug(&spare)?;
    machine.wait_for_device("/dev/sda1")?;
    let vault = "sha256sum </dev/vda2";
    let before = machine.shell(vault)?.success()?;
    let said = machine.shell("stayput reset --dry-run")?.success()?;
    assert!(said.contains("on the stick /dev/sda1"), "{said}");
    assert!(said.contains("Nothing was destroyed."), "{said}");
    assert_eq!(machine.shell(vault)?.success()?, before);
    let said = machine.shell("stayput reset --yes && sync")?.success()?;
    assert!(said.contains("read back after"), "{said}");
    assert!(said.contains("sticks destroyed: 1."), "{said}");
    machine.unplug(&id)?;
    // What else is on the stick that was plugged in stays.
    assert_eq!(spare.read("backup.sql")?, b"patients");

    machine.boot_at(&home)?;
    machine.wait_for_prompt()?;
    assert_locked(&mut machine)?;
    let id = machine.plug(&spare)?;
    machine
        .console()
        .expect_silence_about("accepted", seconds(8))?;
    assert_locked(&mut machine)?;
    machine.unplug(&id)?;
    machine.plug(&stick)?;
    machine.wait_for_release()?;
    assert_released(&mut machine)?;
    machine.boot_at(&home)?;
    machine.wait_for_prompt()?;
    assert_locked(&mut machine)
}

#[test]
fn a_reset_at_the_prompt_wants_the_servers_name() -> Result {
    let place = Place::elsewhere()?;
    let mut machine = FastMachine::clinic()?;
    machine.boot_at(&place)?;
    machine.wait_for_prompt()?;
    for (typed, answer) in [
        (
            "another",
            "That is not the server's name. Nothing was changed.",
        ),
        ("clinic", "This server was reset"),
    ] {
        machine.console().type_line("reset")?;
        machine
            .console()
            .wait_for("Type the server's name", seconds(30))?;
        machine.console().type_line(typed)?;
        machine.console().wait_for(answer, seconds(60))?;
    }
    // Now home does not help any more.
    for neighbour in Place::home_neighbours() {
        place.replace(&neighbour)?;
    }
    machine
        .console()
        .expect_silence_about("accepted", seconds(8))?;
    assert_locked(&mut machine)
}

#[test]
fn the_system_starts_without_the_database_if_so_chosen() -> Result {
    let mut machine = clinic_with("--wait 5 --on-failure continue")?;
    machine.boot_at(&Place::empty()?)?;
    machine.wait_for_release()?;
    let left = machine.shell("ls -A /run/stayput 2>/dev/null")?.text;
    assert_eq!(left, "", "nothing is released");
    // A foreign place goes on as well, until the strikes are used up.
    let mut machine = clinic_with("--wait 5 --on-failure continue --strikes 1")?;
    machine.boot_at(&Place::elsewhere()?)?;
    wait_for_log(&mut machine, "strike 1 of 1")?;
    machine
        .console()
        .expect_silence_about("has ended", seconds(8))?;
    assert_locked(&mut machine)
}

#[test]
fn wiped_settings_open_nothing_and_a_stick_mends_them() -> Result {
    let home = Place::home()?;
    let mut machine = FastMachine::clinic()?;
    machine.boot_to_shell_at(&home)?;
    // Both copies of the policy.
    machine
        .shell(
            "for block in 2 122; do dd if=/dev/zero of=/dev/vda2 bs=4096 seek=$block count=1 \
             conv=notrunc 2>/dev/null; done; sync",
        )?
        .success()?;
    machine.boot_at(&home)?;
    machine.wait_for_prompt()?;
    assert_locked(&mut machine)?;
    machine.plug(&FastMachine::clinics_stick()?)?;
    machine.console().wait_for("type mend", seconds(60))?;
    assert_locked(&mut machine)?;
    machine.console().type_line("mend")?;
    machine.wait_for_release()?;
    assert_released(&mut machine)
}
