//! Elsewhere the server stays locked.

use qemu_tests::seen::{log, stays_locked};
use qemu_tests::{FastMachine, Place, Result};

#[test]
fn stolen_server_without_stick_stays_locked() -> Result {
    let mut machine = FastMachine::clinic()?;
    stays_locked(&mut machine, &Place::elsewhere()?)?;
    let log = log(&mut machine)?;
    assert!(log.contains("stayput: locked: "), "{log}");
    Ok(())
}
