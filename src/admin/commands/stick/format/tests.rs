use std::fs;

use super::*;

#[test]
fn sticks_above_32_gib_are_made_with_exfat() {
    let usual = FreshFilesystem::usual;
    assert_eq!(usual(64 << 20), FreshFilesystem::Vfat);
    assert_eq!(usual(32_000_000_000), FreshFilesystem::Vfat);
    assert_eq!(usual(32 << 30), FreshFilesystem::Vfat);
    assert_eq!(usual((32 << 30) + 1), FreshFilesystem::Exfat);
    assert_eq!(usual(62_000_000_000), FreshFilesystem::Exfat);
}

#[test]
fn only_name_and_size_together_confirm() {
    let confirmed = |typed| is_confirmed(typed, "sdb", "62 GB");
    for typed in ["/dev/sdb 62 GB", "sdb 62 GB", " sdb  62gb \n", "SDB 62GB"] {
        assert!(confirmed(typed), "{typed:?}");
    }
    for typed in [
        "",
        "yes",
        "y",
        "sdb",
        "62 GB",
        "sda 62 GB",
        "sdb 64 GB",
        "sdb1 62 GB",
    ] {
        assert!(!confirmed(typed), "{typed:?}");
    }
}

#[test]
fn sizes_read_as_on_the_package() {
    assert_eq!(size_in_words(67_108_864), "67 MB");
    assert_eq!(size_in_words(7_800_000_000), "8 GB");
    assert_eq!(size_in_words(61_530_439_680), "62 GB");
    assert_eq!(size_in_words(999_600_000), "1000 MB");
}

#[test]
fn a_cards_partition_has_a_p_in_its_name() {
    assert_eq!(volume_of(Path::new("/dev/sdb")), Path::new("/dev/sdb1"));
    let card = volume_of(Path::new("/dev/mmcblk0"));
    assert_eq!(card, Path::new("/dev/mmcblk0p1"));
}

fn stick(disk: &str, sequence: &str) -> Stick {
    Stick {
        disk: disk.try_into().unwrap(),
        sequence: sequence.try_into().unwrap(),
        volumes: vec![volume_of(&Path::new("/dev").join(disk))],
    }
}

/// One that was plugged in as a disk which is there no more; what has its name
/// now is a file.
fn gone(disk: &Path, bytes: u64, program: &Path) -> Fresh {
    Fresh {
        stick: stick("gone", "7"),
        disk: disk.into(),
        bytes,
        filesystem: FreshFilesystem::Vfat,
        program: program.into(),
    }
}

#[test]
fn a_stick_in_the_place_of_the_confirmed_one_is_not_erased() {
    let disk = tempfile::NamedTempFile::new().unwrap();
    let other = vec![0x5a; 64 << 20];
    fs::write(disk.path(), &other).unwrap();
    let fresh = gone(disk.path(), 64 << 20, Path::new("true"));
    for problem in [fresh.confirm().unwrap_err(), fresh.format().unwrap_err()] {
        assert!(problem.what.contains("is another stick"), "{problem}");
    }
    assert!(fs::read(disk.path()).unwrap() == other, "it was written to");
}

#[test]
fn the_disk_is_locked_until_the_filesystem_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let [disk, program] = ["disk", "mkfs"].map(|name| folder.path().join(name));
    fs::write(&disk, b"").unwrap();
    // Written by another process: no child of this one has it open for writing.
    let script = "printf '#!/bin/sh\\n! flock --nonblock %s true\\n' \"$0\" >\"$1\"; \
                  chmod 700 \"$1\"";
    let mut write = Command::new("sh");
    write.args(["-c", script]).args([&disk, &program]);
    assert!(write.status().unwrap().success());
    let fresh = gone(&disk, 0, &program);
    let lock = fresh.lock().unwrap();
    fresh
        .make_filesystem(Path::new("/dev/gone1"), lock)
        .unwrap();
    fresh.lock().unwrap();
}
