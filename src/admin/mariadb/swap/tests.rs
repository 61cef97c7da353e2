//! Each way in which memory gets to a disk, on a system made of files.

use super::*;

const HEAD: &str = "Filename\tType\tSize\tUsed\tPriority\n";

struct Machine {
    room: tempfile::TempDir,
}

impl Machine {
    fn with(files: &[(&str, &str)]) -> Self {
        let room = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = room.path().join(path.trim_start_matches('/'));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self { room }
    }

    /// A link, both ends below the machine's root.
    fn link(self, from: &str, to: &str) -> Self {
        let at = |path: &str| self.room.path().join(path.trim_start_matches('/'));
        fs::create_dir_all(at(from).parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(at(to), at(from)).unwrap();
        self
    }

    fn dangers(&self) -> Vec<Danger> {
        System {
            root: self.room.path().to_owned(),
        }
        .dangers()
    }
}

fn dangers(files: &[(&str, &str)]) -> Vec<Danger> {
    Machine::with(files).dangers()
}

fn swapping_to(path: &str) -> String {
    format!("{HEAD}{path}\tpartition\t975868\t0\t-2\n")
}

#[test]
fn a_server_without_swap_is_fine() {
    assert_eq!(
        dangers(&[("/proc/swaps", HEAD), ("/proc/cmdline", "ro quiet\n")]),
        []
    );
}

#[test]
fn clear_swap_is_found_in_use_and_configured() {
    assert_eq!(
        dangers(&[("/proc/swaps", &swapping_to("/dev/sda5"))]),
        [Danger::Swap("/dev/sda5".into())]
    );
    assert_eq!(
        dangers(&[("/proc/swaps", &swapping_to("/my\\040swap"))]),
        [Danger::Swap("/my swap".into())]
    );
    let fstab = "# UUID=1 none swap sw 0 0\nUUID=2 none swap sw 0 0\nUUID=3 / ext4 defaults 0 1\n";
    assert_eq!(
        dangers(&[("/etc/fstab", fstab)]),
        [Danger::Configured {
            file: "/etc/fstab".into(),
            names: "UUID=2".into()
        }]
    );
    let unit = "/etc/systemd/system/swapfile.swap";
    assert_eq!(
        dangers(&[(unit, "[Swap]\nWhat=/swapfile\n")]),
        [Danger::Configured {
            file: unit.into(),
            names: "/swapfile".into()
        }]
    );
}

#[test]
fn swap_in_memory_or_under_a_key_that_nobody_keeps_is_fine() {
    assert_eq!(dangers(&[("/proc/swaps", &swapping_to("/dev/zram0"))]), []);
    let crypttab = "stayput_swap /dev/disk/by-partuuid/1 /dev/urandom swap,size=512\n";
    let fstab = "/dev/mapper/stayput_swap none swap sw 0 0\n";
    assert_eq!(
        dangers(&[("/etc/crypttab", crypttab), ("/etc/fstab", fstab)]),
        []
    );
    assert_eq!(
        dangers(&[
            ("/proc/swaps", &swapping_to("/dev/dm-0")),
            (
                "/sys/class/block/dm-0/dm/uuid",
                "CRYPT-PLAIN-stayput_swap\n"
            ),
        ]),
        []
    );
    // LVM on LUKS.
    assert_eq!(
        dangers(&[
            ("/proc/swaps", &swapping_to("/dev/dm-1")),
            ("/sys/class/block/dm-1/dm/uuid", "LVM-abc\n"),
            ("/sys/class/block/dm-1/slaves/dm-0", ""),
            ("/sys/class/block/dm-0/dm/uuid", "CRYPT-LUKS2-1-x\n"),
        ]),
        []
    );
}

#[test]
fn a_mapping_is_not_encrypted_because_it_is_a_mapping() {
    let found = dangers(&[
        ("/proc/swaps", &swapping_to("/dev/dm-1")),
        ("/sys/class/block/dm-1/dm/uuid", "LVM-abc\n"),
        ("/sys/class/block/dm-1/slaves/sda2", ""),
    ]);
    assert_eq!(found, [Danger::Swap("/dev/dm-1".into())]);
    // A kept key is not a random one.
    let crypttab = "kept /dev/sda2 /etc/key swap\n# r /dev/sda3 /dev/urandom swap\n";
    for name in ["kept", "r"] {
        let fstab = format!("/dev/mapper/{name} none swap sw 0 0\n");
        assert_eq!(
            dangers(&[("/etc/crypttab", crypttab), ("/etc/fstab", &fstab)]).len(),
            1
        );
    }
}

#[test]
fn hibernation_is_found() {
    let file = "/etc/initramfs-tools/conf.d/resume";
    assert_eq!(
        dangers(&[("/proc/cmdline", "ro resume=UUID=1 quiet\n")]),
        [Danger::Hibernation("/proc/cmdline".into())]
    );
    assert_eq!(
        dangers(&[("/proc/cmdline", "resume=UUID=1 noresume\n")]),
        []
    );
    assert_eq!(dangers(&[(file, "RESUME=none\n")]), []);
    assert_eq!(
        dangers(&[(file, "RESUME=UUID=1\n")]),
        [Danger::Hibernation(file.into())]
    );
}

#[test]
fn crash_dumps_are_found() {
    let loaded = dangers(&[("/sys/kernel/kexec_crash_loaded", "1\n")]);
    assert!(matches!(loaded[..], [Danger::Kdump(_)]));
    assert_eq!(dangers(&[("/sys/kernel/kexec_crash_loaded", "0\n")]), []);
    let tools = dangers(&[("/etc/default/kdump-tools", "# x\nUSE_KDUMP=1\n")]);
    assert!(matches!(tools[..], [Danger::Kdump(_)]));
}

#[test]
fn a_refusal_names_everything_and_the_next_step() {
    let machine = Machine::with(&[
        ("/proc/swaps", &swapping_to("/dev/sda5")),
        ("/proc/cmdline", "resume=/dev/sda5\n"),
    ]);
    let problem = refuse_clear_memory(&System {
        root: machine.room.path().to_owned(),
    })
    .unwrap_err();
    assert!(problem.what.contains("/dev/sda5") && problem.what.contains("hibernation"));
    assert!(problem.next.contains("--swap off"));
}

const CRYPT: (&str, &str) = ("/sys/class/block/dm-0/dm/uuid", "CRYPT-LUKS2-1-x\n");

fn writeback(device: &str) -> [Danger; 1] {
    [Danger::Writeback {
        zram: "/dev/zram0".into(),
        device: device.into(),
    }]
}

#[test]
fn zram_that_writes_to_a_disk_is_as_clear_as_the_disk() {
    let swaps = swapping_to("/dev/zram0");
    let with = |backing: &str| {
        dangers(&[
            ("/proc/swaps", &swaps),
            ("/sys/class/block/zram0/backing_dev", backing),
            CRYPT,
        ])
    };
    assert_eq!(with("none\n"), []);
    assert_eq!(with("/dev/dm-0\n"), []);
    assert_eq!(with("/dev/sda5\n"), writeback("/dev/sda5"));
    // Through a loop device onto a plain root.
    let found = dangers(&[
        ("/proc/swaps", &swaps),
        ("/sys/class/block/zram0/backing_dev", "/dev/loop0\n"),
        ("/sys/class/block/loop0/loop/backing_file", "/backing\n"),
        (
            "/proc/self/mountinfo",
            "25 1 8:1 / / rw - ext4 /dev/sda1 rw\n",
        ),
        ("/sys/dev/block/8:1/uevent", "DEVNAME=sda1\n"),
    ]);
    assert_eq!(found, writeback("/dev/loop0"));
}

#[test]
fn what_sets_zram_up_to_write_to_a_disk_is_found() {
    let named = |file: &str, text: &str| -> Vec<PathBuf> {
        let found = dangers(&[(file, text), CRYPT]);
        let files = found.into_iter().map(|danger| match danger {
            Danger::ConfiguredWriteback { file, .. } => file,
            other => panic!("{other}"),
        });
        files.collect()
    };
    let conf = "/etc/systemd/zram-generator.conf";
    assert_eq!(
        named(conf, "[zram0]\nwriteback-device = /dev/sda5\n"),
        [Path::new(conf)]
    );
    assert_eq!(
        named(conf, "[zram0]\n# writeback-device=/dev/sda5\n"),
        [] as [&Path; 0]
    );
    assert_eq!(
        named(conf, "[zram0]\nwriteback-device=/dev/dm-0\n"),
        [] as [&Path; 0]
    );
    let drop_in = "/usr/lib/systemd/zram-generator.conf.d/x.conf";
    assert_eq!(
        named(drop_in, "writeback-device=UUID=1\n"),
        [Path::new(drop_in)]
    );
    let rule = "/etc/udev/rules.d/99-zram.rules";
    let text = "KERNEL==\"zram0\", ATTR{backing_dev}=\"/dev/sda5\", ATTR{disksize}=\"1G\"\n";
    assert_eq!(named(rule, text), [Path::new(rule)]);
}

#[test]
fn a_swap_file_is_as_safe_as_its_filesystem() {
    let found = |mounts: &str| {
        dangers(&[
            ("/proc/swaps", &swapping_to("/swap\\040files/one")),
            ("/proc/self/mountinfo", mounts),
            ("/sys/dev/block/253:0/uevent", "MAJOR=253\nDEVNAME=dm-0\n"),
            ("/sys/dev/block/8:1/uevent", "DEVNAME=sda1\n"),
            CRYPT,
        ])
    };
    let clear = [Danger::Swap("/swap files/one".into())];
    let luks = "25 1 253:0 / / rw shared:1 - ext4 /dev/mapper/root rw\n";
    let plain = "25 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n";
    assert_eq!(found(luks), []);
    assert_eq!(found(plain), clear);
    // The deepest mount decides, and the last of several on one place.
    let deeper = "30 25 8:1 / /swap\\040files rw - ext4 /dev/sda1 rw\n";
    assert_eq!(found(&format!("{deeper}{luks}")), clear);
    let beside = "30 25 8:1 / /swap rw - ext4 /dev/sda1 rw\n";
    assert_eq!(found(&format!("{luks}{beside}")), []);
    assert_eq!(found(&format!("{luks}{plain}")), clear);
    // Nothing tells where it is.
    assert_eq!(found(""), clear);
    assert_eq!(found("25 1 0:30 / / rw - overlay overlay rw\n"), clear);
}

#[test]
fn a_line_that_is_no_text_hides_no_other_line() {
    let machine = Machine::with(&[CRYPT]);
    let fstab = machine.room.path().join("etc/fstab");
    fs::create_dir_all(fstab.parent().unwrap()).unwrap();
    fs::write(fstab, b"# Gr\xfc\xdfe\n/dev/sda5 none swap sw 0 0\n").unwrap();
    assert_eq!(machine.dangers().len(), 1);
}

#[test]
fn a_btrfs_is_judged_by_all_of_its_devices() {
    let swaps = swapping_to("/swapfile");
    let mounts = "25 1 0:30 /@ / rw - btrfs /dev/dm-0 rw,subvol=/@\n";
    let one = [
        ("/proc/swaps", &*swaps),
        ("/proc/self/mountinfo", mounts),
        ("/sys/fs/btrfs/features/raid1c34", "1"),
        ("/sys/fs/btrfs/1-2/devices/dm-0", ""),
        CRYPT,
    ];
    assert_eq!(dangers(&one), []);
    let two = [&one[..], &[("/sys/fs/btrfs/1-2/devices/sdb", "")]].concat();
    assert_eq!(dangers(&two), [Danger::Swap("/swapfile".into())]);
}

#[test]
fn an_encrypted_volume_is_safe_however_it_is_spelled() {
    let spelled = |name: &str, link: &str| {
        let fstab = format!("{name} none swap sw 0 0\n");
        let unit = "/etc/systemd/system/x.swap";
        let what = format!("[Swap]\nWhat={name}\n");
        let machine = || Machine::with(&[("/etc/fstab", &fstab), (unit, &what), ("/dev/dm-0", "")]);
        let clear = machine().link(link, "/dev/dm-0").dangers().len();
        let crypt = machine().link(link, "/dev/dm-0");
        let uuid = crypt.room.path().join("sys/class/block/dm-0/dm/uuid");
        fs::create_dir_all(uuid.parent().unwrap()).unwrap();
        fs::write(uuid, CRYPT.1).unwrap();
        (clear, crypt.dangers())
    };
    for (name, link) in [
        ("UUID=1-2", "/dev/disk/by-uuid/1-2"),
        ("UUID=\"1-2\"", "/dev/disk/by-uuid/1-2"),
        ("LABEL=my/swap", "/dev/disk/by-label/my\\x2fswap"),
        ("PARTUUID=1-2", "/dev/disk/by-partuuid/1-2"),
        ("/dev/mapper/vg-swap", "/dev/mapper/vg-swap"),
        ("/dev/vg/swap", "/dev/vg/swap"),
    ] {
        assert_eq!(spelled(name, link), (2, Vec::new()), "{name}");
    }
    // A name that no device has is not a device of that name.
    let found = dangers(&[("/etc/fstab", "LABEL=dm-0 none swap sw 0 0\n"), CRYPT]);
    assert_eq!(found.len(), 1);
}

#[test]
fn devices_on_each_other_are_followed_to_the_last() {
    let swapping = |files: &[(&str, &str)]| {
        let swaps = swapping_to("/dev/dm-3");
        dangers(&[&[("/proc/swaps", &*swaps), CRYPT], files].concat()).len()
    };
    // A volume on a RAID of two, both encrypted, or only one.
    let raid = [
        ("/sys/class/block/dm-3/slaves/md0", ""),
        ("/sys/class/block/md0/slaves/dm-0", ""),
        ("/sys/class/block/md0/slaves/dm-1", ""),
    ];
    let other = ("/sys/class/block/dm-1/dm/uuid", "CRYPT-LUKS1-2-y\n");
    assert_eq!(swapping(&[&raid[..], &[other]].concat()), 0);
    assert_eq!(swapping(&raid), 1);
    // cryptsetup also makes mappings that encrypt nothing.
    for uuid in [
        "CRYPT-INTEGRITY-x\n",
        "CRYPT-VERITY-x\n",
        "CRYPT-SUBDEV-x\n",
    ] {
        assert_eq!(
            swapping(&[("/sys/class/block/dm-3/dm/uuid", uuid)]),
            1,
            "{uuid}"
        );
    }
    // A loop that a hostile image might show ends.
    assert_eq!(swapping(&[("/sys/class/block/dm-3/slaves/dm-3", "")]), 1);
}

#[test]
fn a_partition_of_an_encrypted_device_is_encrypted() {
    let machine = Machine::with(&[
        ("/proc/swaps", &swapping_to("/dev/md0p1")),
        ("/sys/devices/virtual/block/md0/md0p1/partition", "1\n"),
        ("/sys/class/block/md0/slaves/dm-0", ""),
        CRYPT,
    ]);
    let machine = machine.link(
        "/sys/class/block/md0p1",
        "/sys/devices/virtual/block/md0/md0p1",
    );
    assert_eq!(machine.dangers(), []);
    let plain = Machine::with(&[
        ("/proc/swaps", &swapping_to("/dev/sda5")),
        ("/sys/devices/pci/block/sda/sda5/partition", "5\n"),
    ]);
    let plain = plain.link("/sys/class/block/sda5", "/sys/devices/pci/block/sda/sda5");
    assert_eq!(plain.dangers(), [Danger::Swap("/dev/sda5".into())]);
}

#[test]
fn a_compressed_cache_before_clear_swap_changes_nothing() {
    let found = dangers(&[
        ("/proc/swaps", &swapping_to("/dev/sda5")),
        ("/sys/module/zswap/parameters/enabled", "Y\n"),
    ]);
    assert_eq!(found, [Danger::Swap("/dev/sda5".into())]);
}

#[test]
fn units_and_their_drop_ins_are_read_where_systemd_does() {
    let unit = "/usr/lib/systemd/system/disk.swap";
    let clear = |files: &[(&str, &str)]| dangers(&[&[(unit, "What=/dev/sda5\n")], files].concat());
    assert_eq!(clear(&[]).len(), 1);
    // Masked, or said otherwise.
    let other = "/etc/systemd/system/disk.swap";
    assert_eq!(clear(&[(other, "")]), []);
    assert_eq!(clear(&[(other, "What=/dev/zram0\n")]), []);
    let drop_in = "/etc/systemd/system/disk.swap.d/x.conf";
    assert_eq!(clear(&[(other, ""), (drop_in, "What=/dev/sdb\n")]).len(), 1);
    let told = clear(&[])[0].next();
    assert!(told.contains("systemctl mask"), "{told}");
}

#[test]
fn hibernation_onto_an_encrypted_volume_is_fine() {
    let machine = Machine::with(&[
        ("/proc/cmdline", "ro resume=UUID=1-2\n"),
        ("/dev/dm-0", ""),
        CRYPT,
    ]);
    let machine = machine.link("/dev/disk/by-uuid/1-2", "/dev/dm-0");
    assert_eq!(machine.dangers(), []);
}
