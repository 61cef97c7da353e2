//! The vault on the disk is damaged, gone, or not the only one.

use qemu_tests::{FastMachine, Place, Result, Stick, run};

use qemu_tests::seen::{assert_locked, assert_released, log};

/// Does this to the clinic's disk, then boots it at home.
fn boot_after(change: &str) -> Result<(FastMachine, Place)> {
    let home = Place::home()?;
    let mut machine = FastMachine::clinic()?;
    machine.boot_to_shell_at(&home)?;
    machine.shell(&format!("{change} && sync"))?.success()?;
    machine.boot_at(&home)?;
    Ok((machine, home))
}

#[test]
fn an_empty_vault_is_said_and_nothing_opens() -> Result {
    let (mut machine, _home) =
        boot_after("dd if=/dev/zero of=/dev/vda2 bs=65536 count=15 conv=notrunc 2>/dev/null")?;
    machine.wait_for_prompt()?;
    assert_locked(&mut machine)?;
    let log = log(&mut machine)?;
    assert!(log.contains("stayput: locked: There is no vault."), "{log}");
    Ok(())
}

#[test]
fn a_first_block_that_went_bad_is_read_from_its_copy_and_mended() -> Result {
    let wipe = "dd if=/dev/urandom of=/dev/vda2 bs=4096 count=1 conv=notrunc 2>/dev/null";
    let (mut machine, home) = boot_after(wipe)?;
    machine.wait_for_release()?;
    assert_released(&mut machine)?;
    // The other copy may go bad next: the first one was written anew.
    machine.boot_at(&home)?;
    machine.wait_for_release()?;
    assert_released(&mut machine)
}

#[test]
fn another_partition_with_the_vaults_name_is_ignored() -> Result {
    let home = Place::home()?;
    let mut machine = FastMachine::clinic()?;
    // The disk of another server, with a "stayput" partition of its own.
    let stick = Stick::of_image(machine.disk())?;
    run(
        "sgdisk",
        &["--randomize-guids", &stick.image().display().to_string()],
    )?;
    machine.boot_to_shell_at(&home)?;
    machine.plug(&stick)?;
    machine.wait_for_device("/dev/sda2")?;
    machine
        .shell("timeout 60 /usr/lib/stayput/stayput-boot </dev/null")?
        .success()?;
    assert_released(&mut machine)
}
