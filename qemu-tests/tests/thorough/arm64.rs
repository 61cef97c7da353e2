//! The story on another processor: a machine with arm64, whose board tells no serial number
//! of its own.

use qemu_tests::seen::{assert_released, log, stays_locked};
use qemu_tests::{Architecture, FastMachine, Place, Result};

#[test]
#[ignore = "needs a compiler for arm64: qemu-tests/matrix runs it"]
fn on_arm64_home_opens_elsewhere_locks_and_the_stick_helps() -> Result {
    let home = Place::home()?;
    let mut machine = FastMachine::clinic_of(Architecture::Arm64)?;
    machine.boot_at(&home)?;
    machine.wait_for_release()?;
    assert_released(&mut machine)?;
    let seen = machine.shell("uname -m; ls /sys/class/dmi/id /proc/device-tree/serial-number")?;
    let only_this = seen.text.lines().filter(|line| !line.starts_with("ls: "));
    assert_eq!(only_this.collect::<Vec<_>>(), ["aarch64"], "no serials");

    // With its log of the release hardly written.
    machine.power_cut();
    machine.boot_at(&home)?;
    machine.wait_for_release()?;
    assert_released(&mut machine)?;

    stays_locked(&mut machine, &Place::elsewhere()?)?;
    let said = log(&mut machine)?;
    assert!(said.contains("stayput: locked: "), "{said}");
    machine.plug(&FastMachine::clinics_stick_of(Architecture::Arm64)?)?;
    machine.wait_for_release()?;
    assert_released(&mut machine)
}
