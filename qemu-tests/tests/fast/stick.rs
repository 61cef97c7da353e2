//! A backup stick opens it where it does not belong.

use qemu_tests::seen::{assert_locked, assert_released, locked_at, log};
use qemu_tests::{FastMachine, Place, Result, seconds};

const PIN: &str = "4711-0815";

#[test]
fn the_owners_stick_opens_the_server_while_the_prompt_waits() -> Result {
    let elsewhere = Place::elsewhere()?;
    let mut machine = locked_at(&elsewhere)?;
    machine.plug(&FastMachine::clinics_stick()?)?;
    machine.wait_for_release()?;
    assert_released(&mut machine)?;
    let log = log(&mut machine)?;
    assert!(log.contains("stayput: released after "), "{log}");
    Ok(())
}

#[test]
fn a_stick_with_a_pin_opens_only_with_it_and_the_pin_is_not_shown() -> Result {
    let elsewhere = Place::elsewhere()?;
    let mut machine = locked_at(&elsewhere)?;
    machine.plug(&FastMachine::clinics_stick_with_pin()?)?;
    let question = "PIN of stick \"Otieno\": ";
    machine.console().wait_for(question, seconds(30))?;
    machine.console().type_line("1234-5678")?;
    machine
        .console()
        .wait_for("The PIN is wrong.", seconds(60))?;
    machine.console().wait_for(question, seconds(30))?;
    assert_locked(&mut machine)?;
    // A wrong one slows the next down.
    std::thread::sleep(seconds(3));
    machine.console().type_line(PIN)?;
    machine.wait_for_release()?;
    assert_released(&mut machine)?;
    let console = machine.console().transcript();
    let log = machine.shell("dmesg")?.text;
    for typed in ["1234-5678", PIN] {
        assert!(
            !console.contains(typed) && !log.contains(typed),
            "{console}\n{log}"
        );
    }
    Ok(())
}
