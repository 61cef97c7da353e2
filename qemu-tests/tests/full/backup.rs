//! Backups that a stick gets by itself, on a server with udev, systemd and real USB.

use std::fs;
use std::path::Path;
use std::time::Instant;

use qemu_tests::{
    DebianMachine, Failure, Filesystem, Place, Result, Scratch, Stick, System, fetched_packages,
    minutes, run, seconds,
};

/// What people see on the console.
pub const AT_WORK: &str = "is getting a backup: DO NOT PULL IT OUT.";
pub const DONE: &str = "It may be pulled out.";

/// From the plugging in to the first word about it, on an emulated machine: about a second of
/// it is the driver's wait for the stick. The service itself has 5 s.
const SEEN_WITHIN: u64 = 20;

/// The clinic's server with some rows, and what a backup needs.
pub fn clinic(home: &Place) -> Result<DebianMachine> {
    let mut server = DebianMachine::installed(System::USUAL, &mut |_| ())?;
    server.boot_at(home)?;
    server.wait_for_database()?;
    let carrier = Stick::partitioned(Filesystem::Vfat)?;
    for entry in fs::read_dir(fetched_packages("backup")?.join("archives"))? {
        let path = entry?.path();
        if let Some(name) = path.file_name().and_then(|name| name.to_str()) {
            // FAT takes no colons.
            carrier.write(&name.replace("%3a", "-"), &fs::read(&path)?)?;
        }
    }
    let plugged = server.plug(&carrier)?;
    server.wait_for_device("/dev/sda1")?;
    let install = "mount -o ro /dev/sda1 /mnt && dpkg -i /mnt/*.deb && umount /mnt";
    server.shell_within(install, minutes(5))?.success()?;
    server.unplug(&plugged)?;
    server.sql(
        "CREATE DATABASE clinic; CREATE TABLE clinic.patient (note TEXT); \
         INSERT INTO clinic.patient VALUES ('Wanjiru')",
    )?;
    Ok(server)
}

/// Larger than the sticks of the other tests: FAT on the whole of it.
pub fn large_stick() -> Result<Stick> {
    stick_of("1G")
}

/// Of this size, as truncate(1) reads it.
pub fn stick_of(size: &str) -> Result<Stick> {
    let scratch = Scratch::new()?;
    let image = scratch.join("large.img");
    let shown = image.display().to_string();
    run("truncate", &["--size", size, &shown])?;
    run("mkfs.vfat", &["-F", "32", "-n", "BACKUPS", "-I", &shown])?;
    Stick::of_image(Path::new(&image))
}

/// How many whole backups there are on this stick.
pub fn whole(server: &mut DebianMachine, device: &str) -> Result<usize> {
    let list = format!("stayput backup list --from {device} --json");
    let listed = server.shell_within(&list, minutes(2))?.success()?;
    Ok(listed.matches("\"state\": \"whole\"").count())
}

/// Has the service look as its timer has it, and waits for its end.
fn look(server: &mut DebianMachine) -> Result {
    let start = "systemctl start stayput-backup.service || \
                 { journalctl -u stayput-backup -n 40 --no-pager; exit 1; }";
    server.shell_within(start, minutes(5))?.success()?;
    Ok(())
}

/// On an emulated machine the last backup took long, and the pause behind it would be minutes.
pub fn do_not_wait(server: &mut DebianMachine) -> Result {
    let took = "sed -Ei 's/\"took\":[0-9]+/\"took\":0/g' /run/stayput-backup.json";
    server.shell(took)?.success()?;
    Ok(())
}

/// Waits until a backup is written to this stick.
pub fn wait_until_written(server: &mut DebianMachine, device: &str) -> Result {
    let state = format!("\"{device}\".[^}}]*\"writing\"");
    let written = format!(
        "for i in $(seq 600); do grep -q '{state}' /run/stayput-backup.json && exit; sleep 0.1; \
         done; exit 1"
    );
    server.shell_within(&written, minutes(2))?.success()?;
    Ok(())
}

pub fn write_a_row(server: &mut DebianMachine) -> Result {
    server.sql("INSERT INTO clinic.patient VALUES ('one more')")?;
    Ok(())
}

#[test]
fn stick_gets_a_backup_when_it_is_plugged_in_and_when_rows_come() -> Result {
    let home = Place::home()?;
    let mut server = clinic(&home)?;
    let stick = large_stick()?;
    let plugged = server.plug(&stick)?;
    server.wait_for_device("/dev/sda")?;
    server
        .shell_within("stayput backup --to /dev/sda", minutes(5))?
        .success()?;
    server.unplug(&plugged)?;
    server.shell("stayput backup automatic on")?.success()?;

    // Plugged in, it gets one, and who stands there reads when it may go.
    let begun = Instant::now();
    let plugged = server.plug(&stick)?;
    server.console().wait_for(AT_WORK, minutes(2))?;
    let after = begun.elapsed();
    assert!(after < seconds(SEEN_WITHIN), "it was seen after {after:?}");
    server.console().wait_for(DONE, minutes(5))?;
    assert_eq!(whole(&mut server, "/dev/sda")?, 2);
    let status = server.shell("stayput status --all")?.text;
    assert!(status.contains("/dev/sda has backup 2."), "{status}");
    assert!(status.contains("number 2, is "), "{status}");
    let told = server.shell("cat /run/motd.d/stayput-backup")?.success()?;
    assert!(told.contains("number 2"), "{told}");

    // From then on only where something has changed.
    look(&mut server)?;
    assert_eq!(
        whole(&mut server, "/dev/sda")?,
        2,
        "nobody has written anything"
    );
    write_a_row(&mut server)?;
    look(&mut server)?;
    assert_eq!(
        whole(&mut server, "/dev/sda")?,
        2,
        "no more than a tenth of the time"
    );
    do_not_wait(&mut server)?;
    look(&mut server)?;
    assert_eq!(whole(&mut server, "/dev/sda")?, 3);
    let next = server.shell("systemctl show -p NextElapseUSecMonotonic stayput-backup.timer")?;
    assert!(!next.text.trim().ends_with('='), "no next look: {next}");

    // Pulled out in the middle, it has its older ones, and gets another.
    write_a_row(&mut server)?;
    do_not_wait(&mut server)?;
    server
        .shell("systemctl start --no-block stayput-backup.service")?
        .success()?;
    wait_until_written(&mut server, "/dev/sda")?;
    server.unplug(&plugged)?;
    server.console().wait_for(" was pulled out.", minutes(3))?;
    let ended = "while systemctl is-active -q stayput-backup.service || \
                 [ \"$(systemctl is-active stayput-backup.service)\" = activating ]; \
                 do sleep 0.2; done";
    server.shell_within(ended, minutes(3))?.success()?;
    server.plug(&stick)?;
    server.console().wait_for(AT_WORK, minutes(2))?;
    server.console().wait_for(DONE, minutes(5))?;
    assert!(whole(&mut server, "/dev/sda")? >= 4);
    server
        .shell_within("stayput backup verify --from /dev/sda", minutes(5))?
        .success()?;

    server.shell("stayput backup automatic off")?.success()?;
    let left = server.shell("ls /etc/systemd/system /etc/udev/rules.d")?;
    assert!(!left.text.contains("stayput-backup"), "{left}");
    Ok(())
}

#[test]
fn stick_of_somebody_else_is_not_written_to() -> Result {
    let home = Place::home()?;
    let mut server = clinic(&home)?;
    server.shell("stayput backup automatic on")?.success()?;
    let photos = Stick::partitioned(Filesystem::Vfat)?;
    photos.write("photo.jpg", b"a holiday")?;
    // Whoever wants rows on his stick makes its folders himself.
    photos.write("stayput-backups", b"no folder")?;
    let before = fs::read(photos.image())?;
    server.plug(&photos)?;
    server.wait_for_device("/dev/sda1")?;
    let looked = "for i in $(seq 300); do journalctl -u stayput-backup -b -o cat --no-pager | \
                  grep -c Finished | grep -qv '^[01]$' && exit; sleep 0.2; done; exit 1";
    server.shell_within(looked, minutes(3))?.success()?;
    let is_same = before == fs::read(photos.image())?;
    if !is_same {
        return Err(Failure::new("the stick was written to"));
    }
    let status = server.shell("stayput status --all")?.text;
    assert!(!status.contains("/dev/sda1"), "{status}");
    Ok(())
}
