//! What a person sees at the screen, from the first line to the last. With
//! STAYPUT_PICTURES set to a folder, the pictures in the documents are made.

use qemu_tests::seen::assert_released;
use qemu_tests::{FastMachine, Place, Result, minutes, seconds};

use crate::suspect::make_office_stick;

const PIN: &str = "4711-0815";

#[test]
fn a_person_at_the_screen_reads_each_step() -> Result {
    let mut machine = FastMachine::clinic()?;
    machine.boot_to_networked_shell_at(&Place::home()?)?;
    let stick = make_office_stick(&mut machine, Some(PIN))?;
    let policy = "stayput policy --wait 30 --strikes 2 --on-strikes reset --stick-kept 'bank safe'";
    machine.shell(&format!("{policy} && sync"))?.success()?;

    machine.text_screen = true;
    let elsewhere = Place::elsewhere()?;
    machine.boot_at(&elsewhere)?;
    machine.console().wait_for("looking for", minutes(2))?;
    shows(
        &mut machine,
        "looking",
        &["looking for the place of this server"],
    )?;
    machine.wait_for_prompt()?;
    let locked = [
        "The server \"clinic\" is locked. Its data is safe.",
        "plug in a backup stick",
        "stayput> ",
    ];
    shows(&mut machine, "locked", &locked)?;
    machine.plug(&stick)?;
    machine.console().wait_for("PIN", minutes(1))?;
    shows(&mut machine, "pin", &["office", "PIN"])?;
    machine.console().type_line(PIN)?;
    machine
        .console()
        .wait_for("The key is accepted", minutes(1))?;
    shows(&mut machine, "accepted", &["The key is accepted"])?;
    machine.wait_for_release()?;
    assert_released(&mut machine)?;

    // The second time is one too many.
    for said in ["recognise this place", "This server was reset"] {
        machine.boot_at(&elsewhere)?;
        machine.console().wait_for(said, minutes(3))?;
    }
    let reset = [
        "This server was reset",
        "No place and no passphrase opens it any more",
        "stayput> ",
    ];
    shows(&mut machine, "reset", &reset)
}

/// Waits until the screen, without what has scrolled away, shows all of these.
fn shows(machine: &mut FastMachine, name: &str, words: &[&str]) -> Result {
    let mut screen = String::new();
    let holds = |screen: &str| words.iter().all(|word| screen.contains(word));
    for _ in 0..40 {
        // 25 lines of 80 characters, one behind the other.
        screen = machine.shell("cat /dev/vcs1")?.success()?;
        if holds(&screen) {
            break;
        }
        std::thread::sleep(seconds(1));
    }
    assert!(holds(&screen), "{name}: {words:?} in {screen}");
    if let Some(folder) = std::env::var_os("STAYPUT_PICTURES") {
        let file = std::path::Path::new(&folder).join(format!("{name}.png"));
        machine.machine()?.picture(&file)?;
    }
    Ok(())
}
