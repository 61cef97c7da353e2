//! A stick is taken out while a command asks, and another one is put in its place.

use qemu_tests::{FastMachine, Filesystem, Place, Result, Stick, minutes};

/// What somebody types into the command that waits.
const TYPED: &str = "/run/typed";

/// Starts a command in the guest that waits for a line.
fn begin(machine: &mut FastMachine, command: &str) -> Result {
    // Who sleeps keeps the pipe open.
    let begin = format!(
        "rm -f {TYPED}; mkfifo {TYPED}; sleep 600 >{TYPED} 2>/dev/null & \
         {{ {command} <{TYPED} >/run/said 2>&1; echo \"ended: $?\" >>/run/said; }} >/dev/null 2>&1 &"
    );
    machine.shell(&begin)?.success()?;
    Ok(())
}

/// Types a line, and gives all that the command has said.
fn answer(machine: &mut FastMachine, line: &str) -> Result<String> {
    let answer = format!(
        "echo '{line}' >{TYPED}; until grep -q '^ended: ' /run/said; do sleep 0.2; done; \
         cat /run/said"
    );
    machine.shell_within(&answer, minutes(5))?.success()
}

fn swap(machine: &mut FastMachine, id: &str, other: &Stick) -> Result<String> {
    machine.unplug(id)?;
    machine.shell("while [ -e /dev/sda ]; do sleep 0.1; done")?;
    let id = machine.plug(other)?;
    machine.wait_for_device("/dev/sda1")?;
    Ok(id)
}

#[test]
fn a_reset_wipes_the_stick_that_it_has_named() -> Result {
    let mut machine = FastMachine::clinic()?;
    machine.boot_to_shell_at(&Place::home()?)?;
    let (named, other) = (
        FastMachine::clinics_stick()?,
        FastMachine::clinics_stick_with_pin()?,
    );
    let keys = other.list("stayput")?;
    let id = machine.plug(&named)?;
    machine.wait_for_device("/dev/sda1")?;
    begin(&mut machine, "stayput reset")?;
    machine.shell("until grep -q \"Type the server's name\" /run/said; do sleep 0.2; done")?;
    let id = swap(&mut machine, &id, &other)?;
    let said = answer(&mut machine, "clinic")?;
    assert!(
        said.contains("on the stick /dev/sda1 (\"Halima\")"),
        "{said}"
    );
    assert!(
        said.contains("NOT WIPED: /dev/sda1 is another stick by now"),
        "{said}"
    );
    assert!(said.contains("Pepper and slots are destroyed."), "{said}");
    machine.unplug(&id)?;
    assert_eq!(other.list("stayput")?, keys);

    // Both of them still open it.
    machine.boot_at(&Place::empty()?)?;
    machine.wait_for_prompt()?;
    machine.plug(&named)?;
    machine.wait_for_release()
}

#[test]
fn a_key_is_put_on_no_other_stick_than_the_named_one() -> Result {
    let mut machine = FastMachine::clinic()?;
    machine.boot_to_networked_shell_at(&Place::home()?)?;
    let (named, other) = (
        Stick::partitioned(Filesystem::Vfat)?,
        Stick::partitioned(Filesystem::Vfat)?,
    );
    other.write("patients.odt", b"letters")?;
    let id = machine.plug(&named)?;
    machine.wait_for_device("/dev/sda1")?;
    begin(
        &mut machine,
        "stayput stick make /dev/sda1 --label bank --pin-stdin",
    )?;
    // It has opened the vault, and waits for the PIN.
    machine.shell("until grep -q pipe /proc/$(pidof stayput)/wchan; do sleep 0.2; done")?;
    let id = swap(&mut machine, &id, &other)?;
    let said = answer(&mut machine, "4711-0815")?;
    assert!(said.contains("/dev/sda1 is another stick by now"), "{said}");
    assert!(!said.contains("ended: 0"), "{said}");
    machine.unplug(&id)?;
    let files = other.list("")?;
    assert!(
        !files
            .iter()
            .any(|name| name.eq_ignore_ascii_case("stayput")),
        "{files:?}"
    );
    let listed = machine.shell("stayput stick list")?.success()?;
    assert!(!listed.contains("bank"), "{listed}");
    Ok(())
}
