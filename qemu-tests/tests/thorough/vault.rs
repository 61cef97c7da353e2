//! The vault on the disk is damaged, gone, or not the only one.

use qemu_tests::{FastMachine, Filesystem, Place, Result, Stick, run};

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
    // The other copy goes bad next: the first one was written anew.
    let copy = "dd if=/dev/urandom of=/dev/vda2 bs=4096 seek=120 count=1 conv=notrunc 2>/dev/null";
    machine.shell(&format!("{copy} && sync"))?.success()?;
    machine.boot_at(&home)?;
    machine.wait_for_release()?;
    assert_released(&mut machine)
}

#[test]
fn a_server_opens_from_the_second_copy_of_its_vault() -> Result {
    let home = Place::home()?;
    let mut machine = FastMachine::clinic()?;
    machine.boot_to_shell_at(&home)?;
    let start = machine
        .shell("cat /sys/class/block/vda2/start")?
        .success()?;
    machine.lost_sector = Some(start.trim().parse().expect("a sector"));
    machine.boot_at(&home)?;
    machine.wait_for_release()?;
    assert_released(&mut machine)?;
    let read = machine.shell("dd if=/dev/vda2 of=/dev/null bs=4096 count=1")?;
    assert!(!read.ok(), "the sector is lost: {read}");
    let log = log(&mut machine)?;
    let unfinished = "what was interrupted is not finished";
    assert!(log.contains(unfinished), "{log}");
    assert!(!log.contains("log was not written"), "{log}");
    Ok(())
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

/// Makes the vault in a file on the disk's only partition, as an owner does
/// whose disk has no room for another one.
fn vault_in_a_file(filesystem: Filesystem, home: &Place) -> Result<FastMachine> {
    let mut machine = FastMachine::with_boot_partition(filesystem)?;
    machine.boot_to_shell_at(home)?;
    machine
        .shell("mkdir -p /boot && mount /dev/vda1 /boot && echo a kernel >/boot/vmlinuz")?
        .success()?;
    for command in [
        "stayput init --name clinic --vault /boot/stayput.vault --yes",
        "stayput enroll --yes --neighbour 192.168.77.1 --neighbour 192.168.77.2 \
         --neighbour 192.168.77.3",
    ] {
        machine.shell(command)?.success()?;
    }
    let seen = machine.shell("stayput status; umount /boot && sync")?;
    assert!(seen.text.contains("clinic"), "{seen}");
    machine.keep_vault_conf()?;
    Ok(machine)
}

#[test]
fn a_vault_in_a_file_on_the_boot_partition_opens_only_at_home() -> Result {
    for filesystem in [Filesystem::Vfat, Filesystem::Ext4] {
        let home = Place::home()?;
        let mut machine = vault_in_a_file(filesystem, &home)?;
        machine.boot_at(&home)?;
        machine.wait_for_release()?;
        assert_released(&mut machine)?;

        let elsewhere = Place::elsewhere()?;
        machine.boot_at(&elsewhere)?;
        machine.wait_for_prompt()?;
        assert_locked(&mut machine)?;
        // Mounted only for moments: a power cut at the prompt, where a stolen
        // server waits for hours, finds the filesystem clean.
        let mounts = machine.shell("grep vda1 /proc/mounts")?;
        assert!(!mounts.ok(), "{mounts}");
        let kept = machine.shell("mount -o ro /dev/vda1 /mnt && cat /mnt/vmlinuz; dmesg")?;
        let kept = kept.success()?;
        assert!(kept.starts_with("a kernel\n"), "{kept}");
        for word in ["not properly unmounted", "recovery complete"] {
            assert!(!kept.contains(word), "{filesystem:?}: {kept}");
        }
    }
    Ok(())
}

#[test]
fn a_copy_with_a_damaged_vault_does_not_hide_the_right_one() -> Result {
    let home = Place::home()?;
    let mut machine = FastMachine::clinic()?;
    // The same partition ids, and no vault left in it.
    let copy = Stick::of_image(machine.disk())?;
    let image = copy.image().display().to_string();
    let zeros = [
        "if=/dev/zero",
        "bs=512",
        "conv=notrunc",
        "seek=40",
        "count=2000",
    ];
    run(
        "dd",
        &[&zeros[..], &[&format!("of={image}"), "status=none"]].concat(),
    )?;
    machine.boot_to_shell_at(&home)?;
    // sda comes before vda.
    machine.plug(&copy)?;
    machine.wait_for_device("/dev/sda2")?;
    machine
        .shell("timeout 60 /usr/lib/stayput/stayput-boot </dev/null")?
        .success()?;
    assert_released(&mut machine)
}

#[test]
fn a_link_of_udevs_that_leads_elsewhere_does_not_hide_the_vault() -> Result {
    let mut machine = FastMachine::clinic()?;
    machine.boot_to_shell_at(&Place::home()?)?;
    // Another partition, one that has gone, and the vault's own.
    for partition in ["vda1", "sda2", "vda2"] {
        let link = format!(
            "id=$(sed -n s/^partition=//p /etc/stayput/vault.conf) && \
             mkdir -p /dev/disk/by-partuuid && \
             ln -sfn ../../{partition} /dev/disk/by-partuuid/$id"
        );
        machine.shell(&link)?.success()?;
        machine
            .shell("timeout 60 /usr/lib/stayput/stayput-boot </dev/null")?
            .success()?;
        assert_released(&mut machine)?;
    }
    Ok(())
}
