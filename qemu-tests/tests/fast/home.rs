//! At home the server opens by itself, also when a little has changed.

use qemu_tests::seen::{assert_released, card};
use qemu_tests::{FastMachine, Neighbour, Place, Result};

#[test]
fn at_home_the_server_opens_and_leaves_its_card_as_it_was() -> Result {
    let home = Place::home()?;
    let mut machine = FastMachine::clinic()?;
    machine.boot_to_shell_at(&home)?;
    let before = card(&mut machine)?;
    machine.boot_at(&home)?;
    machine.wait_for_release()?;
    assert_released(&mut machine)?;
    assert_eq!(card(&mut machine)?, before);
    let console = machine.console().transcript();
    assert!(
        !console.contains("stayput> "),
        "no prompt flashes by: {console}"
    );
    // The kernel may take a second to note the carrier of a card that it has put
    // up. Nobody waits for that.
    let log = machine.shell("dmesg")?.success()?;
    let took = |part: &str| {
        let (_, rest) = log.split_once(&format!(" {part} "))?;
        rest.split(|c: char| !c.is_ascii_digit())
            .next()?
            .parse::<u64>()
            .ok()
    };
    let [heard, opened] = ["neighbours", "unwrap"].map(|part| took(part).expect(part));
    assert!(
        heard * 2 < opened,
        "{heard} ms until they were heard, {opened} ms of scrypt"
    );
    Ok(())
}

#[test]
fn a_replaced_router_alone_does_not_lock_the_server() -> Result {
    let home = Place::home()?;
    home.replace(&Neighbour::new("192.168.77.1", "00:26:f2:90:00:01"))?;
    let mut machine = FastMachine::clinic()?;
    machine.boot_at(&home)?;
    machine.wait_for_release()?;
    assert_released(&mut machine)
}
