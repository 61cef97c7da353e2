//! The server is where it belongs: it opens by itself, also when a little has
//! changed.

use qemu_tests::{FastMachine, NicModel, Place, Result};

use qemu_tests::seen::{assert_locked, assert_released, log};

#[test]
fn a_new_network_card_alone_does_not_lock_the_server() -> Result {
    let mut machine = FastMachine::clinic()?;
    machine.hardware.nic_model = NicModel::E1000;
    machine.hardware.nic_mac = "00:25:90:77:01:02".into();
    machine.boot_at(&Place::home()?)?;
    machine.wait_for_release()?;
    assert_released(&mut machine)
}

#[test]
fn routers_that_start_late_make_the_prompt_go_away() -> Result {
    let place = Place::empty()?;
    let mut machine = FastMachine::clinic()?;
    machine.boot_at(&place)?;
    machine.wait_for_prompt()?;
    assert_locked(&mut machine)?;
    let said = machine.console().transcript();
    assert!(
        said.contains("silent"),
        "it says that nobody answers: {said}"
    );
    for neighbour in Place::home_neighbours() {
        place.add(&neighbour)?;
    }
    machine.wait_for_release()?;
    assert_released(&mut machine)
}

#[test]
fn the_cable_that_is_put_back_opens_the_server() -> Result {
    let mut machine = FastMachine::clinic()?;
    machine.cable_out = true;
    let home = Place::home()?;
    machine.boot_at(&home)?;
    machine.wait_for_prompt()?;
    assert_locked(&mut machine)?;
    machine.machine()?.cable(true)?;
    machine.wait_for_release()?;
    assert_released(&mut machine)
}

#[test]
fn the_last_line_of_the_stage_is_in_the_log_at_once() -> Result {
    let home = Place::home()?;
    let mut machine = FastMachine::clinic()?;
    machine.boot_at(&home)?;
    machine.wait_for_release()?;
    let log = log(&mut machine)?;
    let figures = log.lines().last().unwrap_or_default();
    assert!(figures.starts_with("stayput: released after "), "{log}");
    for figure in ["vault ", "machine ", "neighbours ", "unwrap ", "tmpfs "] {
        assert!(figures.contains(figure), "{log}");
    }
    Ok(())
}
