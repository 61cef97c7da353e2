//! What an image of dracut holds of the boot stage. Pure.

use super::InstalledCopy;
use super::network::ImageNetwork;
use super::tree::Tree;
use crate::admin::boot_files::{DRACUT_AFTER_STAGE, DRACUT_MANAGER, DRACUT_UNIT, DRACUT_WAITING};

const UNITS: &str = "usr/lib/systemd/system";
/// By this link the initramfs starts the stage.
const STARTED: &str = "usr/lib/systemd/system/initrd.target.requires/stayput-boot.service";
/// What systemd there is told.
const MANAGER: &str = "etc/systemd/system.conf.d/50-stayput.conf";
/// The words that dracut reads as if they stood on the kernel's command line.
const COMMAND_LINE: &str = "etc/cmdline.d";

/// Whether the content of this file, without usr/ in front, is looked at.
pub fn is_of_interest(path: &str) -> bool {
    let in_units = path.strip_prefix("lib/systemd/system/");
    in_units.is_some_and(|name| name.contains("stayput"))
        || path.starts_with("etc/cmdline.d/")
        || path == MANAGER
}

/// The unit that runs the stage, and what lets it wait.
pub fn files(image: &Tree) -> InstalledCopy {
    let unit = format!("{UNITS}/stayput-boot.service");
    let unit = InstalledCopy::of_text(image, &unit, DRACUT_UNIT.text);
    unit.worse(InstalledCopy::of_text(image, MANAGER, DRACUT_MANAGER.text))
}

/// Nothing runs before the stage where it is started and whatever touches disks waits
/// for it; `None` elsewhere.
pub fn before(image: &Tree) -> Option<Vec<String>> {
    let waits = |unit: &str| {
        let drop_in = format!("{UNITS}/{unit}.d/stayput.conf");
        InstalledCopy::of_text(image, &drop_in, DRACUT_AFTER_STAGE.text) == InstalledCopy::Same
    };
    let is_started = InstalledCopy::of_text(image, STARTED, DRACUT_UNIT.text);
    (is_started == InstalledCopy::Same && DRACUT_WAITING.text.lines().all(waits)).then(Vec::new)
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

#[cfg(test)]
mod tests {
    use super::super::network::Addressing;
    use super::super::tree::Node;
    use super::*;

    fn put(image: &mut Tree, path: &str, text: &str) {
        let (mode, content) = (0o100_644, Some(text.as_bytes().into()));
        image.put(path, Node { mode, content });
    }

    fn good() -> Tree {
        let mut image = Tree::default();
        put(
            &mut image,
            &format!("{UNITS}/stayput-boot.service"),
            DRACUT_UNIT.text,
        );
        for unit in DRACUT_WAITING.text.lines() {
            let drop_in = format!("{UNITS}/{unit}.d/stayput.conf");
            put(&mut image, &drop_in, DRACUT_AFTER_STAGE.text);
        }
        put(&mut image, MANAGER, DRACUT_MANAGER.text);
        let (mode, content) = (0o120_777, Some(b"../stayput-boot.service"[..].into()));
        image.put(STARTED, Node { mode, content });
        image
    }

    #[test]
    fn an_image_as_installed_runs_the_stage_first() {
        assert_eq!(files(&good()), InstalledCopy::Same);
        assert_eq!(before(&good()), Some(Vec::new()));
        assert_eq!(before(&Tree::default()), None);
        assert_eq!(files(&Tree::default()), InstalledCopy::Missing);
    }

    #[test]
    fn a_unit_that_does_not_wait_for_the_stage_is_seen() {
        for unit in DRACUT_WAITING.text.lines() {
            let mut image = good();
            put(
                &mut image,
                &format!("{UNITS}/{unit}.d/stayput.conf"),
                "[Unit]\n",
            );
            assert_eq!(before(&image), None, "{unit}");
        }
        let mut image = good();
        put(&mut image, STARTED, "");
        assert_eq!(before(&image), None, "nothing starts it");
        let mut image = good();
        put(
            &mut image,
            &format!("{UNITS}/stayput-boot.service"),
            "[Unit]\n",
        );
        assert_eq!(files(&image), InstalledCopy::Other);
        let mut image = good();
        put(&mut image, MANAGER, "[Manager]\n");
        assert_eq!(files(&image), InstalledCopy::Other, "disks give up");
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
        let mut image = good();
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
