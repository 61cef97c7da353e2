//! Sticks and small disks that a running server looks at.

use std::fs;

use qemu_tests::{Container, Failure, Filesystem, Result, Stick, Suite, run};

use crate::plugged::Plugged;

#[test]
fn looking_at_a_stick_leaves_every_byte_as_it_was() -> Result {
    let server = Container::fresh(Suite::Bookworm)?;
    let stick = Stick::with_orphan()?;
    let before = fs::read(stick.image())?;
    let plugged = Plugged::into(&server, stick.image())?;
    let look = || -> Result {
        let said = server.shell(&format!("stayput release --stick {}", Plugged::DEVICE))?;
        assert!(said.text.contains("This stick has no key on it."), "{said}");
        run("sync", &[])?;
        assert!(fs::read(stick.image())? == before, "the look has written");
        Ok(())
    };
    look()?;
    assert!(!plugged.is_protected()?, "it is put back");
    run("blockdev", &["--setro", plugged.device()])?;
    look()?;
    assert!(plugged.is_protected()?, "it was so before");

    // The control: what a read-only mount does by itself.
    run("blockdev", &["--setrw", plugged.device()])?;
    let mount = format!("mount -o ro,noload {} /mnt && umount /mnt", Plugged::DEVICE);
    server.shell(&mount)?.success()?;
    run("sync", &[])?;
    assert!(fs::read(stick.image())? != before, "it is no such stick");
    Ok(())
}

/// A server whose vault is a file in an ext4 on a disk of its own, as on a
/// separate /boot: with the command that makes it.
const INIT: &str = "stayput init --name clinic --vault /mnt/stayput.vault --yes";

/// Sets the mark of a look that was killed (setxattr(2), on amd64).
const MARK: &str = "perl -e 'my ($name, $value) = (\"trusted.stayput.look\", \"1\"); \
                    syscall(188, $ARGV[0], $name, $value, 1, 0) and die $!' VOLUME";

/// Reads the vault and changes nothing.
const LOOK: &str = "stayput reset --dry-run";

#[test]
fn looking_for_a_vault_in_a_file_leaves_every_byte_as_it_was() -> Result {
    let server = Container::without_vault(Suite::Bookworm)?;
    let disk = Stick::partitioned(Filesystem::Ext4)?;
    let on_the_volume = |plugged: &Plugged, command: &str| {
        let device = format!("{}p1", plugged.device());
        server.shell(&command.replace("VOLUME", &device))?.success()
    };
    let plugged = Plugged::with_partition(&server, disk.image())?;
    let init = format!("mount VOLUME /mnt && {INIT} && umount /mnt && sync");
    on_the_volume(&plugged, &init)?;
    drop(plugged);
    disk.leave_orphan()?;
    let before = fs::read(disk.image())?;

    let plugged = Plugged::with_partition(&server, disk.image())?;
    for look in [LOOK, "stayput check", "stayput simulate --without place"] {
        let said = server.shell(look)?.text;
        assert!(!said.contains("vault cannot be opened"), "{look}: {said}");
        run("sync", &[])?;
        assert!(fs::read(disk.image())? == before, "{look} has written");
    }
    let volume = format!("{}p1", plugged.device());
    let is_protected =
        || -> Result<bool> { Ok(run("blockdev", &["--getro", &volume])?.trim() == "1") };
    assert!(!is_protected()?, "it is put back");

    // Its owner has protected it, and nobody has looked.
    run("blockdev", &["--setro", &volume])?;
    let refused = server.shell("stayput policy --watch-every 7")?;
    assert!(!refused.ok(), "{refused}");
    assert!(is_protected()?, "it is not ours");

    // Somebody has killed one that looked; what is to be written is written.
    on_the_volume(&plugged, MARK)?;
    server.shell("stayput policy --watch-every 7")?.success()?;
    assert!(!is_protected()?, "nothing is left behind");
    on_the_volume(&plugged, "e2fsck -fn VOLUME")?;
    drop(plugged);

    // The control: what a read-only mount does by itself.
    disk.leave_orphan()?;
    let before = fs::read(disk.image())?;
    let plugged = Plugged::with_partition(&server, disk.image())?;
    on_the_volume(&plugged, "mount -o ro,noload VOLUME /mnt && umount /mnt")?;
    run("sync", &[])?;
    assert!(fs::read(disk.image())? != before, "it is no such disk");
    Ok(())
}

#[test]
fn a_vault_that_is_only_in_the_journal_is_found() -> Result {
    let server = Container::without_vault(Suite::Bookworm)?;
    let disk = Stick::partitioned(Filesystem::Ext4)?;
    let plugged = Plugged::with_partition(&server, disk.image())?;
    let mount = format!("mount {}p1 /mnt && sync", plugged.device());
    server.shell(&mount)?.success()?;
    let earlier = disk.copy()?;
    server.shell(&format!("{INIT} && sync"))?.success()?;
    // The power goes: the disk as it is now, and nobody has unmounted it.
    let cut = disk.copy()?;
    cut.lose_top_directory_since(&earlier)?;
    server.shell("umount /mnt")?.success()?;
    drop(plugged);

    let plugged = Plugged::with_partition(&server, cut.image())?;
    let list = format!(
        "mount -o ro,noload {}p1 /mnt && ls /mnt; umount /mnt",
        plugged.device()
    );
    let seen = server.shell(&list)?.text;
    if seen.contains("stayput.vault") {
        return Err(Failure::new(format!("it is no such disk: {seen}")));
    }
    let said = server.shell(LOOK)?.success()?;
    let is_seen = !said.contains("header is lost") && said.contains("Nothing was destroyed.");
    assert!(is_seen, "{said}");
    Ok(())
}

#[test]
fn a_good_stick_without_a_driver_is_said_to_lack_that_driver() -> Result {
    let server = Container::fresh(Suite::Bookworm)?;
    let stick = Stick::whole_disk(Filesystem::Exfat)?;
    let _plugged = Plugged::into(&server, stick.image())?;
    let said = server.shell(&format!("stayput release --stick {}", Plugged::DEVICE))?;
    let knows_exfat = fs::read_to_string("/proc/filesystems")?.contains("exfat");
    let expected = match knows_exfat {
        true => "This stick has no key on it.",
        false => "This kernel has no driver for exFAT (module exfat).",
    };
    assert!(said.text.contains(expected), "{said}");
    Ok(())
}
