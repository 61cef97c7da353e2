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
