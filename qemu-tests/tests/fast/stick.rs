//! A backup stick opens it where it does not belong.

use qemu_tests::seen::{assert_released, locked_at, log};
use qemu_tests::{FastMachine, Place, Result};

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
