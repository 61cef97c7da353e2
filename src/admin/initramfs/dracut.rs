//! What an image of dracut holds of the boot stage. Pure.

use std::collections::BTreeSet;

use super::InstalledCopy;
use super::network::ImageNetwork;
use super::order::touches_disks;
use super::tree::Tree;
use crate::admin::boot_files::{
    BootFile, DRACUT_AFTER_STAGE, DRACUT_DEVICE, DRACUT_UNIT, DRACUT_WAITING, DRACUT_WORDS,
};

const UNITS: &str = "usr/lib/systemd/system";
/// Where systemd reads units, the first before the others.
const UNIT_FOLDERS: [&str; 2] = ["etc/systemd/system", UNITS];
/// By this link the initramfs starts the stage.
const STARTED: &str = "usr/lib/systemd/system/initrd.target.requires/stayput-boot.service";
/// The words that dracut reads as if they stood on the kernel's command line.
const COMMAND_LINE: &str = "etc/cmdline.d";
/// What is in the image beside the stage and the units that wait for it.
const FILES: [(&str, BootFile); 3] = [
    ("usr/lib/systemd/system/stayput-boot.service", DRACUT_UNIT),
    (
        "usr/lib/systemd/system/device.d/stayput.conf",
        DRACUT_DEVICE,
    ),
    ("etc/cmdline.d/50-stayput.conf", DRACUT_WORDS),
];
/// Units that are followed to what they wait for.
const FOLLOWED_MAX: usize = 100_000;

/// These begin after the stage, by its unit.
const BEHIND_THE_STAGE: [&str; 3] = [
    "stayput-boot.service",
    "cryptsetup-pre.target",
    "local-fs-pre.target",
];

/// Whether the content of this file, without usr/ in front, is looked at.
pub fn is_of_interest(path: &str) -> bool {
    let folders = ["lib/systemd/system/", UNIT_FOLDERS[0]];
    path.starts_with("etc/cmdline.d/") || folders.iter().any(|folder| path.starts_with(folder))
}

/// The unit that runs the stage, what lets the waits for devices begin after it, and
/// what offers no shell.
pub fn files(image: &Tree) -> InstalledCopy {
    let copies = FILES.map(|(path, file)| InstalledCopy::of_text(image, path, file.text));
    copies
        .into_iter()
        .fold(InstalledCopy::Same, InstalledCopy::worse)
}

/// Services that may run before the stage and touch disks; `None` where it is not started,
/// or one that is known to touch them does not wait for it.
pub fn before(image: &Tree) -> Option<Vec<String>> {
    let has_drop_in = |unit: &str| {
        let drop_in = format!("{UNITS}/{unit}.d/stayput.conf");
        InstalledCopy::of_text(image, &drop_in, DRACUT_AFTER_STAGE.text) == InstalledCopy::Same
    };
    let is_started = InstalledCopy::of_text(image, STARTED, DRACUT_UNIT.text);
    if is_started != InstalledCopy::Same || !DRACUT_WAITING.text.lines().all(has_drop_in) {
        return None;
    }
    let mut earlier = started_services(image);
    let mut left = FOLLOWED_MAX;
    earlier.retain(|unit| {
        let text = unit_text(image, unit);
        touches_disks(
            &text
                .lines()
                .filter_map(command)
                .collect::<Vec<_>>()
                .join("\n"),
        ) && !waits(image, unit, &mut left)
    });
    Some(earlier.into_iter().collect())
}

/// The services that the initramfs starts by itself.
fn started_services(image: &Tree) -> BTreeSet<String> {
    let is_started_by = |folder: &str| {
        let target = ["wants", "requires"].iter().find_map(|kind| {
            let target = folder.strip_suffix(kind)?;
            target.strip_suffix(".target.")
        });
        target.is_some_and(|target| {
            matches!(target, "sysinit" | "basic") || target.starts_with("initrd")
        })
    };
    let folders = UNIT_FOLDERS.iter();
    let links = folders.flat_map(|folder| image.below(folder));
    let links = links.filter_map(|path| path.split_once('/'));
    links
        .filter(|(folder, unit)| is_started_by(folder) && unit.ends_with(".service"))
        .map(|(_, unit)| unit.to_owned())
        .collect()
}

/// Whether a unit starts after the stage, by itself or behind another one. Takes each unit
/// that it follows from `left`; where none is left, nothing waits.
fn waits(image: &Tree, unit: &str, left: &mut usize) -> bool {
    let is_known = |unit: &str| {
        BEHIND_THE_STAGE.contains(&unit) || DRACUT_WAITING.text.lines().any(|known| known == unit)
    };
    let mut asked = BTreeSet::from([unit.to_owned()]);
    // A list, for a chain may be longer than a stack is deep.
    let mut next = vec![unit.to_owned()];
    while let Some(unit) = next.pop() {
        if is_known(&unit) || is_known(&template(&unit)) {
            return true;
        }
        if *left == 0 {
            return false;
        }
        *left -= 1;
        let text = unit_text(image, &unit);
        let after = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("After="));
        for earlier in after.flat_map(str::split_whitespace) {
            if asked.insert(earlier.to_owned()) {
                next.push(earlier.to_owned());
            }
        }
    }
    false
}

/// The text of a unit with its drop-ins.
fn unit_text(image: &Tree, unit: &str) -> String {
    let mut text = String::new();
    for name in [unit, &template(unit)] {
        let places = UNIT_FOLDERS.map(|folder| format!("{folder}/{name}"));
        if text.is_empty() {
            let own = places.iter().map(|place| image.text(place));
            text = own
                .into_iter()
                .find(|text| !text.is_empty())
                .unwrap_or_default();
        }
        for folder in places.map(|place| place + ".d") {
            for drop_in in image.below(&folder) {
                text += "\n";
                text += &image.text(&format!("{folder}/{drop_in}"));
            }
        }
    }
    text
}

/// `fsck@.service` of `fsck@sda1.service`; of another name itself.
fn template(unit: &str) -> String {
    match (unit.split_once('@'), unit.rsplit_once('.')) {
        (Some((name, _)), Some((_, kind))) => format!("{name}@.{kind}"),
        _ => unit.to_owned(),
    }
}

/// What a line of a unit runs.
fn command(line: &str) -> Option<&str> {
    let (key, command) = line.trim().split_once('=')?;
    let is_run = matches!(key, "ExecStartPre" | "ExecStart" | "ExecStartPost");
    is_run.then(|| command.trim_start_matches(['-', '@', ':', '+', '!', '|']))
}

/// The network that the image sets up beside the stage. dracut's older scripts do it in
/// a unit that waits for the stage.
pub fn network(image: &Tree, command_line: &str) -> ImageNetwork {
    const PROGRAMS: [&str; 3] = [
        "usr/lib/systemd/systemd-networkd",
        "usr/libexec/nm-initrd-generator",
        "usr/lib/NetworkManager/nm-initrd-generator",
    ];
    if PROGRAMS.iter().all(|program| image.get(program).is_none()) {
        return ImageNetwork::default();
    }
    let mut words = command_line.to_owned();
    for name in image.below(COMMAND_LINE) {
        words += " ";
        words += &image.text(&format!("{COMMAND_LINE}/{name}"));
    }
    // Both know VLANs.
    ImageNetwork::of(&[], "vlan", "", &words)
}

/// A file of an image that somebody makes.
#[cfg(any(test, feature = "fuzzing"))]
fn put(image: &mut Tree, path: &str, text: &str) {
    let (mode, content) = (0o100_644, Some(text.as_bytes().into()));
    image.put(path, super::tree::Node { mode, content });
}

/// An image as `stayput install` has dracut make it, without the stage.
#[cfg(any(test, feature = "fuzzing"))]
pub fn as_installed() -> Tree {
    let mut image = Tree::default();
    for unit in DRACUT_WAITING.text.lines() {
        let drop_in = format!("{UNITS}/{unit}.d/stayput.conf");
        put(&mut image, &drop_in, DRACUT_AFTER_STAGE.text);
    }
    for (path, file) in FILES {
        put(&mut image, path, file.text);
    }
    let (mode, content) = (0o120_777, Some(b"../stayput-boot.service"[..].into()));
    image.put(STARTED, super::tree::Node { mode, content });
    image
}

#[cfg(test)]
mod tests {
    use super::super::network::Addressing;
    use super::super::tree::Node;
    use super::*;

    #[test]
    fn an_image_as_installed_runs_the_stage_first() {
        assert_eq!(files(&as_installed()), InstalledCopy::Same);
        assert_eq!(before(&as_installed()), Some(Vec::new()));
        assert_eq!(before(&Tree::default()), None);
        assert_eq!(files(&Tree::default()), InstalledCopy::Missing);
    }

    #[test]
    fn a_unit_that_does_not_wait_for_the_stage_is_seen() {
        for unit in DRACUT_WAITING.text.lines() {
            let mut image = as_installed();
            put(
                &mut image,
                &format!("{UNITS}/{unit}.d/stayput.conf"),
                "[Unit]\n",
            );
            assert_eq!(before(&image), None, "{unit}");
        }
        let mut image = as_installed();
        put(&mut image, STARTED, "");
        assert_eq!(before(&image), None, "nothing starts it");
    }

    #[test]
    fn each_file_of_the_stage_that_was_changed_is_seen() {
        for path in [
            "usr/lib/systemd/system/stayput-boot.service",
            "usr/lib/systemd/system/device.d/stayput.conf",
            "etc/cmdline.d/50-stayput.conf",
        ] {
            let mut image = as_installed();
            put(&mut image, path, "# empty\n");
            assert_eq!(files(&image), InstalledCopy::Other, "{path}");
        }
    }

    #[test]
    fn a_row_of_units_longer_than_the_stack_is_deep_is_followed() {
        const ROW: usize = 2000;
        let follow = || {
            let mut image = as_installed();
            for unit in 0..ROW {
                let text = format!("[Unit]\nAfter={}.service\n", unit + 1);
                put(&mut image, &format!("{UNITS}/{unit}.service"), &text);
            }
            let last = format!("{UNITS}/{ROW}.service");
            put(&mut image, &last, "[Unit]\nAfter=stayput-boot.service\n");
            let waits = |mut left| waits(&image, "0.service", &mut left);
            (waits(ROW + 1), waits(ROW))
        };
        let thread = std::thread::Builder::new().stack_size(256 << 10);
        let followed = thread.spawn(follow).unwrap().join().unwrap();
        assert_eq!(followed, (true, false));
    }

    /// A service that the initramfs starts by itself, with what stands in it.
    fn with_service(name: &str, text: &str) -> Tree {
        let mut image = as_installed();
        put(&mut image, &format!("{UNITS}/{name}"), text);
        let (mode, content) = (0o120_777, Some(format!("../{name}").into_bytes().into()));
        let link = format!("etc/systemd/system/sysinit.target.wants/{name}");
        image.put(&link, Node { mode, content });
        image
    }

    #[test]
    fn an_owners_service_that_mounts_before_the_stage_is_named() {
        let mounts = "[Service]\nExecStart=-/usr/bin/mount /dev/sdb1 /srv\n";
        let image = with_service("data.service", mounts);
        assert_eq!(before(&image).unwrap(), ["data.service"]);
        let after = |unit| format!("[Unit]\nAfter=basic.target {unit}\n{mounts}");
        for unit in [
            "stayput-boot.service",
            "sysroot.mount",
            "local-fs-pre.target",
        ] {
            let image = with_service("data.service", &after(unit));
            assert_eq!(before(&image), Some(Vec::new()), "{unit}");
        }
        let image = with_service("data@sdb1.service", &after("data@sdb0.service"));
        assert_eq!(before(&image).unwrap(), ["data@sdb1.service"]);
        let mut image = with_service("data.service", &after("other.service"));
        let other = format!("{UNITS}/other.service.d/late.conf");
        put(
            &mut image,
            &other,
            "[Unit]\nAfter=dracut-initqueue.service\n",
        );
        assert_eq!(before(&image), Some(Vec::new()), "behind another one");
        let image = with_service(
            "clock.service",
            "[Service]\nExecStart=/bin/hwclock --mount\n",
        );
        assert_eq!(before(&image), Some(Vec::new()));
    }

    #[test]
    fn one_that_nobody_starts_is_not_named() {
        let mut image = as_installed();
        let text = "[Service]\nExecStart=/sbin/vgchange -ay\n";
        put(&mut image, &format!("{UNITS}/lvm.service"), text);
        let (mode, content) = (0o120_777, Some(b"../lvm.service"[..].into()));
        let link = format!("{UNITS}/shutdown.target.wants/lvm.service");
        image.put(&link, Node { mode, content });
        assert_eq!(before(&image), Some(Vec::new()));
    }

    #[test]
    fn a_wait_for_a_device_begins_after_the_stage() {
        let has = |file: BootFile, line: &str| file.text.lines().any(|given| given == line);
        assert!(has(DRACUT_DEVICE, "After=stayput-boot.service"));
        // One that failed would take the device from whatever else needs it.
        assert!(!DRACUT_DEVICE.text.contains("Requires="));
        assert!(has(DRACUT_UNIT, "OOMPolicy=continue"));
        assert!(has(DRACUT_UNIT, "TimeoutStartSec=infinity"));
        assert!(has(DRACUT_UNIT, "ConditionPathExists=!/proc/vmcore"));
        assert!(has(DRACUT_WORDS, "rd.shell=0 rd.emergency=reboot"));
    }

    #[test]
    fn what_mounts_checks_opens_or_resumes_waits() {
        let waiting: Vec<&str> = DRACUT_WAITING.text.lines().collect();
        for unit in [
            "sysroot.mount",
            "systemd-fsck-root.service",
            "systemd-cryptsetup@.service",
            "systemd-hibernate-resume.service",
            "systemd-hibernate-resume@.service",
            "dracut-initqueue.service",
        ] {
            assert!(waiting.contains(&unit), "{unit}");
        }
        for word in [
            "Requires=stayput-boot.service",
            "After=stayput-boot.service",
        ] {
            assert!(
                DRACUT_AFTER_STAGE.text.lines().any(|line| line == word),
                "{word}"
            );
        }
    }

    #[test]
    fn a_network_counts_where_something_can_set_it_up() {
        let addressing = |image: &Tree, words: &str| network(image, words).addressing("eth0");
        let mut image = as_installed();
        assert_eq!(addressing(&image, "ip=dhcp"), Addressing::None);
        put(&mut image, "usr/lib/systemd/systemd-networkd", "");
        assert_eq!(addressing(&image, "quiet"), Addressing::None);
        assert_eq!(addressing(&image, "ip=dhcp"), Addressing::NotKnown);
        put(
            &mut image,
            "etc/cmdline.d/30-ip.conf",
            "ip=:::::eth0:dhcp\n",
        );
        assert_eq!(addressing(&image, "quiet"), Addressing::Sure);
        assert!(network(&image, "vlan=eth0.5:eth0").makes("eth0.5"));
    }
}
