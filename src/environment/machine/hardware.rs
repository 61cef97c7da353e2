//! The location of disks and network cards: where they are plugged in. It tells parts
//! of one kind apart while they are looked at; what is enrolled does not name it.

use heapless::String;

/// A PCI address as the kernel writes it: `0000:00:1f.2`.
fn is_pci_address(part: &str) -> bool {
    let bytes = part.as_bytes();
    bytes.len() == 12
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b':',
            10 => *byte == b'.',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// A device-tree node as the kernel names its device: `fe340000.mmc`.
fn is_tree_node(part: &str) -> bool {
    part.split_once('.').is_some_and(|(address, name)| {
        !name.is_empty()
            && !address.is_empty()
            && address.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// The `channel:target:lun` of a SCSI address `host:channel:target:lun`. The
/// host number is left out: it is the order of discovery.
fn behind_scsi_host(part: &str) -> Option<&str> {
    let (host, rest) = part.split_once(':')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let wiring = rest.split(':').count() == 3 && rest.split(':').all(digits);
    (digits(host) && wiring).then_some(rest)
}

/// The location of a device, from its path below /sys/devices; `None` for USB,
/// whose devices come and go. `ata_port` is the number of its port on the ATA
/// controller, where it has one.
pub fn location(device_path: &str, ata_port: Option<&str>) -> Option<String<40>> {
    let parts = || device_path.split('/');
    if parts().any(|part| part.starts_with("usb")) {
        return None;
    }
    let base = parts()
        .rfind(|part| is_pci_address(part))
        .or_else(|| parts().rfind(|part| is_tree_node(part)))?;
    let mut location = String::try_from(base).ok()?;
    if let Some(port) = ata_port {
        location.push_str(" port ").ok()?;
        location.push_str(port).ok()?;
    }
    if let Some(wiring) = parts().find_map(behind_scsi_host) {
        location.push_str(" at ").ok()?;
        location.push_str(wiring).ok()?;
    }
    Some(location)
}

/// Whether a text is a real serial number: makers leave place-holders in.
pub fn is_real_serial(text: &str) -> bool {
    const EMPTY_WORDS: [&str; 18] = [
        "to be filled by o.e.m.",
        "to be filled by o.e.m",
        "default string",
        "not specified",
        "not applicable",
        "not available",
        "not settable",
        "unknown",
        "invalid",
        "empty",
        "system serial number",
        "chassis serial number",
        "base board serial number",
        "none",
        "n/a",
        "oem",
        "0123456789",
        "123456789",
    ];
    let told_apart = text
        .bytes()
        .filter(|byte| byte.is_ascii_alphanumeric())
        .any(|byte| !matches!(byte, b'0' | b'f' | b'F' | b'x' | b'X'));
    told_apart
        && !EMPTY_WORDS
            .iter()
            .any(|word| text.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_named_by_its_location() {
        let at = |path, port| location(path, port).as_deref().map(str::to_owned);
        assert_eq!(
            at(
                "/sys/devices/pci0000:00/0000:00:04.0/virtio1/block/vda",
                None
            )
            .as_deref(),
            Some("0000:00:04.0")
        );
        assert_eq!(
            at(
                "/sys/devices/pci0000:00/0000:00:1f.2/ata3/host2/target2:0:0/2:0:0:0/block/sda",
                Some("3")
            )
            .as_deref(),
            Some("0000:00:1f.2 port 3 at 0:0:0")
        );
        assert_eq!(
            at(
                "/sys/devices/pci0000:00/0000:00:1d.0/0000:03:00.0/nvme/nvme0/nvme0n1",
                None
            )
            .as_deref(),
            Some("0000:03:00.0")
        );
        assert_eq!(
            at(
                "/sys/devices/platform/soc/fe340000.mmc/mmc_host/mmc0/mmc0:aaaa/block/mmcblk0",
                None
            )
            .as_deref(),
            Some("fe340000.mmc")
        );
        let usb = "/sys/devices/pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host4/target4:0:0/4:0:0:0/block/sdb";
        assert_eq!(at(usb, None), None);
    }

    #[test]
    fn a_serial_number_that_every_board_has_is_none() {
        for word in [
            "None",
            "Default string",
            "0000000000",
            "FFFFFFFF",
            "..",
            "To Be Filled By O.E.M.",
            "Not Settable",
            "INVALID",
        ] {
            assert!(!is_real_serial(word), "{word}");
        }
        for serial in ["S3Z2NB0K", "PF0XYZ12", "f00d"] {
            assert!(is_real_serial(serial), "{serial}");
        }
    }
}
