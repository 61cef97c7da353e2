//! The server, or its disk, is where it does not belong.

use qemu_tests::{FastMachine, Hardware, Neighbour, Place, Result};

use qemu_tests::seen::stays_locked;

#[test]
fn stolen_server_on_a_bare_table_stays_locked() -> Result {
    stays_locked(&mut FastMachine::clinic()?, &Place::empty()?)
}

#[test]
fn the_disk_in_another_machine_at_home_stays_locked() -> Result {
    let mut machine = FastMachine::clinic()?;
    machine.hardware = Hardware::thiefs_own(&Hardware::clinic());
    stays_locked(&mut machine, &Place::home()?)
}

#[test]
fn a_station_that_answers_for_every_neighbour_opens_nothing() -> Result {
    // Three addresses, one card: what a thief's laptop would look like.
    let place = Place::with(
        &["192.168.77.1", "192.168.77.2", "192.168.77.3"]
            .map(|ip| Neighbour::new(ip, "00:0d:b9:41:7a:01")),
    )?;
    stays_locked(&mut FastMachine::clinic()?, &place)
}

#[test]
fn one_neighbour_taken_along_is_not_enough() -> Result {
    let elsewhere = Place::elsewhere()?;
    let mut home = Place::home_neighbours();
    elsewhere.replace(&home.remove(0))?;
    stays_locked(&mut FastMachine::clinic()?, &elsewhere)
}
