//! Sticks as people have met them, on a server with udev, systemd and real USB. What needs none
//! of these is told in `tests/native/bad_sticks.rs`.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;

use qemu_tests::{BadStick, Behaviour, DebianMachine, Place, Result, Stick, minutes, run, seconds};

use crate::backup::{
    AT_WORK, DONE, clinic, do_not_wait, large_stick, stick_of, wait_until_written, whole,
    write_a_row,
};

/// What a stick takes before it hangs in the middle of a backup.
const SOME: u64 = 1 << 20;

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
#[ignore = "takes minutes: qemu-tests/matrix runs it"]
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
    Ok(())
}

/// A backup is tried, and there is none: these words say why.
fn gets_none(server: &mut DebianMachine, words: &str) -> Result {
    let said = server.shell_within("stayput backup --to /dev/sda", minutes(5))?;
    assert!(!said.ok() && said.text.contains(words), "{words}: {said}");
    Ok(())
}

/// The last blocks of 4096 bytes that something was written to.
fn last_blocks(stick: &Stick, count: usize) -> Result<Vec<u64>> {
    let image = fs::read(stick.image())?;
    let is_written = |block: &[u8]| block.iter().any(|byte| *byte != 0);
    let blocks = (0..).zip(image.chunks(4096));
    let written = blocks.filter_map(|(number, block)| is_written(block).then_some(number));
    let written: Vec<u64> = written.collect();
    Ok(written[written.len().saturating_sub(count)..].to_vec())
}

#[test]
#[ignore = "takes minutes: qemu-tests/matrix runs it"]
fn stick_that_hangs_is_full_protected_or_lies_is_named_as_that() -> Result {
    let home = Place::home()?;
    let mut server = clinic(&home)?;
    let first = stick_of("256M")?;
    let plugged = server.plug(&first)?;
    server.wait_for_device("/dev/sda")?;
    backup_by_hand(&mut server, "--to /dev/sda")?;
    server.unplug(&plugged)?;

    let image = first.copy()?;
    let mut stick = BadStick::of(image.image())?;
    let plugged = server.machine()?.plug_bad(&stick, false)?;
    server.wait_for_device("/dev/sda")?;
    stick.behaves(Behaviour::Hangs { after: SOME })?;
    let backup =
        "(stayput backup --to /dev/sda; echo It came back.) >/dev/console 2>&1 </dev/null &";
    server.shell(backup)?.success()?;
    stick.wait_until_it_hangs(minutes(3))?;
    let words = "/dev/sda did not answer for 10 seconds.";
    server.console().wait_for(words, seconds(30))?;
    stick.behaves(Behaviour::Well)?;
    server.console().wait_for("It came back.", minutes(3))?;
    assert_eq!(whole(&mut server, "/dev/sda")?, 1);

    // Somebody's photos leave half a MiB.
    let photos = "mount /dev/sda /mnt && { dd if=/dev/zero of=/mnt/photos bs=1M; \
                  truncate --size=-512K /mnt/photos; umount /mnt; }";
    server.shell_within(photos, minutes(5))?.success()?;
    gets_none(&mut server, "/dev/sda is full.")?;
    assert_eq!(whole(&mut server, "/dev/sda")?, 1);
    server.unplug(&plugged)?;

    let plugged = server.machine()?.plug_bad(&stick, true)?;
    server.wait_for_device("/dev/sda")?;
    gets_none(&mut server, "/dev/sda cannot be written: it is read-only.")?;
    assert_eq!(whole(&mut server, "/dev/sda")?, 1);
    server.unplug(&plugged)?;

    // What comes goes round over the end of what is there.
    let blocks = last_blocks(&first, 8)?;
    let mut stick = BadStick::of(first.image())?;
    server.machine()?.plug_bad(&stick, false)?;
    server.wait_for_device("/dev/sda")?;
    stick.behaves(Behaviour::WritesOver { blocks })?;
    let said = server.shell_within("stayput backup --to /dev/sda", minutes(5))?;
    assert!(!said.ok(), "{said}");
    for words in [
        "/dev/sda does not hold what was written to it: ",
        "The older backup 000001-",
    ] {
        assert!(said.text.contains(words), "{words}: {said}");
    }
    Ok(())
}
