//! A person in front of the locked server.

use qemu_tests::{FastMachine, Place, Result, minutes, seconds};

use qemu_tests::seen::{assert_locked, assert_released, locked_at};

#[test]
fn the_words_of_the_menu_and_their_digits_do_what_they_say() -> Result {
    let elsewhere = Place::elsewhere()?;
    let mut machine = locked_at(&elsewhere)?;
    for typed in ["help", "5", "HELP"] {
        machine.console().type_line(typed)?;
        machine
            .console()
            .wait_for("plug in a backup stick", seconds(20))?;
        machine.wait_for_prompt()?;
    }
    machine.console().type_line("status")?;
    machine
        .console()
        .wait_for("has not found its place", seconds(20))?;
    machine.wait_for_prompt()?;
    machine.console().type_line("open sesame")?;
    machine
        .console()
        .wait_for("words of the menu", seconds(20))?;
    assert_locked(&mut machine)?;
    machine.console().type_line("reboot")?;
    // Not before it has begun anew: the prompt of before still stands there.
    machine
        .console()
        .wait_for("Restarting system", minutes(1))?;
    machine.console().wait_for("found the vault", minutes(1))?;
    machine.wait_for_prompt()?;
    machine.console().type_line("4")?;
    machine.wait_off(minutes(1))
}

#[test]
fn kernel_messages_do_not_write_over_the_prompt() -> Result {
    let elsewhere = Place::elsewhere()?;
    let mut machine = locked_at(&elsewhere)?;
    machine
        .shell("echo '<4>usb: a line of noise' >/dev/kmsg")?
        .success()?;
    machine
        .console()
        .expect_silence_about("a line of noise", seconds(2))?;
    let log = machine.shell("dmesg")?.text;
    assert!(
        log.contains("a line of noise"),
        "the log still has it: {log}"
    );
    Ok(())
}

#[test]
fn the_prompt_is_on_the_screen_and_on_the_serial_line_at_once() -> Result {
    let place = Place::elsewhere()?;
    let mut machine = FastMachine::clinic()?;
    machine.screen = true;
    machine.boot_at(&place)?;
    machine.wait_for_prompt()?;
    let screen = machine.shell("cat /dev/vcs1")?.success()?;
    assert!(screen.contains("stayput> "), "{screen}");
    for key in ["h", "e", "l", "p", "ret"] {
        machine.machine()?.press(key)?;
    }
    // What the person at the screen asked, the one at the serial line sees.
    machine
        .console()
        .wait_for("No stick at hand", seconds(20))?;
    let screen = machine.shell("cat /dev/vcs1")?.success()?;
    assert!(screen.contains("No stick at hand"), "{screen}");
    // Num Lock is off.
    machine.machine()?.press("kp_4")?;
    machine.console().wait_for("press Num", seconds(20))?;
    Ok(())
}

#[test]
fn a_stage_that_is_killed_starts_again_and_leaves_nothing_open() -> Result {
    let place = Place::elsewhere()?;
    let mut machine = locked_at(&place)?;
    let before = machine.shell("pidof stayput-boot")?.success()?;
    machine.shell("kill -9 $(pidof stayput-boot)")?.success()?;
    machine.wait_for_prompt()?;
    let after = machine.shell("pidof stayput-boot")?.success()?;
    assert_ne!(before, after);
    assert_locked(&mut machine)?;
    // It is a whole stage again: at home it opens.
    for neighbour in Place::home_neighbours() {
        place.replace(&neighbour)?;
    }
    machine.wait_for_release()?;
    assert_released(&mut machine)
}

#[test]
fn typing_does_not_stop_the_place_from_opening() -> Result {
    let place = Place::elsewhere()?;
    let mut machine = locked_at(&place)?;
    machine.console().type_text("sta")?;
    for neighbour in Place::home_neighbours() {
        place.replace(&neighbour)?;
    }
    machine.wait_for_release()?;
    assert_released(&mut machine)
}

/// What the README says that a console shows: its block with the prompt.
fn prompt_in_the_readme() -> &'static str {
    include_str!("../../../README.md")
        .split("```")
        .find(|block| block.contains("stayput> "))
        .unwrap_or_default()
}

#[test]
fn the_readme_shows_the_prompt_as_the_console_does() -> Result {
    let mut machine = FastMachine::clinic()?;
    machine.boot_to_shell_at(&Place::home()?)?;
    // One combination only: emulation takes a second for each.
    machine
        .shell(
            "stayput enroll --yes --machine-need 4 --place-need 3 --neighbour 192.168.77.1 \
             --neighbour 192.168.77.2 --neighbour 192.168.77.3 && sync",
        )?
        .success()?;
    let elsewhere = Place::elsewhere()?;
    machine.boot_at(&elsewhere)?;
    machine.wait_for_prompt()?;
    machine.console().type_line("status")?;
    machine.console().wait_for("connected: eth0", seconds(20))?;
    machine.wait_for_prompt()?;
    machine.plug(&FastMachine::clinics_stick_with_pin()?)?;
    machine
        .console()
        .wait_for("PIN of stick \"Otieno\": ", seconds(30))?;
    machine.console().type_line("4711-0815")?;
    machine.wait_for_release()?;
    let transcript = machine.console().transcript().replace('\r', "");
    let from = transcript.find("-----").unwrap_or(0);
    let until = transcript.find("The server goes on.\n").unwrap_or(0);
    let lines = |text: &str| {
        let lines = text.trim().lines().map(|line| line.trim_end().to_string());
        lines.collect::<Vec<_>>()
    };
    assert_eq!(
        lines(&transcript[from..until + "The server goes on.".len()]),
        lines(prompt_in_the_readme()),
    );
    Ok(())
}
