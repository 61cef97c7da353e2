//! Setting up and observing: what the neighbours and the cables say.

use qemu_tests::{FastMachine, Neighbour, Place, Result};

use qemu_tests::seen::card;

const INIT: &str = "stayput init --name clinic --disk /dev/vda --yes";
/// All must be as they are: one combination, so that it is quick.
const ENROLL: &str = "stayput enroll --yes --machine-need 4 --place-need 3 \
                      --neighbour 192.168.77.1 --neighbour 192.168.77.2 \
                      --neighbour 192.168.77.3";

#[test]
fn enrolling_sees_every_neighbour_and_leaves_the_card_as_it_was() -> Result {
    let mut machine = FastMachine::blank()?;
    machine.boot_to_shell_at(&Place::home()?)?;
    machine.shell(INIT)?.success()?;
    let before = card(&mut machine)?;
    let said = machine.shell(ENROLL)?.success()?;
    for neighbour in Place::home_neighbours() {
        assert!(said.contains(&neighbour.mac), "{said}");
    }
    assert_eq!(card(&mut machine)?, before);
    Ok(())
}

#[test]
fn a_neighbour_with_a_made_up_address_is_not_enrolled() -> Result {
    let home = Place::home()?;
    // The second bit of the first byte: set by software, as phones do.
    home.replace(&Neighbour::new("192.168.77.3", "3e:2a:f4:05:60:03"))?;
    let mut machine = FastMachine::blank()?;
    machine.boot_to_shell_at(&home)?;
    machine.shell(INIT)?.success()?;
    let answer = machine.shell(ENROLL)?;
    assert!(!answer.ok(), "{answer}");
    let status = machine.shell("stayput status")?.text;
    assert!(status.contains("none is enrolled"), "{status}");
    Ok(())
}

#[test]
fn a_neighbour_that_is_switched_off_is_not_enrolled() -> Result {
    let home = Place::home()?;
    home.remove("192.168.77.3")?;
    let mut machine = FastMachine::blank()?;
    machine.boot_to_shell_at(&home)?;
    machine.shell(INIT)?.success()?;
    let answer = machine.shell(ENROLL)?;
    assert!(!answer.ok(), "{answer}");
    assert!(answer.text.contains("192.168.77.3"), "{answer}");
    let status = machine.shell("stayput status")?.text;
    assert!(status.contains("none is enrolled"), "{status}");
    Ok(())
}
