//! Two sticks at once, one that is pulled, a damaged FAT and a clock that is wrong, on a server
//! with udev, systemd and real USB. What needs none of these is told in
//! `tests/native/bad_sticks.rs`.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;

use qemu_tests::{DebianMachine, Place, Result, Stick, minutes, run};

use crate::backup::{
    AT_WORK, DONE, clinic, do_not_wait, large_stick, wait_until_written, whole, write_a_row,
};

/// Overwrites the beginning of its FAT, which names the clusters of the top folder: a FAT32 on
/// the whole of it (Microsoft FAT specification, section 3.1: BPB_RsvdSecCnt).
fn damage(stick: &Stick) -> Result {
    let image = OpenOptions::new()
        .read(true)
        .write(true)
        .open(stick.image())?;
    let mut reserved = [0; 2];
    image.read_exact_at(&mut reserved, 14)?;
    let fat = 512 * u64::from(u16::from_le_bytes(reserved));
    Ok(image.write_all_at(&[0x55; 4096], fat)?)
}

fn sum(stick: &Stick) -> Result<String> {
    run("sha256sum", &[&stick.image().display().to_string()])
}

fn backup_by_hand(server: &mut DebianMachine, words: &str) -> Result<String> {
    let command = format!("stayput backup {words}");
    server.shell_within(&command, minutes(5))?.success()
}

#[test]
fn two_sticks_at_once_get_theirs_and_a_bad_one_is_named() -> Result {
    let home = Place::home()?;
    let mut server = clinic(&home)?;
    let one = large_stick()?;
    let plugged = server.plug(&one)?;
    server.wait_for_device("/dev/sda")?;
    backup_by_hand(&mut server, "--to /dev/sda")?;
    server.unplug(&plugged)?;
    let other = one.copy()?;
    let damaged = one.copy()?;
    damage(&damaged)?;
    server.shell("stayput backup automatic on")?.success()?;

    let plugged = server.plug(&one)?;
    server.plug(&other)?;
    for _ in 0..2 {
        server.console().wait_for(AT_WORK, minutes(5))?;
        server.console().wait_for(DONE, minutes(5))?;
    }
    for device in ["/dev/sda", "/dev/sdb"] {
        assert_eq!(whole(&mut server, device)?, 2, "{device}");
    }

    // The first is pulled in the middle; the other one gets its own all the same.
    write_a_row(&mut server)?;
    do_not_wait(&mut server)?;
    server
        .shell("systemctl start --no-block stayput-backup.service")?
        .success()?;
    wait_until_written(&mut server, "/dev/sda")?;
    server.unplug(&plugged)?;
    server.console().wait_for(" was pulled out.", minutes(3))?;
    let ended = "while [ \"$(systemctl is-active stayput-backup.service)\" = activating ]; \
                 do sleep 0.2; done";
    server.shell_within(ended, minutes(5))?;
    assert_eq!(whole(&mut server, "/dev/sdb")?, 3);
    let status = server.shell("stayput status --all")?.text;
    assert!(status.contains("/dev/sdb has backup "), "{status}");

    // Who plugs a damaged one in waits for a word. It is not written to.
    let before = sum(&damaged)?;
    let plugged = server.plug(&damaged)?;
    let words = "/dev/sda fails, or its filesystem is damaged: ";
    server.console().wait_for(words, minutes(3))?;
    server.unplug(&plugged)?;
    assert_eq!(before, sum(&damaged)?, "it was written to");

    // The battery of the clock is dead. By the days of the others, one of them would go.
    server.shell("stayput backup automatic off")?.success()?;
    server.shell_within(ended, minutes(5))?;
    server.shell("date -s '1970-01-02 00:00:00'")?.success()?;
    let said = backup_by_hand(&mut server, "--to /dev/sdb --keep-daily 2")?;
    assert!(said.contains("The clock was wrong when backup "), "{said}");
    assert_eq!(whole(&mut server, "/dev/sdb")?, 4, "{said}");
    backup_by_hand(&mut server, "verify --from /dev/sdb")?;
    let mounted = server.shell("grep /dev/sd /proc/[0-9]*/mounts")?;
    assert!(!mounted.ok(), "{mounted}");
    Ok(())
}
