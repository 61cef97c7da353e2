//! How a disk or a network card is attached to this machine, read from sysfs and
//! udev's database. `root` is `/` except in tests.

#[cfg(feature = "admin")]
use core::time::Duration;
use std::path::{Path, PathBuf};

use crate::environment::factors::Attachment;
use crate::sys::sysfs;

/// Class of a CardBus bridge (PCI Code and ID Assignment, base class 06h), behind
/// which there is a slot for cards.
const CARDBUS_BRIDGE: &str = "0x0607";

/// How the network card with this directory below /sys/class/net is attached.
pub fn card(class: &Path) -> Attachment {
    if class.join("device/physfn").exists() {
        return Attachment::VirtualFunction;
    }
    device(class)
}

/// How the disk with this directory below /sys/block is attached.
pub fn disk(class: &Path) -> Attachment {
    let name = class.file_name().and_then(|name| name.to_str());
    let is_memory_stick = name.is_some_and(|name| name.starts_with("mspblk"));
    let kind = sysfs::read_text::<16>(&class.join("device/type"));
    // What is soldered to the board says MMC.
    if is_memory_stick || kind.as_deref() == Some("SD") {
        return Attachment::MemoryCard;
    }
    device(class)
}

fn device(class: &Path) -> Attachment {
    let Ok(device) = class.join("device").canonicalize() else {
        return Attachment::default();
    };
    match device.ancestors().any(is_removable) {
        true => Attachment::Removable,
        false => Attachment::default(),
    }
}

/// Whether what is behind this device can be taken out: the firmware says so of a
/// port, or there is a slot for cards or a bay behind it.
fn is_removable(device: &Path) -> bool {
    let says = |file: &str| sysfs::read_text::<16>(&device.join(file));
    says("removable").as_deref() == Some("removable")
        || says("class").is_some_and(|class| class.starts_with(CARDBUS_BRIDGE))
        || is_ata_port(device) && is_bay(device)
}

/// Whether this is a port of an ATA controller: `ata3`.
pub fn is_ata_port(device: &Path) -> bool {
    let name = device.file_name().and_then(|name| name.to_str());
    let number = name.and_then(|name| name.strip_prefix("ata"));
    number.is_some_and(|number| number.parse::<u32>().is_ok())
}

/// Whether the firmware can eject (ACPI 6.5, section 6.3.3) what is at this port. It
/// says so of the port or of the device at it.
fn is_bay(port: &Path) -> bool {
    let below = |folder: &Path, prefix: &str| -> Vec<PathBuf> {
        let names = sysfs::list(folder).into_iter();
        let names = names.filter(|name| name.starts_with(prefix));
        names.map(|name| folder.join(&*name)).collect()
    };
    let links = below(port, "link").into_iter();
    let mut devices = links.flat_map(|link| below(&link, "dev"));
    let ejects = |device: &Path| device.join("firmware_node/eject").exists();
    ejects(port) || devices.any(|device| ejects(&device))
}

/// When udev has first seen this disk or card, counted from the kernel's start;
/// `None` where it does not say.
#[cfg(feature = "admin")]
pub fn first_seen(root: &Path, class: &Path) -> Option<Duration> {
    let number = |file: &str| sysfs::read_text::<20>(&class.join(file));
    let name = match (number("dev"), number("ifindex")) {
        (Some(number), _) => format!("b{number}"),
        (None, index) => format!("n{}", index?),
    };
    let known = root.join("run/udev/data").join(name);
    let known = sysfs::read_text::<65536>(&known)?;
    let microseconds = known.lines().find_map(|line| line.strip_prefix("I:"))?;
    microseconds.parse().ok().map(Duration::from_micros)
}

#[cfg(test)]
mod tests {
    use super::super::fake_sysfs::{FakeSysfs, PCI};
    use super::*;

    #[test]
    fn a_virtual_function_is_told_from_its_card() {
        let sys = FakeSysfs::new();
        let card_at = |slot: &str| sys.device(&format!("{PCI}/{slot}"), "net/eth0");
        assert_eq!(card(&card_at("0000:03:00.0")), Attachment::Lasting);
        let virtual_function = card_at("0000:03:10.0");
        let physical = format!("{PCI}/0000:03:10.0/physfn");
        sys.link(&physical, &format!("{PCI}/0000:03:00.0"));
        assert_eq!(card(&virtual_function), Attachment::VirtualFunction);
    }

    #[test]
    fn what_is_behind_a_thunderbolt_port_can_be_taken_out() {
        let sys = FakeSysfs::new();
        let bridge = format!("{PCI}/0000:00:07.0/0000:04:00.0");
        let dock = sys.device(&format!("{bridge}/0000:05:00.0"), "net/eth1");
        assert_eq!(card(&dock), Attachment::Lasting);
        sys.file(&format!("{bridge}/removable"), "removable\n");
        assert_eq!(card(&dock), Attachment::Removable);
        sys.file(&format!("{bridge}/removable"), "fixed\n");
        assert_eq!(card(&dock), Attachment::Lasting);
    }

    #[test]
    fn a_card_in_a_cardbus_slot_can_be_taken_out() {
        let sys = FakeSysfs::new();
        let bridge = format!("{PCI}/0000:00:1e.0/0000:15:00.0");
        let inserted = sys.device(&format!("{bridge}/0000:16:00.0"), "net/eth1");
        sys.file(&format!("{bridge}/class"), "0x060700\n");
        assert_eq!(card(&inserted), Attachment::Removable);
    }

    #[test]
    fn a_disk_in_a_bay_that_ejects_can_be_taken_out() {
        let sys = FakeSysfs::new();
        let port = format!("{PCI}/0000:00:1f.2/ata3");
        let inserted = sys.device(&format!("{port}/host2/target2:0:0/2:0:0:0"), "block/sda");
        assert_eq!(disk(&inserted), Attachment::Lasting);
        sys.file(&format!("{port}/link3/dev3.0/firmware_node/eject"), "");
        assert_eq!(disk(&inserted), Attachment::Removable);
        // A slot that a virtual machine's disk controller is in ejects as well.
        let board = sys.device(&format!("{PCI}/0000:00:05.0/virtio1"), "block/vda");
        sys.file(&format!("{PCI}/0000:00:05.0/firmware_node/eject"), "");
        assert_eq!(disk(&board), Attachment::Lasting);
    }

    #[test]
    fn a_memory_card_is_told_from_a_chip_on_the_board() {
        let sys = FakeSysfs::new();
        let host = format!("{PCI}/0000:00:14.5/mmc_host/mmc0/mmc0:aaaa");
        let reader = sys.device(&host, "block/mmcblk0");
        for (kind, attachment) in [("SD", Attachment::MemoryCard), ("MMC", Attachment::Lasting)] {
            sys.file(&format!("{host}/type"), kind);
            assert_eq!(disk(&reader), attachment, "{kind}");
        }
    }

    #[test]
    fn udev_tells_when_a_device_came() {
        let sys = FakeSysfs::new();
        let inserted = sys.device(&format!("{PCI}/0000:00:05.0/virtio1"), "block/vda");
        assert_eq!(first_seen(sys.root(), &inserted), None);
        sys.file(
            &format!("{PCI}/0000:00:05.0/virtio1/block/vda/dev"),
            "254:0\n",
        );
        sys.file("run/udev/data/b254:0", "S:disk/by-id/x\nI:7340032\nE:A=B\n");
        let came = first_seen(sys.root(), &inserted);
        assert_eq!(came, Some(Duration::from_micros(7_340_032)));
    }
}
