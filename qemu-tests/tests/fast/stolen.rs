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

#[test]
fn one_neighbour_taken_along_is_not_enough() -> Result {
    let elsewhere = Place::elsewhere()?;
    let mut home = Place::home_neighbours();
    elsewhere.replace(&home.remove(0))?;
    stays_locked(&mut FastMachine::clinic()?, &elsewhere)
}
